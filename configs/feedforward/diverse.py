"""A generator whose pictures are kept unlike each other, by the diversity term of Li et al. 2017 (arXiv 1703.01664).

    texjax train bark.jpg --config feedforward/diverse --run-dir bark
    texjax generate bark/network.safetensors -ow 1024 -oh 1024

As config `feedforward/texture`, whose generator already makes other pictures of other noise, with a term for the
distance between the features of pictures of the same step. It is for generators that repeat themselves. As the distance
has no bound, too large a weight makes pictures that are far apart and no longer of the texture. The weight here is
about a thousandth of the Gram term at the start of a training; whether it helps has not been measured.

Arguments: `network` names the network of the features. `tiny` trains for a few steps, to see that everything works.
"""

from ml_collections import ConfigDict

from texjax.config import load, parse_arg


def get_config(arg=None):
    arg = parse_arg(arg, tiny=False, network="compact")
    config = load(f"feedforward/texture:network={arg.network}{',tiny' * arg.tiny}").unlock()
    config.terms.diversity = ConfigDict(dict(name="diversity", layers=dict(conv3_2=1.0), weight=10.0))
    return config
