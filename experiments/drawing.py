"""Tools to draw procedural materials with: noise, cells, colors and light, on fields that tile in both directions.

Lengths are fractions of the side of a field, called sides below. Heights are in units where a slope of 1 is 45 degrees.
"""

import zlib
from collections.abc import Sequence

import numpy as np
from scipy import spatial

Rng = np.random.Generator
Field = np.ndarray  # [n, n], periodic


def rng_of(name: str, seed: int) -> Rng:
    """Return a material's own random number generator, as equal seeds shall not give equal noise everywhere."""
    return np.random.default_rng([seed, zlib.crc32(name.encode())])


def noise(rng: Rng, n: int, fall: float = 1.5, low: float = 0, high: float = 1e9, stretch: float = 1) -> Field:
    """Return Gaussian noise of mean 0 and deviation 1 whose amplitude falls as frequency ** -fall between two limits.

    Args:
        rng: random numbers.
        n: pixels on each side.
        fall: see above.
        low: the lower limit in cycles per side.
        high: the upper limit in cycles per side.
        stretch: how many times longer than wide the forms of the noise are; below 1, they lie.
    """
    f = np.fft.fftfreq(n, 1 / n)
    r = np.hypot(f[:, None] * np.sqrt(stretch), f[None] / np.sqrt(stretch))
    r[0, 0] = np.inf
    band = r**-fall * np.exp(-((r / high) ** 2)) * (1 - np.exp(-((r / max(low, 1e-3)) ** 4)))
    field = np.fft.ifft2(np.fft.fft2(rng.standard_normal((n, n))) * band).real
    return field / field.std()


def blur(field: Field, sigma: float) -> Field:
    """Blur a field by a Gaussian of deviation `sigma` in sides."""
    f = np.fft.fftfreq(len(field), 1 / len(field))
    gain = np.exp(-2 * (np.pi * sigma) ** 2 * (f[:, None] ** 2 + f[None] ** 2))
    return np.real(np.fft.ifft2(np.fft.fft2(field) * gain))


def grid(n: int) -> tuple[Field, Field]:
    """Return the coordinates y and x of the pixel centers, in sides."""
    centers = (np.arange(n) + 0.5) / n
    return np.repeat(centers[:, None], n, 1), np.repeat(centers[None], n, 0)


def scatter(rng: Rng, count: int, tries: int = 12) -> np.ndarray:
    """Return points [count, 2] in the unit square that lie evenly, but not regularly.

    Each point is the one, of a few tries, that is farthest from the points before it.
    """
    points = rng.random((1, 2))
    for _ in range(count - 1):
        candidates = rng.random((tries, 2))
        gap = np.abs(candidates[:, None] - points[None])
        gap = np.minimum(gap, 1 - gap)
        points = np.vstack([points, candidates[(gap**2).sum(-1).min(1).argmax()]])
    return points


def worley(
    y: Field, x: Field, points: np.ndarray, weight: Field | float = 0, stretch: float = 1, soft: float = 1e-4
) -> tuple[Field, Field, Field]:
    """Return, for each pixel, the distance to the nearest point, that to the border of its cell, and its index.

    Args:
        y: coordinates of the pixels, in sides.
        x: coordinates of the pixels, in sides.
        points: [count, 2], one in each cell.
        weight: how far a point pushes its borders out, in sides.
        stretch: how many times longer than wide the cells are.
        soft: radius of the cells' corners, in sides.
    """
    box = np.array([1 / stretch, 1])
    tree = spatial.KDTree(points * box, boxsize=box)
    distances, indices = tree.query(np.stack([y % 1, x % 1], -1) * box, k=6)
    distances = distances - np.broadcast_to(weight, len(points))[indices]
    order = np.argsort(distances, -1)
    distances, indices = (np.take_along_axis(values, order, -1) for values in (distances, indices))
    # All neighbors push: where two are equally near, at a corner, the border lies further in.
    gaps = (distances[..., 1:2] - distances[..., 1:]) / soft
    second = distances[..., 1] - soft * np.log(np.exp(gaps).sum(-1))
    return distances[..., 0], (second - distances[..., 0]) / 2, indices[..., 0]


def smooth(low: float, high: float, value: Field) -> Field:
    """Return a soft step of the value: 0 below `low`, 1 above `high`."""
    t = np.clip((value - low) / (high - low), 0, 1)
    return t * t * (3 - 2 * t)


def colors(table: Sequence[str]) -> np.ndarray:
    """Convert hexadecimal sRGB colors to linear light, [len, 3]; colors are mixed in linear light everywhere."""
    return (np.array([[int(code[i : i + 2], 16) for i in (0, 2, 4)] for code in table]) / 255) ** 2.2


def ramp(value: Field, table: Sequence[str]) -> np.ndarray:
    """Return colors [..., 3] along a table, for values [...] from 0, its beginning, to 1, its end."""
    stops = np.linspace(0, 1, len(table))
    return np.stack([np.interp(value, stops, channel) for channel in colors(table).T], -1)


def mix(below: np.ndarray, above: np.ndarray, cover: Field) -> np.ndarray:
    """Lay colors over others; cover: 0 where the colors below are seen, 1 where those above are."""
    return below + (above - below) * cover[..., None]


def light(albedo: np.ndarray, height: Field, gloss: float = 0.0, hollow: float = 0.02) -> np.ndarray:
    """Light a surface by a sun from the upper left and a sky from above, and return it in sRGB at half the size.

    Args:
        albedo: [n, n, 3], linear.
        height: in sides. Hollows get less of the sky.
        gloss: strength of the sun's reflection.
        hollow: how wide around a point its neighbors shade it, in sides.
    """
    n = len(height)
    dy = (np.roll(height, -1, 0) - np.roll(height, 1, 0)) * n / 2
    dx = (np.roll(height, -1, 1) - np.roll(height, 1, 1)) * n / 2
    length = np.sqrt(dy * dy + dx * dx + 1)
    sun = np.array([0.45, 0.40, 0.80]) / np.linalg.norm([0.45, 0.40, 0.80])
    direct = np.clip((dy * sun[0] + dx * sun[1] + sun[2]) / length, 0, None) / sun[2]
    sky = np.exp(np.clip((height - blur(height, hollow)) / hollow, -1.2, 0.2) * 2) * (0.5 + 0.5 / length)
    half = np.array([sun[0], sun[1], sun[2] + 1])
    shine = np.clip((dy * half[0] + dx * half[1] + half[2]) / length / np.linalg.norm(half), 0, 1) ** 40
    lit = albedo * (direct[..., None] * [0.73, 0.71, 0.67] + sky[..., None] * [0.30, 0.31, 0.34])
    lit = np.clip(lit + (gloss * shine * sky)[..., None], 0, None)
    lit = lit.reshape(n // 2, 2, n // 2, 2, 3).mean((1, 3))
    lit = np.where(lit > 0.7, 1 - 0.3 * np.exp(-(lit - 0.7) / 0.3), lit)  # soft shoulder, as of film: no clipped whites
    return np.clip(lit, 0, 1).astype(np.float32) ** np.float32(1 / 2.2)


def blur_down(field: Field, length: float) -> Field:
    """Smear a field downward, fading over `length` sides."""
    n = len(field)
    kernel = np.exp(-np.arange(n) / (length * n))
    return np.real(np.fft.ifft(np.fft.fft(field, axis=0) * np.fft.fft(kernel / kernel.sum())[:, None], axis=0))
