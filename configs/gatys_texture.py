"""Gatys et al. 2015, texture synthesis at one size (arXiv 1505.07376).

    texjax synthesize bark.jpg --config gatys_texture                   # VGG-19, weights down to pool4
    texjax synthesize bark.jpg --config gatys_texture:network=compact   # offline

The constants are those of DeepTextures: Gram matrices of conv1_1 and pool1 to pool4 of VGG-19, with average pooling and
channels of mean activation 1; weight 1e9 for each layer, on a quarter of the squared differences divided by the squared
number of channels (Gram normalization `gatys`); a start of noise about middle gray; 256 px; and L-BFGS with 20
curvature pairs for 2000 iterations.

Two things differ. Values outside [0, 1] are penalized, while the original bounds them by the source's range. And the
histogram of the picture is not matched to that of the source at the end.

Arguments: `shallow` leaves pool4 out, for weights that do not reach it. `network` names the network; `compact` is
always shallow. `tiny` makes 72 px with the compact network in a few iterations, to see that everything works.
"""

from ml_collections import ConfigDict

from texjax.config import defaults, parse_arg


def get_config(arg=None):
    arg = parse_arg(arg, tiny=False, shallow=False, network="vgg19")
    name = "compact" if arg.tiny else arg.network
    config = defaults()
    config.size = (256, 256)
    config.octaves = 1
    config.features = ConfigDict(dict(name=name, padding="same", normalize=True))
    layers = dict(conv1_1=1.0, pool1=1.0, pool2=1.0, pool3=1.0)
    if not arg.shallow and name != "compact":
        layers["pool4"] = 1.0
    config.pyramid.padding = "reflect"
    config.terms = ConfigDict(dict(gram=dict(name="gram", layers=layers, weight=1e9, normalization="gatys")))
    config.init = ConfigDict(dict(name="noise", mean=0.45, deviation=1 / 255))
    config.optimizer.history_size = 20
    config.max_iter = 2000
    if arg.tiny:
        config.update(size=(72, 72), max_iter=6, save_every=3)
    return config
