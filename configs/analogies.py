"""Image analogies: A is to A' as B is to the picture (Hertzmann et al. 2001), in features, as in image-analogies.

    texjax analogy A.png A_prime.png B.png                              # offline, with the compact network
    texjax analogy A.png A_prime.png B.png --config analogies:network=vgg16

The constants are those of image-analogies. Features of conv3_1 and conv4_1 have half of each weight: 1 for the features
of A' where B is like A, 0.5 for being like some feature of A' (which is the source), and 0 for the content's own
features. Smoothness has the weight 1, which is 1 x 255^2.5 for pixels in [0, 1]. Gram matrices of conv2_1 to conv5_1
(normalization `gatys`) weigh 0, and there is no jitter. Each of three sizes gets 100 iterations. The weights assume
VGG-16 as trained. The squared features of the compact network are 6000 times smaller, and smoothness weighs as much
less.

Several things differ. Neighbors are found exactly and in every evaluation (there by PatchMatch); the sizes are a
quarter, a half and the whole (there 0.25, 0.625 and 1); A and A' are as large as the output along the longer side;
padding mirrors the picture; the start has the spectrum of A' (there it is loud noise); and contrast is left alone.

Arguments: `shallow` takes conv3_4 in place of conv4_1, for weights that do not reach deeper. `network` names the
network; `compact` is always shallow. `tiny` makes 72 px with the compact network at two sizes in a few iterations, to
see that everything works.
"""

from ml_collections import ConfigDict

from texjax.config import parse_arg
from texjax.presets import patches


def get_config(arg=None):
    arg = parse_arg(arg, tiny=False, shallow=False, network="vgg16")
    config, layers, _, units = patches(arg)
    blocks = range(2, 6 if "conv4_1" in layers else 4)
    styles = {f"conv{block}_1": 1.0 / len(blocks) for block in blocks}
    halves = {layer: weight / 2 for layer, weight in layers.items()}
    config.terms = ConfigDict(
        dict(
            analogy=dict(name="analogy", layers=halves, group="analogy"),
            mrf=dict(name="mrf", layers=halves, weight=0.5, patch=1, stride=1, bank_stride=1),
            content=dict(name="content", layers=halves, weight=0.0, group="content", normalization="sum"),
            style=dict(name="gram", layers=styles, weight=0.0, normalization="gatys"),
            smoothness=dict(name="smoothness", layers=dict(pixels=1.0), weight=255**2.5 / units, form="power"),
        )
    )
    config.source.fit = 1.0
    config.init = ConfigDict(dict(name="random_phase"))
    return config
