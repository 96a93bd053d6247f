"""Lattices, weaves and rows: config `texture` with Gram matrices of shifted features beside the Gram matrices.

    texjax synthesize tiles.png --config shifted_gram

Gram matrices say which features occur together at one pixel, and those of Berger & Memisevic 2016 (arXiv 1606.01286)
which occur together at a distance along x or y. Here the distances are 1, 2 and 4 pixels of the layer at every octave,
so that the coarsest one reaches as far as the paper's largest, and the layers are the deeper ones, as products cost the
more the larger the layer is. A source has to be 129 px large or more for four octaves.

The loss adds over tiles, so that pictures of any size can be made.

Arguments: `network` names the network. `tiny` makes 72 px with 2 octaves in a few iterations.
"""

from ml_collections import ConfigDict

from texjax import config as configs
from texjax.config import parse_arg


def get_config(arg=None):
    arg = parse_arg(arg, tiny=False, network="compact")
    config = configs.load(f"texture:network={arg.network}{',tiny' * arg.tiny}").unlock()
    del config.terms.autocorrelation
    layers = dict(pool1=1.0, conv2_2=1.0, conv3_2=1.0)
    config.terms.shifted_gram = ConfigDict(dict(name="shifted_gram", layers=layers, weight=3.0))
    return config
