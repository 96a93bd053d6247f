"""What no run can have is refused."""

from typing import Any

import pytest

from texjax import checks, errors
from texjax import config as configs


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("size", (64,)),
        ("size", (64, 0)),
        ("size", (64, -3)),
        ("octaves", 0),
        ("max_iter", 0),
        ("save_every", 0),
        ("count", 0),
        ("count", 2**31),
        ("patience", 0),
        ("seed", -1),
        ("tol", -1.0),
        ("tol", float("nan")),
        ("source.width", -1),
        ("source.scale", -0.5),
        ("source.background", (1.0, 1.0)),
        ("source.background", (1.0, 1.0, 2.0)),
        ("output.format", "gif"),
        ("output.bits", 12),
        ("terms.gram.weight", float("inf")),
        ("terms.gram.layers", {"pixels": "much"}),
        ("terms.gram.octave_weights", (1.0, float("nan"))),
    ],
)
def test_impossible_values_are_refused(key: str, value: Any):
    config = configs.load("random:tiny")
    checks.values(config)
    group, _, last = key.rpartition(".")
    at = config
    for part in filter(None, group.split(".")):
        at = at[part]
    with at.unlocked():
        at[last] = value
    with pytest.raises(errors.TexjaxError):
        checks.values(config)


def test_jpeg_has_no_16_bits():
    config = configs.load("random:tiny", ["--config.output.format=jpg", "--config.output.bits=16"])
    with pytest.raises(errors.TexjaxError, match=r"output\.bits is 16, and jpg files have 8"):
        checks.values(config)
