"""Parts that several shipped configs share: sets of layers and their weights, and whole methods."""

from typing import NamedTuple

from ml_collections import ConfigDict

from texjax import config as configs

# The squared activations of VGG-16 and VGG-19, as trained, are so many times those of the compact network at conv3_1.
UNITS = 6000
# At conv3_4 they are so many times those at conv3_1, while those of the compact network are alike at both layers.
RATIO = 9

# Layers and weights of Snelgrove 2017, and of Gatys et al. 2015 without pool4, which the compact network lacks.
SNELGROVE = {"pool1": 1.0, "conv3_2": 1.0}
GATYS = {"conv1_1": 1.0, "pool1": 1.0, "pool2": 1.0, "pool3": 1.0}


class Patches(NamedTuple):
    """The part that methods of patches share: a config without terms, sources and start, and layers for the terms.

    layers: the two layers whose patches are compared, with weights of which the first is 1.
    content: the one layer at which a content is compared, with its weight in the same units.
    units: a squared feature of the network that the method's constants are for, in units of the chosen network.
    """

    config: configs.Config
    layers: dict[str, float]
    content: dict[str, float]
    units: int


def patches(arg: configs.Config, size: tuple[int, int] = (512, 512)) -> Patches:
    """Return a method of one octave at each of three sizes, 100 iterations each, as CNNMRF has it.

    The network is used as it was trained, without normalized channels.

    Args:
        arg: the config's argument with the keys `tiny` (72 px with the compact network, at two sizes, in a few
            iterations), `shallow` (conv3_4 in place of conv4_1 and conv4_2) and `network`. The compact network is
            always shallow.
        size: width and height of the output in pixels.
    """
    network = "compact" if arg.tiny else arg.network
    compact = network == "compact"
    config = configs.defaults()
    config.size = size
    config.octaves = 1
    config.pyramid.padding = "reflect"
    pool = "average" if compact else "max"
    config.features = ConfigDict(dict(name=network, pool=pool, padding="reflect", normalize=False))
    config.schedule.update(steps=(100, 100), lowpass=0.2, keep_octaves=True)
    config.max_iter = 100
    if arg.tiny:
        config.update(size=(72, 72), max_iter=6, save_every=3, schedule=dict(steps=(3,)))
    if arg.shallow or compact:
        deepest = {"conv3_4": 1.0 if compact else 1 / RATIO}
        return Patches(config, {"conv3_1": 1.0, **deepest}, deepest, UNITS if compact else 1)
    return Patches(config, {"conv3_1": 1.0, "conv4_1": 1.0}, {"conv4_2": 1.0}, 1)


def ablated_texture(arg: str | None, fit: float) -> configs.Config:
    """Return config `texture` with its own sizes and octaves, at 256 px and 100 iterations, for ablations.

    arg: the text after the config's colon, as of `texture`. fit: see `config.source.fit`.
    """
    config = configs.load(f"texture:{arg}" if arg else "texture").unlock()
    config.size = (72, 72) if min(config.size) < 256 else (256, 256)
    config.source.fit = fit
    config.max_iter = min(config.max_iter, 100)
    return config


def ablated(arg: str | None) -> configs.Config:
    """Return the config that ablations change: `texture` at 256 px with three octaves and one stage of 100 iterations.

    arg: the text after the config's colon. It may have `tiny` (72 px, two octaves and a few iterations) and `network`.
    """
    arguments = configs.parse_arg(arg, tiny=False, network="compact")
    config = configs.load(f"texture:tiny={arguments.tiny},network={arguments.network}").unlock()
    config.schedule.steps = ()  # with a schedule, runs with other octaves would also differ in the number of sizes
    if not arguments.tiny:
        config.update(size=(256, 256), octaves=3, max_iter=100)
    return config
