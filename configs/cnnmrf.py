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

from texjax.config import parse_arg
from texjax.presets import mrf, patches, smoothness


def get_config(arg=None):
    arg = parse_arg(arg, tiny=False, shallow=False, network="vgg19")
    config, layers, _, units = patches(arg)
    config.terms = ConfigDict(
        dict(
            mrf=mrf(layers, weight=1e-4, normalization="overlap"),
            smoothness=smoothness(1e-3 * 255**2 / units),
        )
    )
    config.source.fit = 0.5
    config.init = ConfigDict(dict(name="random_phase", contrast=1.0))
    return config
