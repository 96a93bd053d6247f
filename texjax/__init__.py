"""Neural texture synthesis with JAX: from pictures of a texture to new pictures, any size, with the same look."""

__version__ = "0.2.0"
