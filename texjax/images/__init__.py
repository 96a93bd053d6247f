"""Files <-> images in memory. Nothing else in texjax reads or writes a picture."""

from texjax.images.files import EXTENSIONS, MAX_PIXELS, load, read_text, save, sources

__all__ = ["EXTENSIONS", "MAX_PIXELS", "load", "read_text", "save", "sources"]
