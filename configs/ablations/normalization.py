"""Does it matter how Gram matrices are divided? The normalizations of four systems, over the same layers.

    texjax sweep ablations/normalization bark.jpg pebbles.png
    python experiments/tabulate.py SWEEP_DIR

Every layer weighs the same here, and a factor on the whole loss changes nothing: optimizers are scaled by the first
gradient. What is left are the powers of the number of channels, that is, how much deep layers weigh beside shallow
ones. "gatys" is a quarter of "pixels_channels" and gives the same pictures but for rounding; with "pixels" the deepest
layers weigh most, with "neural_style" least. The losses are in other units and not to be compared.

Argument `network=vgg19`: needs its weights, see `texjax weights list`. Argument `tiny`: 72 px and a few iterations.
"""

from texjax.presets import GATYS, ablated, gram


def get_config(arg=None):
    config = ablated(arg)
    config.terms.gram = gram(GATYS)
    return config


def sweep(add):
    for name in ("pixels", "pixels_channels", "gatys", "neural_style"):
        add(**{"terms.gram.normalization": name})
