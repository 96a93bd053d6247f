"""CNNMRF, transfer: patches of the style on the content (Li & Wand 2016, arXiv 1601.04589).

    texjax transfer photo.jpg painting.jpg --config cnnmrf_transfer                   # VGG-19 with conv4_2
    texjax transfer photo.jpg painting.jpg --config cnnmrf_transfer:network=compact   # offline

As config `cnnmrf`, and the content's features at conv4_2, weight 20 on their mean square, from which the picture also
starts; the style, as large as the output, is there nine times, turned by 7.5 degrees and scaled by 5 % to both sides.

Argument `shallow`: the content's features and patches at conv3_4 in place of conv4_2 and conv4_1, for weights that go
no deeper; `network=compact` is shallow. Argument `tiny`: the compact network, 72 px, two sizes and a few iterations, to
see that everything works.
"""

from ml_collections import ConfigDict

from texjax.config import parse_arg
from texjax.presets import content, mrf, patches, smoothness


def get_config(arg=None):
    arg = parse_arg(arg, tiny=False, shallow=False, network="vgg19")
    config, layers, kept, units = patches(arg, size=(384, 384))
    config.terms = ConfigDict(
        dict(
            mrf=mrf(layers, weight=1e-4, normalization="overlap", rotations=1, scales=0 if arg.tiny else 1),
            content=content(dict.fromkeys(kept, 1.0), weight=20.0 * min(kept.values())),
            smoothness=smoothness(1e-3 * 255**2 / units),
        )
    )
    config.source.fit = 1.0
    config.init = ConfigDict(dict(name="crop", of="content"))
    return config
