"""What a picture may hold: so many pixels, and values in a range whose scale is known."""

import numpy as np

from texjax import errors

# A picture that will be reduced may be decoded at a smaller size, if that is so many times the size in the end or more.
# The result then differs from that of the full size by 0.3 of 255 levels in the mean, and 2 levels at most, in JPEGs of
# photographs; at twice the size it is 2.5 levels in the mean.
REDUCTION_ROOM = 3


def check_size(subject: object, width: int, height: int, max_pixels: int | None) -> None:
    """Raise TexjaxError if a picture of this size has more than `max_pixels` pixels; None allows any number.

    Every decoder calls this before it decodes, as a small file can unpack to more than the memory holds.
    """
    if max_pixels is not None and width * height > max_pixels:
        raise errors.TexjaxError(
            f"{subject}: {width} x {height} = {width * height:,} pixels are more than the limit of {max_pixels:,}; "
            f"shrink the picture, or raise the limit by --config.source.max_pixels=N (in Python max_pixels=N) if you "
            f"trust it."
        )


def to_unit(values: np.ndarray, white: float | int, path: object, kind: str = "") -> np.ndarray:
    """Divide values by that of white, and return float32 in [0, 1].

    Args:
        values: Integers or floats of any shape.
        white: The value of white, such as 65535, or 1 for floats.
        path: The file, for the error.
        kind: What the values are, for the error: "gray ".

    Raises:
        TexjaxError: If a value is outside the range that such files use by convention, as its scale is then unknown.
    """
    low, high = (values.min(), values.max()) if values.size else (0, 0)
    if not (low >= 0 and high <= white):  # so that NaN is refused
        raise errors.TexjaxError(
            f"{path}: got {kind}values from {low:g} to {high:g}, possible are 0 to {white}; "
            f"scale them, or save a 16-bit PNG."
        )
    return (values.astype(np.float64 if values.dtype.itemsize > 2 else np.float32) / white).astype(np.float32)


def unpremultiplied(color: np.ndarray, alpha: np.ndarray) -> np.ndarray:
    """Return color [h, w, c] that was stored multiplied by alpha [h, w, 1], divided by it; 0 where alpha is 0."""
    return np.divide(color, alpha, out=np.zeros_like(color), where=alpha > 0).clip(0, 1)
