"""Image files <-> images in memory. No other package of texjax decodes or encodes image files."""

from texjax.images.files import EXTENSIONS, MAX_PIXELS, load, read_text, resize, save, sources

__all__ = ["EXTENSIONS", "MAX_PIXELS", "load", "read_text", "resize", "save", "sources"]
