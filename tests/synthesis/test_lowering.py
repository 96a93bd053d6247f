"""The program of every config lowers for GPU and TPU, on any machine."""

import functools
from typing import Any

import jax
import numpy as np
import pytest
from jax import export

from tests import test_configs
from texjax import config as configs
from texjax.synthesis import build
from texjax.synthesis import pictures as exemplar_pictures

QUICK = {"texture"}


def shape(*sides: int) -> jax.ShapeDtypeStruct:
    return jax.ShapeDtypeStruct(sides, np.float32)


@pytest.mark.parametrize(
    "name", [pytest.param(n, marks=[pytest.mark.slow] * (n not in QUICK)) for n in configs.names()]
)
def test_lowers(name: str, request):
    words = []
    if name in test_configs.WEIGHTS:
        words = [f"--config.features.weights={request.getfixturevalue('test_data') / test_configs.WEIGHTS[name]}"]
    config = configs.load(f"{name}:tiny", words)
    parts, (width, height) = build.parts(config), config.size
    pictures = {group: [np.zeros((height, width, 3), np.float32)] * n for group, n in (("content", 1), ("analogy", 3))}
    pictures["sources"] = [np.zeros((80, 80, 3), np.float32)]
    weights, targets = parts.extractor.weights, {}
    for exemplars in exemplar_pictures.distinct_exemplars(parts.terms, config.octaves):
        summarize = functools.partial(parts.objective.summarize, exemplars=exemplars)
        chosen = exemplar_pictures.exemplars(exemplars, pictures)
        summaries = [jax.eval_shape(summarize, weights, shape(*picture.shape)) for picture in chosen]
        targets |= jax.eval_shape(parts.objective.join, summaries)
    images = shape(config.count, config.frames, height, width, 3)
    keys = jax.eval_shape(lambda: jax.random.split(jax.random.key(0), config.count))
    state = jax.eval_shape(parts.program.empty, images, keys, weights, targets)
    run: Any = parts.program.run
    calls = [export.DisabledSafetyCheck.custom_call(name) for name in ("texjax_forward", "texjax_backward")]
    for platform in ("cuda", "tpu"):
        # The compiler's options are those of CPU, and do not concern lowering.
        program = export.export(run, platforms=[platform], disabled_checks=calls)(
            images, state, keys, True, 0, 0, weights, targets
        )
        text = program.mlir_module()
        assert "convolution" in text and "texjax_forward" not in text
