"""Train the compact network that texjax ships: VGG-19's first blocks, distilled into a fraction of their widths.

    python experiments/train_compact.py PHOTOGRAPHS VGG19_WEIGHTS OUT_DIR [--config configs/training/compact.py:tiny]
        [--config.KEY=VALUE ...]

OUT_DIR gets `metrics.jsonl`, checkpoints, from which an interrupted training goes on, and at the end the weights,
`compact.safetensors`.
"""

import argparse
import json
import time
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
import rich.progress
from orbax.checkpoint import v1 as ocp

from experiments import distillation
from texjax import config as configs
from texjax import images
from texjax.features.weights import catalog, files, normalization
from texjax.synthesis import steps

SIDE = 288  # pixels of the photographs' center crops


def photographs(folder: Path) -> jax.Array:
    """Read the center crops of photographs, uint8 [n, SIDE, SIDE, 3]; pictures that are smaller are stretched."""
    crops = []
    for path in rich.progress.track(images.sources(folder), "reading"):
        picture = images.load(path)
        y, x = ((side - SIDE) // 2 for side in picture.shape[:2])
        if min(y, x) < 0:
            picture, y, x = np.asarray(jax.image.resize(picture, (SIDE, SIDE, 3), "linear")), 0, 0
        crops.append(np.round(picture[y : y + SIDE, x : x + SIDE] * 255).astype(np.uint8))
    return jnp.stack(crops)


def normalized(teacher: Path) -> dict[str, Any]:
    """Read the teacher's weights, and normalize their channels unless the file says that they are normalized."""
    weights = files.read(teacher)
    if weights.metadata["normalized"] != "none":
        return weights.layers
    return normalization.rescale(weights.layers, normalization.shipped_means("vgg19", weights.layers))


def train(teacher: dict[str, Any], photos: jax.Array, output: Path, config: Any) -> distillation.State:
    """Train from the last checkpoint in the folder, or from the start; write metrics and checkpoints."""
    schedule = optax.warmup_cosine_decay_schedule(0.0, config.learning_rate, config.warmup, config.steps)
    init, step = distillation.training(teacher, schedule, config)
    step = steps.compiled(step)
    state = jax.jit(init)(jax.random.key(config.seed), photos)
    with (
        ocp.training.Checkpointer(str((output / "checkpoints").absolute())) as checkpointer,
        open(output / "metrics.jsonl", "a") as log,
        rich.progress.Progress() as progress,
    ):
        if checkpointer.latest is not None:
            state = checkpointer.load(checkpointer.latest, state)
        bar = progress.add_task("training", total=config.steps, completed=int(state.step))
        losses_since_saving, begin = {}, time.perf_counter()
        while state.step < config.steps:
            state, losses = step(state, jax.random.key(config.seed + 1), photos)
            for name, value in losses.items():
                losses_since_saving.setdefault(name, []).append(float(value))
            progress.advance(bar)
            count = int(state.step)
            if count % config.save_every == 0 or count == config.steps:
                means = {name: float(f"{np.mean(values):.5g}") for name, values in losses_since_saving.items()}
                row = {"step": count, "seconds": round(time.perf_counter() - begin), **means}
                print(json.dumps(row), file=log, flush=True)
                checkpointer.save(count, state)
                losses_since_saving = {}
    return state


def finish(path: Path, params: Any, teacher: Path, mean: Any, config: Any) -> None:
    """Write the student as a weight file.

    Losses shall see in the student what they see in the teacher, the normalized channels F P of features F and a
    projection P. The readout (P P^T)^(1/2) gives the same inner products as P, and so the same distances of Gram
    matrices, in fewer channels.
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
    teacher, photos = normalized(args.teacher), photographs(args.photographs)
    args.output.mkdir(parents=True, exist_ok=True)
    state = train(teacher, photos, args.output, config)
    finish(args.output / "compact.safetensors", state.params, args.teacher, teacher["mean"], config)


if __name__ == "__main__":
    main()
