"""Gatys et al. 2016, style transfer (doi 10.1109/CVPR.2016.265).

    texjax transfer photo.jpg painting.jpg --config gatys_style                   # VGG-19 with conv5_1
    texjax transfer photo.jpg painting.jpg --config gatys_style:network=compact   # offline

The constants are those of the authors' NeuralImageSynthesis for VGG-19 with channels of mean activation 1: content at
conv4_2, 1e6 on the mean square; Gram matrices of conv1_1 to conv5_1, 1e9 / 5 on the mean square of each, which is four
times that on gram normalization `gatys`; 512 px, 500 iterations, from the content. Their second round at 1024 px is
--max-size 1024 --config.octaves=2 --config.schedule.steps=(500,) --config.schedule.keep_octaves=True -m 200. Smoothness
weighs nothing, as there; of neural-style's --tv-weight 1e-3 is for networks as trained and levels up to 255.

Argument `shallow`: content at conv3_4 and styles of conv1_1 to conv3_1, for weights that go no deeper;
`network=compact` is shallow. Argument `tiny`: the compact network, 72 px and a few iterations, to see that everything
works.
"""

from ml_collections import ConfigDict

from texjax.config import defaults, parse_arg
from texjax.presets import content, gram, smoothness


def get_config(arg=None):
    arg = parse_arg(arg, tiny=False, shallow=False, network="vgg19")
    name = "compact" if arg.tiny else arg.network
    deep = not arg.shallow and name != "compact"
    config = defaults()
    config.octaves = 1
    config.pyramid.padding = "reflect"
    config.features = ConfigDict(
        dict(name=name, weights="", pool="average", padding="same", normalize=True, precision="float32")
    )
    styles = {f"conv{block}_1": 1.0 for block in range(1, 6 if deep else 4)}
    config.terms = ConfigDict(
        dict(
            gram=gram(styles, weight=4e9 / len(styles), normalization="gatys"),
            content=content({"conv4_2" if deep else "conv3_4": 1.0}, weight=1e6),
            smoothness=smoothness(0.0),
        )
    )
    config.source.fit = 1.0
    config.init = ConfigDict(dict(name="crop", of="content"))
    config.optimizer.history_size = 100
    config.max_iter = 500
    if arg.tiny:
        config.update(size=(72, 72), max_iter=6, save_every=3)
    return config
