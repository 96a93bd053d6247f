"""How sources are padded where they are analyzed: by what the output and the sources are."""

import numpy as np
import pytest

from texjax import config as configs
from texjax.runs import suiting

WAVE = 0.5 + 0.2 * np.sin(2 * np.pi * np.arange(64) / 64)
TILE = np.broadcast_to(WAVE[None, :, None] * WAVE[:, None, None], (64, 64, 3)).astype(np.float32)
CUT = TILE[:, :49]  # from 0.5 to 0.3, times a wave


@pytest.mark.parametrize(
    ("spec", "words", "sources", "expected"),
    [
        ("random:tiny", [], [TILE], ("circular", "circular")),
        ("random:tiny", [], [CUT], ("reflect", "reflect")),
        ("random:tiny", [], [TILE, CUT], ("reflect", "reflect")),
        ("random:tiny", ["--config.source.padding=reflect"], [TILE], ("reflect", "reflect")),
        ("random:tiny", ["--config.source.padding=circular"], [CUT], ("circular", "circular")),
        ("random:tiny", ["--config.source.padding=same"], [CUT], ("same", "reflect")),
        ("random:tiny", ["--config.features.padding=valid", "--config.pyramid.padding=valid"], [TILE], ("valid",) * 2),
        ("random:tiny", ["--config.pyramid.padding=valid"], [CUT], ("circular", "valid")),
        ("snelgrove", ["--config.features.padding=same"], [TILE], ("same", "valid")),
    ],
)
def test_padding_of_the_analysis(spec: str, words: list[str], sources: list[np.ndarray], expected: tuple[str, str]):
    config = suiting.with_padding(configs.load(spec, words), sources)
    assert configs.source_padding(config) == expected
