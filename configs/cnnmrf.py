"""CNNMRF, synthesis: every patch of the features is like some patch of the source's (Li & Wand 2016, arXiv 1601.04589).

    texjax synthesize bark.jpg --config cnnmrf                   # VGG-19 with conv4_1
    texjax synthesize bark.jpg --config cnnmrf:network=compact   # offline

The constants are those of the authors' program: patches of 3 x 3 at every second place of conv3_1 and conv4_1, weighing
1e-4 each, 100 iterations at each of three sizes, smoothness of 1e-3 for levels up to 255 (1e-3 x 255^2 for ours), a
source half as large as the output. The weights assume VGG-19 as trained, no channel scaled, with max pooling. The
compact network's features are smaller; what is compared is a 6000th, and smoothness weighs as much less.

What differs: the start has the source's spectrum (theirs is near gray), the optimizer searches along lines (theirs
takes fixed steps), padding mirrors, there are no patches beyond the grid at the edges, and the picture is enlarged by
waves (theirs bilinearly).

Argument `shallow`: conv3_4 in place of conv4_1, for weights that go no deeper; `network=compact` is shallow. Argument
`tiny`: the compact network, 72 px, two sizes and a few iterations, to see that everything works.
"""

from ml_collections import ConfigDict

from texjax.config import defaults, mrf, parse_arg, smoothness

UNITS = 6000  # squared activations of VGG-19 as trained over those of the compact network, conv3_1
RATIO = 9  # squared activations of VGG-19 as trained at conv3_4 over those at conv3_1; the compact network's are alike


def get_config(arg=None):
    arg = parse_arg(arg, tiny=False, shallow=False, network="vgg19")
    name = "compact" if arg.tiny else arg.network
    deep = not arg.shallow and name != "compact"
    units, ratio = (UNITS, 1) if name == "compact" else (1, RATIO)
    config = defaults()
    config.octaves = 1
    config.pyramid.padding = "reflect"
    config.features = ConfigDict(
        dict(
            name=name,
            weights="",
            pool="average" if name == "compact" else "max",
            padding="reflect",
            normalize=False,
            precision="float32",
        )
    )
    layers = dict(conv3_1=1.0, conv4_1=1.0) if deep else dict(conv3_1=1.0, conv3_4=1.0 / ratio)
    config.terms = ConfigDict(
        dict(
            mrf=mrf(layers, weight=1e-4, normalization="overlap"),
            smoothness=smoothness(1e-3 * 255**2 / units),
        )
    )
    config.source.fit = 0.5
    config.init = ConfigDict(dict(name="random_phase", contrast=1.0))
    config.schedule.update(steps=(100, 100), lowpass=0.2, keep_octaves=True)
    config.max_iter = 100
    if arg.tiny:
        config.update(size=(72, 72), max_iter=6, save_every=3, schedule=dict(steps=(3,)))
    return config
