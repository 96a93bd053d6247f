"""Pictures in a notebook: as JPEGs, which keep its file small, and enlarged by the browser alone."""

import io
from collections.abc import Sequence

import numpy as np
from IPython import display
from PIL import Image

GAP = 6  # pixels of white to the right of every picture and below it
QUALITY = 92


def row(*images: np.ndarray, zoom: float = 2) -> None:
    """Show images [h, w, 3], sRGB in [0, 1], beside each other, each of their pixels `zoom` pixels wide."""
    rows([images], zoom=zoom)


def rows(table: Sequence[Sequence[np.ndarray]], *, zoom: float = 2) -> None:
    """Show rows of images below each other, as a contact sheet. The images may differ in size."""
    strips = []
    for images in table:
        height = max(len(image) for image in images)
        strips.append(np.hstack([_filled(image, height + GAP, image.shape[1] + GAP) for image in images]))
    width = max(strip.shape[1] for strip in strips)
    sheet = np.vstack([_filled(strip, len(strip), width) for strip in strips])
    file = io.BytesIO()
    pixels = (255 * sheet.clip(0, 1)).round().astype(np.uint8)
    Image.fromarray(pixels).save(file, "jpeg", quality=QUALITY, subsampling=0)
    display.display(display.Image(file.getvalue(), format="jpeg", width=round(zoom * width)))


def _filled(image: np.ndarray, height: int, width: int) -> np.ndarray:
    """The image with white to the right and below, up to this size."""
    missing = ((0, height - image.shape[0]), (0, width - image.shape[1]), (0, 0))
    return np.pad(np.asarray(image, np.float32), missing, constant_values=1)
