"""Lattices, bricks and fabrics: config `texture` with the source's spectrum beside the Gram matrices.

    texjax synthesize bricks.png --config spectrum

The power of each frequency, and its phases between the color channels, are those of the source at every octave (Liu,
Gousseau & Xia 2016, arXiv 1605.01141; Gonthier et al. 2022, arXiv 2008.01808, add octaves). In an output larger than
the source, the frequencies next to one of the source's share its power, so that regular textures can go on regularly.
There has to be one source.

The loss does not add over tiles: a picture too large for memory needs `terms.spectrum.octave_weights` of 0 for its
largest octaves.

Arguments: `network` names the network. `tiny` makes 72 px with 2 octaves in a few iterations.
"""

from ml_collections import ConfigDict

from texjax import config as configs
from texjax.config import parse_arg


def get_config(arg=None):
    arg = parse_arg(arg, tiny=False, network="compact")
    config = configs.load(f"texture:network={arg.network}{',tiny' * arg.tiny}").unlock()
    del config.terms.autocorrelation
    config.terms.spectrum = ConfigDict(dict(name="spectrum", layers=dict(pixels=1.0), weight=1000.0))
    return config
