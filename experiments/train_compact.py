"""Train the compact network that texjax ships: VGG-19's first blocks, distilled into a fraction of their widths.

    python experiments/train_compact.py PHOTOGRAPHS VGG19_WEIGHTS OUT_DIR [--config configs/training/compact.py:tiny]
        [--config.KEY=VALUE ...]

OUT_DIR holds the checkpoints, from which an interrupted training goes on, `metrics.jsonl`, and at the end
`compact.safetensors`: the weights.
"""

import argparse
import json
import time
from pathlib import Path
from typing import Any

import distillation
import jax
import jax.numpy as jnp
import numpy as np
import optax
import rich.progress
from orbax.checkpoint import v1 as ocp

from texjax import config as configs
from texjax import images
from texjax.features.weights import catalog, files, normalization
from texjax.synthesis import loop

SIDE = 288  # of the photographs' center crops in pixels


def photographs(folder: Path) -> jax.Array:
    """Center crops as uint8 [n, SIDE, SIDE, 3]; pictures that are smaller are stretched."""
    out = []
    for path in rich.progress.track(images.sources(folder), "reading"):
        picture = images.load(path)
        y, x = ((side - SIDE) // 2 for side in picture.shape[:2])
        if min(y, x) < 0:
            picture, y, x = np.asarray(jax.image.resize(picture, (SIDE, SIDE, 3), "linear")), 0, 0
        out.append(np.round(picture[y : y + SIDE, x : x + SIDE] * 255).astype(np.uint8))
    return jnp.stack(out)


def finish(path: Path, params: Any, teacher: Path, mean: Any, config: Any) -> None:
    """Write the student as a weight file.

    Its losses are to see what the teacher's see, of normalized channels: F P for features F and projection P. The
    readout (P P^T)^(1/2) gives the same inner products, and so the same distances of Gram matrices, in fewer channels.
    """
    layers: Any = {"mean": np.asarray(mean), **jax.tree.map(np.asarray, params["student"])}
    for name, projection in params["projections"].items():
        values, vectors = np.linalg.eigh(np.asarray(projection @ projection.T, np.float64))
        layers[name]["readout"] = (vectors * np.sqrt(np.maximum(values, 0))) @ vectors.T
    metadata = {
        "network": "vgg19",
        "preprocessing": "none",
        "normalized": "photographs",
        "teacher": teacher.name,
        "teacher_sha256": catalog.digest(teacher),
        "training": json.dumps(config.to_dict()),
    }
    files.write(path, layers, metadata)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("photographs", type=Path, help="folder of pictures")
    parser.add_argument("teacher", type=Path, help="weight file of VGG-19")
    parser.add_argument("output", type=Path, help="folder to write")
    parser.add_argument("--config", default="configs/training/compact.py")
    args, overrides = parser.parse_known_args()
    config = configs.load(args.config, overrides)
    weights = files.read(args.teacher)
    teacher = weights.layers
    if weights.metadata["normalized"] == "none":
        teacher = normalization.rescale(teacher, normalization.shipped_means("vgg19", teacher))
    photos = photographs(args.photographs)
    schedule = optax.warmup_cosine_decay_schedule(0.0, config.learning_rate, config.warmup, config.steps)
    init, step = distillation.training(teacher, schedule, config)
    step = loop.compiled(step)
    state = jax.jit(init)(jax.random.key(config.seed), photos)
    args.output.mkdir(parents=True, exist_ok=True)
    with (
        ocp.training.Checkpointer((args.output / "checkpoints").absolute()) as checkpointer,
        open(args.output / "metrics.jsonl", "a") as log,
        rich.progress.Progress() as progress,
    ):
        if checkpointer.latest is not None:
            state = checkpointer.load(checkpointer.latest, state)
        bar = progress.add_task("training", total=config.steps, completed=int(state.step))
        seen, begin = {}, time.perf_counter()
        while state.step < config.steps:
            state, metrics = step(state, jax.random.key(config.seed + 1), photos)
            for name, value in metrics.items():
                seen.setdefault(name, []).append(float(value))
            progress.advance(bar)
            done = int(state.step)
            if done % config.save_every == 0 or done == config.steps:
                row = {name: float(f"{np.mean(values):.5g}") for name, values in seen.items()}
                print(
                    json.dumps({"step": done, "seconds": round(time.perf_counter() - begin), **row}),
                    file=log,
                    flush=True,
                )
                checkpointer.save(done, state)
                seen = {}
    finish(args.output / "compact.safetensors", state.params, args.teacher, teacher["mean"], config)


if __name__ == "__main__":
    main()
