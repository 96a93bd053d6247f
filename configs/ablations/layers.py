"""Which layers say what a texture is? Each alone, those of two papers, those of config `texture`, and all.

    texjax sweep ablations/layers bark.jpg pebbles.png
    python experiments/tabulate.py SWEEP_DIR

All runs have three octaves. A shallow layer alone gives the colors and the finest detail, and nothing larger. A deep
layer alone gives the structure, and leaves its detail noisy. Two layers far apart (Snelgrove 2017) should come near the
result of all layers, in a fraction of the time.

Arguments: `network=vgg19` needs its weights, see `texjax weights list`. `tiny` makes 72 px in a few iterations.
"""

from texjax.config import load
from texjax.presets import GATYS, SNELGROVE, ablated

# All layers of the compact network, shallow to deep.
SHALLOW = ("pixels", "conv1_1", "conv1_2", "pool1", "conv2_1", "conv2_2", "pool2")
EACH = (*SHALLOW, "conv3_1", "conv3_2", "conv3_3", "conv3_4", "pool3")


def get_config(arg=None):
    return ablated(arg)


def sweep(add):
    sets = [SNELGROVE, GATYS, load("texture").terms.gram.layers.to_dict(), dict.fromkeys(EACH, 1.0)]
    for layers in [*({layer: 1.0} for layer in EACH), *sets]:
        add(**{"terms.gram.layers": layers})
