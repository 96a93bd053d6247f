"""Lattices, tiles and checkerboards: config `texture` whose term of the lattice counts whatever the source is.

    texjax synthesize tiles.png --config autocorrelation

Gram matrices do not say how far apart things are. The autocorrelation of each channel does, and is compared at pool2 as
by Sendik & Cohen-Or 2017 (doi 10.1145/3015461), here at every octave, with lags that wrap around the output, and
relative to the sources' autocorrelation. Their terms of smoothness and diversity are left out.

The loss does not add over tiles: a picture too large for memory needs `terms.autocorrelation.octave_weights` of 0 for
its largest octaves.

Arguments: `network` names the network. `tiny` makes 72 px with 2 octaves in a few iterations.
"""

from texjax import config as configs
from texjax.config import parse_arg


def get_config(arg=None):
    arg = parse_arg(arg, tiny=False, network="compact")
    config = configs.load(f"texture:network={arg.network}{',tiny' * arg.tiny}").unlock()
    config.terms.autocorrelation.when = "always"
    return config
