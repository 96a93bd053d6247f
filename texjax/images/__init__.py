"""Image files <-> images in memory. No other package of texjax decodes or encodes image files."""

from texjax.images.files import EXTENSIONS, MAX_PIXELS, load, load_with_alpha, read_text, resize, shape, sources
from texjax.images.saving import save

__all__ = ["EXTENSIONS", "MAX_PIXELS", "load", "load_with_alpha", "read_text", "resize", "save", "shape", "sources"]
