"""CNNMRF, synthesis: every patch of the features is like some patch of the source's (Li & Wand 2016, arXiv 1601.04589).

    texjax synthesize bark.jpg --config cnnmrf                   # VGG-19, weights down to conv4_1
    texjax synthesize bark.jpg --config cnnmrf:network=compact   # offline

The constants are those of the authors' program: patches of 3 x 3 at every second place of conv3_1 and conv4_1, with
weight 1e-4 for each layer; 100 iterations at each of three sizes; smoothness with weight 1e-3 for levels up to 255,
which is 1e-3 x 255^2 for pixels in [0, 1]; and a source half as large as the output. The weights assume VGG-19 as
trained, with max pooling and no channel scaled. The squared features of the compact network are 6000 times smaller, and
smoothness weighs as much less.

Several things differ. The start has the spectrum of the source (theirs is near gray), the optimizer searches along
lines (theirs takes fixed steps), padding mirrors the picture, there are no patches beyond the grid at the edges, and
the picture is enlarged by sines and cosines (theirs bilinearly).

Arguments: `shallow` takes conv3_4 in place of conv4_1, for weights that do not reach deeper. `network` names the
network; `compact` is always shallow. `tiny` makes 72 px with the compact network at two sizes in a few iterations, to
see that everything works.
"""

from ml_collections import ConfigDict

from texjax.config import parse_arg
from texjax.presets import patches


def get_config(arg=None):
    arg = parse_arg(arg, tiny=False, shallow=False, network="vgg19")
    config, layers, _, units = patches(arg)
    config.terms = ConfigDict(
        dict(
            mrf=dict(name="mrf", layers=layers, weight=1e-4, normalization="overlap"),
            smoothness=dict(name="smoothness", layers=dict(pixels=1.0), weight=1e-3 * 255**2 / units),
        )
    )
    config.source.fit = 0.5
    config.init = ConfigDict(dict(name="random_phase"))
    return config
