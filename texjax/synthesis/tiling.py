"""The sums of an objective, and their gradient, tile by tile: exactly those of the whole image, in a tile's memory.

What most losses measure adds over space (`types.Additive`). So the sums of the whole image are those of overlapping
crops in which each pixel of a layer counts once (`crops`); the distances are computed from the sums. On the way back
the gradient of the sums is known, and each tile is computed once more, with its share of the image's gradient. Octaves
are cut each for itself, and those that fit into a tile are not cut.
"""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax import custom_derivatives, lax
from jaxtyping import Array

from texjax import errors, types
from texjax.synthesis import crops, scene

Targets = Mapping[str, Mapping[str, Any]]  # {term: {layer: target}} of an octave


class Cut(NamedTuple):
    """How an octave is cut along its rows and its columns."""

    rows: crops.Axis
    columns: crops.Axis

    def count(self) -> int:
        """Return the number of tiles."""
        return len(self.rows.starts) * len(self.columns.starts)

    def place(self, number: Any) -> crops.Place:
        """Return where tile `number` lies; they are counted row by row."""
        return number // len(self.columns.starts), number % len(self.columns.starts)

    def outputs(self, grid: types.Grid, place: crops.Place) -> tuple[Array, Array]:
        """Return the rows [h', 1] and the columns [1, w'] of a tile's outputs of a layer, among those of the image."""
        rows, columns = (crops.outputs(axis, grid, at) for axis, at in zip(self, place, strict=True))
        return rows[:, None], columns[None]

    def masks(self, grids: Mapping[str, types.Grid], place: crops.Place, dtype: Any) -> types.Masks:
        """Return which outputs of each layer a tile owns, as numbers of that type."""
        return {
            layer: (
                crops.owned(self.rows, grid, place[0]).astype(dtype),
                crops.owned(self.columns, grid, place[1]).astype(dtype),
            )
            for layer, grid in grids.items()
        }


def needs_of(extractor: types.Extractor, pairs: Sequence[tuple[types.Term, str]]) -> list[crops.Need]:
    """Return what terms that add over tiles need at layers, for pairs of a term and a layer that it looks at."""
    return [
        crops.Need(extractor.grid(layer), term.loss.additive.halo, term.loss.additive.stride)
        for term, layer in pairs
        if term.loss.additive
    ]


def adds(term: types.Term, extractor: types.Extractor) -> bool:
    """Return whether a term's sums over the tiles of an output are those over the whole of it."""
    additive = term.loss.additive
    return additive is not None and (extractor.circular or not additive.circular)


def cut(setup: scene.Setup, octave: int, shape: Sequence[int], terms: Sequence[types.Term]) -> Cut | None:
    """Return how an octave [n, h, w, c] of this shape is cut for these terms, or None where it fits into a tile.

    Raises TexjaxError where the octave has to be cut and a term does not add over tiles, and where tiles are too small.
    """
    height, width = shape[1:3]
    layers = scene.layers_at(setup, terms, octave)
    here = [term for term in terms if layers[term.name]]
    if not setup.tile or max(height, width) <= setup.tile or not here:
        return None
    size = f"octave {setup.first_octave + octave} has {width} x {height} px, and tiles have {setup.tile} px"
    refused = [term.name for term in here if term.loss.additive is None]
    if refused:
        raise errors.TexjaxError(
            f"{size}, but the loss of term {' and '.join(refused)} does not add over tiles; raise --memory-budget or "
            f"--config.tile, make a smaller picture, or give the term octave_weights of 0 where it does not fit."
        )
    needs = needs_of(setup.extractor, [(term, layer) for term in here for layer in layers[term.name]])
    circular = setup.extractor.circular
    least = crops.smallest(needs, circular)
    if setup.tile < least:
        raise errors.TexjaxError(
            f"{size}, where the network and the terms need {least}; give --config.tile={least} or more."
        )
    return Cut(*(crops.axis(side, setup.tile, needs, circular) for side in (height, width)))


