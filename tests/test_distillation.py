"""The training of the compact network: its losses by hand, its batches, and the whole of it in small."""

import json
import subprocess
import sys
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from PIL import Image

from experiments import distillation
from texjax import features

ROOT = Path(__file__).parent.parent


def random_images(seed: int, n: int, side: int) -> np.ndarray:
    return np.random.default_rng(seed).random((n, side, side, 3)).astype(np.float32)


def test_relative_error_by_hand():
    targets = np.zeros((2, 1, 2), np.float32)
    targets[0, 0], targets[1, 0] = (3, 4), (0, 5)  # squared sizes 25 and 25
    values = targets.copy()
    values[0, 0, 0] += 2
    error = float(distillation.relative(jnp.asarray(values), jnp.asarray(targets)))
    assert error == pytest.approx((4 / (25 + 2.5) + 0) / 2, rel=1e-6)


@pytest.mark.parametrize("projected", [False, True])
def test_gram_slopes_against_the_formula(projected: bool):
    """With F = image: d log E / dF = 4 F A D A / (pixels E), D = F^T F / pixels - T, E = tr(D A D A), A = P P^T."""
    images, sources = random_images(0, 2, 5), random_images(1, 2, 5)
    projection = random_images(2, 1, 4)[0, 0].T if projected else np.eye(3, dtype=np.float32)  # 3 channels to 4
    metric = projection @ projection.T
    weights = np.zeros((2, len(distillation.MATCHED)), np.float32)
    weights[0, 1] = weights[1, 0] = 1

    def identity(x: jax.Array) -> dict[str, jax.Array]:
        return {name: x for name in distillation.MATCHED}

    metrics = identity(jnp.asarray(metric))
    gram_slopes = jax.jit(lambda x, s: distillation.gram_slopes(identity, x, s, jnp.asarray(weights), metrics))
    slopes = gram_slopes(jnp.asarray(images), jnp.asarray(sources))
    for image, source, slope in zip(images.astype(np.float64), sources.astype(np.float64), slopes, strict=True):
        flat, target = image.reshape(25, 3), source.reshape(25, 3)
        difference = (flat.T @ flat - target.T @ target) / 25
        error = np.sum((projection.T @ difference @ projection) ** 2)
        expected = 4 * flat @ metric @ difference @ metric / 25 / error
        np.testing.assert_allclose(slope.reshape(25, 3), expected, rtol=2e-3, atol=1e-3 * np.abs(expected).max())


def test_crops_hold_what_the_photographs_hold():
    """Half of the crops are not recolored; photographs of one color each give crops of one of these colors."""
    colors = np.array([[10, 200, 30], [250, 20, 120]], np.uint8)
    photos = jnp.asarray(np.broadcast_to(colors[:, None, None], (2, 40, 40, 3)))
    crops = np.asarray(jax.jit(distillation.crops, static_argnums=(2, 3))(jax.random.key(0), photos, 64, 16))
    assert crops.shape == (64, 16, 16, 3) and crops.min() >= 0 and crops.max() <= 1
    means = crops.mean((1, 2))
    assert np.ptp(crops, axis=(1, 2)).max() < 1e-5
    unchanged = np.abs(means[:, None] - colors[None] / 255).max(-1).min(-1) < 1e-5
    assert 16 <= unchanged.sum() <= 48


def test_noise_is_on_half_of_the_images():
    images = np.full((200, 8, 8, 3), 0.5, np.float32)
    noisy = np.asarray(jax.jit(distillation.noisy)(jax.random.key(0), jnp.asarray(images)))
    changed = np.abs(noisy - images).max((1, 2, 3)) > 0
    assert 70 <= changed.sum() <= 130
    assert noisy[changed].std((1, 2, 3)).max() > 0.2 and noisy.min() >= 0 and noisy.max() <= 1


@pytest.mark.slow
def test_tiny_training_lowers_its_loss_and_writes_weights(tmp_path: Path, random_vgg19: Path):
    for i, picture in enumerate(random_images(3, 3, 32)):
        smooth = np.kron(picture[:8, :8], np.ones((40, 40, 1)))
        Image.fromarray(np.uint8(255 * smooth)).save(tmp_path / f"{i}.png")
    command = [sys.executable, "experiments/train_compact.py", tmp_path, random_vgg19, tmp_path / "out"]
    command += ["--config", "configs/training/compact.py:tiny"]
    process = subprocess.run([*map(str, command)], cwd=ROOT, capture_output=True, text=True)
    assert process.returncode == 0, process.stderr[-2000:]
    rows = [json.loads(line) for line in (tmp_path / "out" / "metrics.jsonl").read_text().splitlines()]
    assert rows[-1]["step"] == 30
    assert rows[-1]["features"] < 0.92 * rows[0]["features"]
    extractor = features.compact(weights=str(tmp_path / "out" / "compact.safetensors"))
    assert extractor.layers[-1] in ("conv3_4", "pool3")
    assert [extractor.weights[name]["bias"].size for name in ("conv1_1", "conv2_1", "conv3_4")] == [4, 8, 8]
