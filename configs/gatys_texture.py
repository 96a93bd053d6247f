"""Gatys et al. 2015, texture synthesis at one size (arXiv 1505.07376).

    texjax synthesize bark.jpg --config gatys_texture                   # VGG-19 with pool4
    texjax synthesize bark.jpg --config gatys_texture:network=compact   # offline

The constants are those of DeepTextures: Gram matrices of conv1_1 and pool1 to pool4 of VGG-19 with average pooling and
channels of mean activation 1, weight 1e9 each and a quarter of the squared differences over channels squared (gram
normalization `gatys`), noise about the middle gray, 256 px, L-BFGS with 20 curvature pairs and 2000 iterations. What
differs: values outside [0, 1] are penalized (there the source's range bounds them), and the picture's histogram is not
matched to the source's at the end.

Argument `shallow`: without pool4, for weights that go no deeper; `network=compact` is shallow. Argument `tiny`: the
compact network, 72 px and a few iterations, to see that everything works.
"""

from ml_collections import ConfigDict

from texjax.config import defaults, parse_arg
from texjax.presets import gram


def get_config(arg=None):
    arg = parse_arg(arg, tiny=False, shallow=False, network="vgg19")
    name = "compact" if arg.tiny else arg.network
    config = defaults()
    config.size = (256, 256)
    config.octaves = 1
    config.features = ConfigDict(
        dict(name=name, weights="", pool="average", padding="same", normalize=True, precision="float32")
    )
    layers = dict(conv1_1=1.0, pool1=1.0, pool2=1.0, pool3=1.0)
    if not arg.shallow and name != "compact":
        layers["pool4"] = 1.0
    config.pyramid.padding = "reflect"
    config.terms = ConfigDict(dict(gram=gram(layers, weight=1e9, normalization="gatys")))
    config.init = ConfigDict(dict(name="noise", mean=0.45, deviation=1 / 255))
    config.optimizer.history_size = 20
    config.max_iter = 2000
    if arg.tiny:
        config.update(size=(72, 72), max_iter=6, save_every=3)
    return config
