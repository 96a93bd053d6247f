"""Texture synthesis without networks, to compare with: methods that copy pixels or blocks, and one of statistics.

    python -m experiments.baselines METHOD SOURCE OUT [--size 128 128] [--seed 0]

Every method is a function (source, size, seed) -> picture. The source and the picture are float32 [h, w, 3], sRGB in
[0, 1], the size is (height, width) of the picture, and the seed alone decides what random numbers are drawn.
"""

import argparse
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import numpy as np
from scipy import ndimage

from texjax import errors, images
from texjax.images import colors
from texjax.images import quilting as quilts

Size = tuple[int, int]  # height, width
ROUNDING = 1e-9  # of the mean squares that matrix products compute


def efros_leung(source: np.ndarray, size: Size, seed: int, *, window: int = 11) -> np.ndarray:
    """Return a picture grown pixel by pixel: Efros and Leung 1999, ICCV, doi 10.1109/ICCV.1999.790383.

    From a random 3 x 3 piece of the source in the middle, each pass fills the pixels that have filled neighbors, those
    with most filled pixels in their window first. A pixel is that in the middle of a window of the source, drawn from
    all whose error is at most 1.1 times the least. The error is the mean squared difference from the filled pixels,
    weighted by a Gaussian of deviation window / 6.4. A pixel whose error is above a limit, 0.3 in the beginning, waits,
    and the limit grows by a tenth where a pass fills nothing.

    Pixels of a pass that do not see each other are filled at the same time, by one matrix product: 128 x 128 pixels
    from as many take some 16 seconds.

    window: side in pixels, an odd number.

    Raises TexjaxError for a window that is even, less than 3, or larger than the source.
    """
    if window % 2 == 0 or not 3 <= window <= min(source.shape[:2]):
        raise errors.TexjaxError(
            f"The window of efros_leung is {window}; give an odd number from 3 to the source's shorter side, "
            f"{min(source.shape[:2])}."
        )
    rng, radius = np.random.default_rng(seed), window // 2
    bank = Bank(source, window)
    picture, filled = _seeded(source, size, radius, rng)
    limit = 0.3
    while not filled[radius:-radius, radius:-radius].all():
        progress = False
        for group in apart(_border(filled, radius, rng), radius):
            at = tuple(group.T)
            values, costs = bank.draw(_patches(picture, at, radius), _patches(filled, at, radius), rng)
            accepted = costs < limit
            rows, columns = group[accepted].T
            picture[rows, columns], filled[rows, columns] = values[accepted], True
            progress |= accepted.any()
        limit *= 1 if progress else 1.1
    return picture[radius:-radius, radius:-radius]


