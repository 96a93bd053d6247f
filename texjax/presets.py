"""What shipped configs are put together from: terms with their keys, and what methods of patches have in common.

`layers` are layer -> weight everywhere.
"""

from collections.abc import Mapping
from typing import Any, NamedTuple

from ml_collections import ConfigDict

from texjax import config as configs

# Squared activations of VGG-16 or VGG-19 as trained over those of the compact network, at conv3_1; and those at conv3_4
# over those at conv3_1, where the compact network's are alike.
UNITS, RATIO = 6000, 9

# What Snelgrove 2017 compares, and Gatys et al. 2015 but for pool4, which the compact network lacks.
SNELGROVE = {"pool1": 1.0, "conv3_2": 1.0}
GATYS = {"conv1_1": 1.0, "pool1": 1.0, "pool2": 1.0, "pool3": 1.0}


def gram(layers: Mapping[str, float], **changes: Any) -> configs.Config:
    """A term of Gram matrices: all its keys, at their defaults but for `changes`."""
    term = ConfigDict(dict(name="gram", weight=1.0, layers=dict(layers), octave_weights=()))
    term.update(normalization="pixels_channels", mul=1.0)
    term.update(join="average", join_weights=(), join_position=0.5, join_regularization=1e-3)
    term.update(changes)
    return term


def mrf(layers: Mapping[str, float], **changes: Any) -> configs.Config:
    """A term of nearest patches: all its keys, at their defaults but for `changes`."""
    term = ConfigDict(dict(name="mrf", weight=1.0, layers=dict(layers), octave_weights=(), rotations=0, scales=0))
    term.update(patch=3, stride=2, bank_stride=2, centered=False, confidence=0.0, normalization="energy")
    term.update(search="exact", steps=5, precision="float32", memory=2**28, rematch=1, seed=0)
    term.update(changes)
    return term


def content(layers: Mapping[str, float], weight: float, normalization: str = "mse") -> configs.Config:
    """A term of the content's features."""
    term = ConfigDict(dict(name="content", of="content", weight=weight, layers=dict(layers), octave_weights=()))
    term.update(normalization=normalization)
    return term


def analogy(layers: Mapping[str, float], weight: float, patch: int = 1, full: bool = False) -> configs.Config:
    """A term of the features of A' where B is like A."""
    term = ConfigDict(dict(name="analogy", of="analogy", weight=weight, layers=dict(layers), octave_weights=()))
    term.update(patch=patch, full=full)
    return term


def smoothness(weight: float, form: str = "squared") -> configs.Config:
    """A term of the differences between neighboring pixels."""
    term = ConfigDict(dict(name="smoothness", weight=weight, layers=dict(pixels=1.0), octave_weights=()))
    term.update(form=form)
    return term


class Patches(NamedTuple):
    """A method of patches, but for its terms, sources and start.

    layers: the two to compare, and content: the one of a content, the first of them weighing 1. units: what a squared
    feature of the weights' own network is in those of the one chosen.
    """

    config: configs.Config
    layers: dict[str, float]
    content: dict[str, float]
    units: int


def patches(arg: configs.Config, size: tuple[int, int] = (512, 512)) -> Patches:
    """One octave at each of three sizes, 100 iterations each, as CNNMRF has it, on a network as it was trained.

    arg: has `tiny` (the compact network, 72 px, two sizes and a few iterations), `shallow` (conv3_4 in place of conv4_1
    and conv4_2) and `network`; the compact network is shallow.
    """
    name = "compact" if arg.tiny else arg.network
    compact = name == "compact"
    config = configs.defaults()
    config.size = size
    config.octaves = 1
    config.pyramid.padding = "reflect"
    pool = "average" if compact else "max"
    config.features = ConfigDict(
        dict(name=name, weights="", pool=pool, padding="reflect", normalize=False, precision="float32")
    )
    config.schedule.update(steps=(100, 100), lowpass=0.2, keep_octaves=True)
    config.max_iter = 100
    if arg.tiny:
        config.update(size=(72, 72), max_iter=6, save_every=3, schedule=dict(steps=(3,)))
    if arg.shallow or compact:
        deepest = {"conv3_4": 1.0 if compact else 1 / RATIO}
        return Patches(config, {"conv3_1": 1.0, **deepest}, deepest, UNITS if compact else 1)
    return Patches(config, {"conv3_1": 1.0, "conv4_1": 1.0}, {"conv4_2": 1.0}, 1)


def ablated(arg: str | None) -> configs.Config:
    """Config `texture` with 256 px, three octaves and one stage of 100 iterations, unlocked: what ablations change.

    arg: has `tiny` (72 px, two octaves and a few iterations) and `network`.
    """
    given = configs.parse_arg(arg, tiny=False, network="compact")
    config = configs.load(f"texture:tiny={given.tiny},network={given.network}").unlock()
    config.schedule.steps = ()  # their number depends on the octaves, and what a run is like should not
    if not given.tiny:
        config.update(size=(256, 256), octaves=3, max_iter=100)
    return config
