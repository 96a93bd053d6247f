"""CNNMRF, transfer: patches of the style on the content (Li & Wand 2016, arXiv 1601.04589).

    texjax transfer photo.jpg painting.jpg --config cnnmrf_transfer                   # VGG-19, weights down to conv4_2
    texjax transfer photo.jpg painting.jpg --config cnnmrf_transfer:network=compact   # offline

The config adds to config `cnnmrf` the content's features at conv4_2, with weight 20 on their mean square. The picture
starts from the content. The style is as large as the output, and patches come from nine copies of it, turned by 7.5
degrees and scaled by 5 % to both sides.

Arguments: `shallow` takes conv3_4 in place of conv4_2, the content's layer, and of conv4_1, a layer of the patches, for
weights that do not reach deeper. `network` names the network; `compact` is always shallow. `tiny` makes 72 px with the
compact network at two sizes in a few iterations, to see that everything works.
"""

from ml_collections import ConfigDict

from texjax.config import parse_arg
from texjax.presets import patches


def get_config(arg=None):
    arg = parse_arg(arg, tiny=False, shallow=False, network="vgg19")
    config, layers, content_layers, units = patches(arg, size=(384, 384))
    config.terms = ConfigDict(
        dict(
            mrf=dict(
                name="mrf",
                layers=layers,
                weight=1e-4,
                normalization="overlap",
                rotations=1,
                scales=0 if arg.tiny else 1,
            ),
            content=dict(
                name="content",
                layers=dict.fromkeys(content_layers, 1.0),
                weight=20.0 * min(content_layers.values()),
                group="content",
            ),
            smoothness=dict(name="smoothness", layers=dict(pixels=1.0), weight=1e-3 * 255**2 / units),
        )
    )
    config.source.fit = 1.0
    config.init = ConfigDict(dict(name="crop", group="content"))
    return config