def measure(
    setup: scene.Setup,
    octave: int,
    tiles: Cut,
    terms: Sequence[types.Term],
    weights: types.Weights,
    level: scene.Level,
    targets: Targets,
) -> dict[str, dict[str, Any]]:
    """Return {term: {layer: sums}} of an octave; there is a gradient to the level alone.

    Raises TexjaxError where a term wraps around the picture and the network does not, and NotImplementedError where a
    gradient to the weights or the targets is asked for.
    """
    layers = scene.layers_at(setup, terms, octave)
    refused = [term.name for term in terms if layers[term.name] and not adds(term, setup.extractor)]
    if refused:
        raise errors.TexjaxError(
            f"octave {setup.first_octave + octave} is computed in tiles, but the loss of term {' and '.join(refused)} "
            f"adds over tiles only where the picture repeats; give --config.features.padding=circular, raise "
            f"--memory-budget or --config.tile, or give the term octave_weights of 0 where it does not fit."
        )
    grids = _grids(setup, terms, octave)

    def of_tile(tile: scene.Level, place: crops.Place, weights: types.Weights, targets: Targets) -> Any:
        views = scene.at_octave(setup, weights, tile, octave, terms, tiles.masks(grids, place, level.dtype))

        def sums(term: types.Term, layer: str, view: types.View) -> Any:
            assert term.loss.additive is not None
            target = targets[term.name][layer]
            if term.loss.additive.aligned:
                target = jax.tree.map(lambda whole: whole[tiles.outputs(grids[layer], place)], target)
            return term.loss.additive.measure(view, target)

        return {
            term.name: {layer: sums(term, layer, view) for layer, view in views[term.name].items()} for term in terms
        }

    @jax.custom_vjp
    def total(level: scene.Level, weights: types.Weights, targets: Targets) -> Any:
        def add(number: Any, sums: Any) -> Any:
            place = tiles.place(number)
            return jax.tree.map(jnp.add, sums, of_tile(crops.crop(level, *tiles, place), place, weights, targets))

        shapes = jax.eval_shape(lambda: of_tile(crops.crop(level, *tiles, (0, 0)), (0, 0), weights, targets))
        return lax.fori_loop(0, tiles.count(), add, _zeros(shapes))

    def forward(level: Any, weights: Any, targets: Any) -> Any:
        if any(leaf.perturbed for leaf in jax.tree.leaves((weights, targets))):
            raise NotImplementedError("sums over tiles have a gradient to the image alone.")
        values = jax.tree.map(lambda leaf: leaf.value, (level, weights, targets))
        return total(*values), values

    def backward(values: Any, cotangents: Any) -> Any:
        level, weights, targets = values
        cotangents = _instantiated(cotangents)

        def add(number: Any, gradient: scene.Level) -> scene.Level:
            place = tiles.place(number)
            pull = jax.vjp(lambda tile: of_tile(tile, place, weights, targets), crops.crop(level, *tiles, place))[1]
            return crops.add_crop(gradient, pull(cotangents)[0], *tiles, place)

        return lax.fori_loop(0, tiles.count(), add, jnp.zeros_like(level)), None, None

    total.defvjp(forward, backward, symbolic_zeros=True)
    return total(level, weights, targets)


def views(
    setup: scene.Setup, octave: int, tiles: Cut, terms: Sequence[types.Term], weights: types.Weights, level: scene.Level
) -> dict[str, dict[str, types.View]]:
    """Return the views of an octave as `scene.at_octave` does, assembled from tiles. They have no gradient."""
    grids = _grids(setup, terms, octave)

    def of_tile(place: crops.Place) -> dict[tuple[str, bool], Any]:
        """Moments, or features that are zero where another tile owns them, by layer and whether they are moments."""
        masks = tiles.masks(grids, place, level.dtype)
        seen = scene.at_octave(setup, weights, crops.crop(level, *tiles, place), octave, terms, masks)
        parts = {}
        for layer, view in (pair for of_term in seen.values() for pair in of_term.items()):
            if view.moments is not None:
                parts[layer, True] = view.moments
            else:
                assert view.mask is not None
                parts[layer, False] = jnp.where(view.mask[None, :, :, None] > 0, view.features, 0)
        return parts

    def whole(layer: str, tile: Any) -> Any:
        """Zeros for the moments, or else for the features of the whole octave."""
        if isinstance(tile, types.Moments):
            return _zeros(tile)
        sides = (grids[layer].size(side) for side in level.shape[1:3])
        return jnp.zeros((len(level), *sides, tile.shape[3]), tile.dtype)

    def added(layer: str, before: Any, part: Any, place: crops.Place) -> Any:
        if isinstance(part, types.Moments):
            return jax.tree.map(jnp.add, before, part)
        return before.at[:, *tiles.outputs(grids[layer], place)].add(part)

    def add(number: Any, before: dict[tuple[str, bool], Any]) -> dict[tuple[str, bool], Any]:
        place = tiles.place(number)
        return {at: added(at[0], before[at], part, place) for at, part in of_tile(place).items()}

    shapes: Any = jax.eval_shape(lambda: of_tile((0, 0)))
    wholes = lax.fori_loop(0, tiles.count(), add, {at: whole(at[0], tile) for at, tile in shapes.items()})

    def view(term: types.Term, layer: str, weight: float) -> types.View:
        empty = scene.without_features(setup.first_octave + octave, layer, weight)
        if term.loss.moments and (layer, True) in wholes:
            return empty._replace(moments=wholes[layer, True])
        return empty._replace(features=wholes[layer, False])

    places = scene.layers_at(setup, terms, octave)
    return {
        term.name: {layer: view(term, layer, weight) for layer, weight in places[term.name].items()} for term in terms
    }


def _grids(setup: scene.Setup, terms: Sequence[types.Term], octave: int) -> dict[str, types.Grid]:
    """The grids of all layers that the terms look at."""
    layers = scene.layers_at(setup, terms, octave).values()
    return {layer: setup.extractor.grid(layer) for of_term in layers for layer in of_term}


def _zeros(shapes: Any) -> Any:
    """Arrays of zeros with these shapes and types."""

    def zeros(shape: Any) -> Array:
        return jnp.zeros(shape.shape, shape.dtype)

    return jax.tree.map(zeros, shapes)


def _instantiated(cotangents: Any) -> Any:
    """The cotangents with arrays of zeros for those that are known to be zero."""

    def is_zero(leaf: Any) -> bool:
        return isinstance(leaf, custom_derivatives.SymbolicZero)

    return jax.tree.map(lambda leaf: _zeros(leaf.aval) if is_zero(leaf) else leaf, cotangents, is_leaf=is_zero)
