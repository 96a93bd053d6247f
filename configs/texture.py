"""Textures: the default config, offline and fast on a laptop, with natural detail and pictures that tile.

    texjax synthesize bark.jpg
    texjax synthesize bark.jpg --config texture:network=vgg19

The loss compares Gram matrices over octaves and layers, as in Snelgrove 2017. The features are those of the compact
network that ships with texjax, or of VGG-19. Pooling hardly sees the finest detail, and optimizing hardly changes it.
Three things keep it natural: shallow layers weigh more, the start has the source's own spectrum, and the picture is
first made at a quarter and at half of its size (`experiments/README.md` has the evidence).

Gram matrices do not say how far apart things are. For a source that repeats, such as a checkerboard or a weave, the
autocorrelation of the features counts too, after Sendik and Cohen-Or 2017 (doi 10.1145/3015461).

Arguments: `network` names the network. `large` is for pictures of 2048 px and more: it has an octave more, takes most
steps at four smaller sizes, and 40 at full size, which are the slow ones. `tiny` makes 72 px with 2 octaves in a few
iterations, to see that everything works.
"""

from ml_collections import ConfigDict

from texjax.config import defaults, parse_arg


def get_config(arg=None):
    arg = parse_arg(arg, tiny=False, large=False, network="compact")
    config = defaults()
    config.pyramid.padding = "circular"
    config.features = ConfigDict(dict(name=arg.network, padding="circular"))
    layers = dict(conv1_1=10.0, conv1_2=10.0, conv2_2=3.0, conv3_2=1.0)
    lattice = dict(name="autocorrelation", layers=dict(pool2=1.0), weight=100.0, when="periodic")
    config.terms = ConfigDict(dict(gram=dict(name="gram", layers=layers), autocorrelation=lattice))
    config.init = ConfigDict(dict(name="random_phase"))
    config.schedule.steps = (60, 60)
    config.max_iter = 120
    if arg.large:
        config.update(size=(4096, 4096), octaves=5, max_iter=40, save_every=5, schedule=dict(steps=(150, 120, 90, 60)))
    if arg.tiny:
        config.update(size=(72, 72), octaves=2, max_iter=6, save_every=3, schedule=dict(steps=(3,)))
    return config
