"""Does it matter how Gram matrices are divided? The normalizations of four systems, over the same layers.

    texjax sweep ablations/normalization bark.jpg pebbles.png
    python experiments/tabulate.py SWEEP_DIR

Every layer has the same weight here. A factor on the whole loss changes nothing, because the optimizers scale it by the
first gradient. The powers of the number of channels remain, which decide how much deep layers weigh beside shallow
ones. "gatys" is a quarter of "pixels_channels" and gives the same pictures except for rounding. With "pixels" the
deepest layers weigh most, and with "neural_style" they weigh least. The losses are in different units, so that they
cannot be compared.

Arguments: `network=vgg19` needs its weights, see `texjax weights list`. `tiny` makes 72 px in a few iterations.
"""

from ml_collections import ConfigDict

from texjax.presets import GATYS, ablated


def get_config(arg=None):
    config = ablated(arg)
    config.terms.gram = ConfigDict(dict(name="gram", layers=GATYS))
    return config


def sweep(add):
    for name in ("pixels", "pixels_channels", "gatys", "neural_style"):
        add(**{"terms.gram.normalization": name})