class Bank:
    """All windows of a source, as rows of matrices."""

    def __init__(self, source: np.ndarray, window: int) -> None:
        views = np.lib.stride_tricks.sliding_window_view(source, (window, window), (0, 1))
        self.centers = source[window // 2 :, window // 2 :][: views.shape[0], : views.shape[1]].reshape(-1, 3)
        self.windows = np.moveaxis(views, 2, -1).reshape(len(self.centers), -1).astype(np.float64)  # [n, pixels * 3]
        self.powers = (self.windows.reshape(len(self.centers), -1, 3) ** 2).sum(-1)  # [n, pixels]
        offsets = np.arange(window) - window // 2
        gauss = np.exp(-(offsets**2) / 2 / (window / 6.4) ** 2)
        self.weights = (gauss[:, None] * gauss[None]).ravel()

    def draw(self, patches: np.ndarray, filled: np.ndarray, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
        """Draw values for the middle pixels of patches, from windows whose errors are within 1.1 of the least.

        patches: [k, pixels, 3], `filled` [k, pixels] in part. Returns the values [k, 3] and their windows' errors [k].
        """
        weights = self.weights * filled
        weights = weights / weights.sum(1, keepdims=True) / 3
        weighted = weights[..., None] * patches
        products = self.powers @ weights.T - 2 * self.windows @ weighted.reshape(len(patches), -1).T
        costs = np.maximum(products + (weighted * patches).sum((1, 2)), 0)
        candidates = costs <= 1.1 * costs.min(0) + ROUNDING
        chosen = [rng.choice(np.flatnonzero(column)) for column in candidates.T]
        return self.centers[chosen], costs[chosen, np.arange(len(chosen))]


def _seeded(source: np.ndarray, size: Size, radius: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """The empty picture with a margin of `radius`, and where it is filled: with a piece of the source in the middle."""
    picture = np.zeros((size[0] + 2 * radius, size[1] + 2 * radius, 3), source.dtype)
    filled = np.zeros(picture.shape[:2], bool)
    sides = [min(3, side) for side in size]
    top, left = (rng.integers(source.shape[i] - sides[i] + 1) for i in (0, 1))
    rows, columns = (slice(begin := radius + (size[i] - sides[i]) // 2, begin + sides[i]) for i in (0, 1))
    picture[rows, columns] = source[top : top + sides[0], left : left + sides[1]]
    filled[rows, columns] = True
    return picture, filled


def _border(filled: np.ndarray, radius: int, rng: np.random.Generator) -> np.ndarray:
    """The empty pixels [n, 2] beside filled ones, those with most filled pixels in their window first."""
    border = ndimage.binary_dilation(filled, np.ones((3, 3))) & ~filled
    inside = np.pad(np.ones(np.array(filled.shape) - 2 * radius, bool), radius)
    pixels = rng.permutation(np.argwhere(border & inside))
    counts = _patches(filled, tuple(pixels.T), radius).sum(1)
    return pixels[np.argsort(-counts, kind="stable")]


def _patches(array: np.ndarray, at: tuple[np.ndarray, ...], radius: int) -> np.ndarray:
    """The windows [k, pixels, ...] of an array about pixels."""
    offsets = np.arange(-radius, radius + 1)
    rows = at[0][:, None, None] + offsets[:, None]
    columns = at[1][:, None, None] + offsets
    return array[rows, columns].reshape(len(rows), len(offsets) ** 2, *array.shape[2:])


def apart(pixels: np.ndarray, radius: int) -> Iterator[np.ndarray]:
    """Yield groups of pixels that are further apart than the radius, so that they do not see each other."""
    while len(pixels):
        free, taken = np.ones(len(pixels), bool), []
        for i, pixel in enumerate(pixels):
            if free[i]:
                taken.append(i)
                free &= np.abs(pixels - pixel).max(1) > radius
        yield pixels[taken]
        pixels = np.delete(pixels, taken, 0)


def quilting(source: np.ndarray, size: Size, seed: int, *, block: int = 32) -> np.ndarray:
    """Return a quilt of the source, see `texjax.images.quilting`."""
    return quilts.quilt([source], size, np.random.default_rng(seed), block=block)


SMALLEST = 128  # pixels, for `portilla_simoncelli`, whose coarsest scale has to be larger than its 7 x 7 lags


def portilla_simoncelli(source: np.ndarray, size: Size, seed: int, *, iterations: int = 100) -> np.ndarray:
    """Return a gray picture with the statistics of Portilla and Simoncelli 2000, IJCV, doi 10.1023/A:1026553619983.

    By the package plenoptic (the extra `baselines`), with the loss, the optimizer and the settings that its
    documentation advises, on one thread, which is faster than several. It has no model of color: the source becomes
    gray, and the result has three equal channels. The statistics are those of the source's upper left part of the
    result's size, because the model belongs to one size.

    Raises TexjaxError where plenoptic is missing, for a source smaller than the result, and for sides that its four
    scales do not divide or are too small for the coarsest one.
    """
    try:
        import plenoptic
        import torch
    except ImportError as error:
        raise errors.TexjaxError(
            "plenoptic is not installed; install the extra: pip install texjax[baselines]."
        ) from error
    if any(side % 16 or side < SMALLEST for side in size) or any(
        a < b for a, b in zip(source.shape, size, strict=False)
    ):
        raise errors.TexjaxError(
            f"The size of portilla_simoncelli is {size[1]} x {size[0]}; give multiples of 16, at least {SMALLEST}, up "
            f"to the source's {source.shape[1]} x {source.shape[0]}."
        )
    torch.set_num_threads(1)
    torch.manual_seed(seed)
    gray = source[: size[0], : size[1]] @ np.array(colors.LUMINANCE)
    image = torch.from_numpy(gray)[None, None]
    model = plenoptic.models.PortillaSimoncelli(size).to(image.dtype)
    loss = plenoptic.loss.portilla_simoncelli_loss_factory(model, image)
    metamer = plenoptic.Metamer(image, model, loss_function=loss)
    # From uniform noise the mean would still be far off after a hundred steps.
    start = image.mean() + 0.1 * (torch.rand_like(image) - 0.5)
    line_search = {"max_iter": 10, "max_eval": 10, "history_size": 100, "line_search_fn": "strong_wolfe", "lr": 1}
    metamer.setup(initial_image=start, optimizer=torch.optim.LBFGS, optimizer_kwargs=line_search)
    metamer.synthesize(max_iter=iterations)
    result = metamer.metamer.detach().numpy()[0, 0].clip(0, 1).astype(np.float32)
    return np.repeat(result[..., None], 3, axis=2)


BASELINES: dict[str, Callable[[np.ndarray, Size, int], np.ndarray]] = {
    method.__name__: method for method in (efros_leung, quilting, portilla_simoncelli)
}


def main(arguments: Sequence[str] | None = None) -> None:
    """Write the picture that a method makes of a source."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("method", choices=BASELINES)
    parser.add_argument("source", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--size", type=int, nargs=2, default=(128, 128), metavar=("WIDTH", "HEIGHT"))
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args(arguments)
    width, height = args.size
    images.save(args.out, BASELINES[args.method](images.load(args.source), (height, width), args.seed))


if __name__ == "__main__":
    main()
