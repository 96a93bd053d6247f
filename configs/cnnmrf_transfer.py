"""CNNMRF, transfer: patches of the style on the content (Li & Wand 2016, arXiv 1601.04589).

    texjax transfer photo.jpg painting.jpg --config cnnmrf_transfer                   # VGG-19 with conv4_2
    texjax transfer photo.jpg painting.jpg --config cnnmrf_transfer:network=compact   # offline

As config `cnnmrf`, and the content's features at conv4_2, weight 20 on their mean square, from which the picture also
starts; the style, as large as the output, is there nine times, turned by 7.5 degrees and scaled by 5 % to both sides.

Argument `shallow`: the content's features and patches at conv3_4 in place of conv4_2 and conv4_1, for weights that go
no deeper; `network=compact` is shallow. Argument `tiny`: the compact network, 72 px,
two sizes and a few iterations, to see that everything works.
"""

from ml_collections import ConfigDict

from texjax.config import content, defaults, mrf, parse_arg, smoothness

UNITS = 6000  # squared activations of VGG-19 as trained over those of the compact network, conv3_1
RATIO = 9  # squared activations of VGG-19 as trained at conv3_4 over those at conv3_1; the compact network's are alike


def get_config(arg=None):
    arg = parse_arg(arg, tiny=False, shallow=False, network="vgg19")
    name = "compact" if arg.tiny else arg.network
    deep = not arg.shallow and name != "compact"
    units, ratio = (UNITS, 1) if name == "compact" else (1, RATIO)
    config = defaults()
    config.size = (384, 384)
    config.octaves = 1
    config.pyramid.padding = "reflect"
    config.features = ConfigDict(
        dict(
            name=name,
            weights="",
            pool="average" if name == "compact" else "max",
            padding="reflect",
            normalize=False,
            precision="float32",
        )
    )
    layers = dict(conv3_1=1.0, conv4_1=1.0) if deep else dict(conv3_1=1.0, conv3_4=1.0 / ratio)
    kept = content(dict(conv4_2=1.0), weight=20.0) if deep else content(dict(conv3_4=1.0), weight=20.0 / ratio)
    config.terms = ConfigDict(
        dict(
            mrf=mrf(layers, weight=1e-4, normalization="overlap", rotations=1, scales=0 if arg.tiny else 1),
            content=kept,
            smoothness=smoothness(1e-3 * 255**2 / units),
        )
    )
    config.source.fit = 1.0
    config.init = ConfigDict(dict(name="crop", of="content"))
    config.schedule.update(steps=(100, 100), lowpass=0.2, keep_octaves=True)
    config.max_iter = 100
    if arg.tiny:
        config.update(size=(72, 72), max_iter=6, save_every=3, schedule=dict(steps=(3,)))
    return config
