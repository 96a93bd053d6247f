"""Gatys et al. 2016, style transfer (doi 10.1109/CVPR.2016.265).

    texjax transfer photo.jpg painting.jpg --config gatys_style                   # VGG-19, weights down to conv5_1
    texjax transfer photo.jpg painting.jpg --config gatys_style:network=compact   # offline

The constants are those of the authors' NeuralImageSynthesis for VGG-19 with channels of mean activation 1: the content
at conv4_2, with weight 1e6 on the mean square; Gram matrices of conv1_1 to conv5_1, with weight 1e9 / 5 on the mean
square of each, which is four times that weight in Gram normalization `gatys`; 512 px; and 500 iterations from the
content. As in the original, smoothness weighs nothing; the value 1e-3 of neural-style's --tv-weight is for networks as
trained and levels up to 255. Their second round, at 1024 px, is --max-size 1024 --config.octaves=2
--config.schedule.steps=(500,) --config.schedule.keep_octaves=True -m 200.

Arguments: `shallow` takes the content at conv3_4 and Gram matrices of conv1_1 to conv3_1, for weights that do not reach
deeper. `network` names the network; `compact` is always shallow. `tiny` makes 72 px with the compact network in a few
iterations, to see that everything works.
"""

from ml_collections import ConfigDict

from texjax.config import defaults, parse_arg


def get_config(arg=None):
    arg = parse_arg(arg, tiny=False, shallow=False, network="vgg19")
    name = "compact" if arg.tiny else arg.network
    deep = not arg.shallow and name != "compact"
    config = defaults()
    config.octaves = 1
    config.pyramid.padding = "reflect"
    config.features = ConfigDict(dict(name=name, padding="same", normalize=True))
    styles = {f"conv{block}_1": 1.0 for block in range(1, 6 if deep else 4)}
    config.terms = ConfigDict(
        dict(
            gram=dict(name="gram", layers=styles, weight=4e9 / len(styles), normalization="gatys"),
            content=dict(name="content", layers={"conv4_2" if deep else "conv3_4": 1.0}, weight=1e6, group="content"),
            smoothness=dict(name="smoothness", layers=dict(pixels=1.0), weight=0.0),
        )
    )
    config.source.fit = 1.0
    config.init = ConfigDict(dict(name="crop", group="content"))
    config.optimizer.history_size = 100
    config.max_iter = 500
    if arg.tiny:
        config.update(size=(72, 72), max_iter=6, save_every=3)
    return config
