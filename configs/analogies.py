"""Image analogies: A is to A' as B is to the picture (Hertzmann et al. 2001), in features, as in image-analogies.

    texjax analogy A.png A_prime.png B.png                              # offline, with the compact network
    texjax analogy A.png A_prime.png B.png --config analogies:network=vgg16

The constants are those of image-analogies: features of conv3_1 and conv4_1, half the weight each; 1 for those of A'
where B is like A, 0.5 for being like some feature of A' (which is the source), smoothness 1 (1 x 255^2.5 for pixels in
[0, 1]); no weight on the content's own features, nor on Gram matrices of conv2_1 to conv5_1 (normalization `gatys`),
and no jitter; 100 iterations at each of three sizes. They assume VGG-16 as trained. The compact network's features are
smaller; what is compared is a 6000th, and smoothness weighs as much less.

What differs: neighbors are found exactly, in every evaluation (there by PatchMatch), sizes are a quarter, a half and
the whole (there 0.25, 0.625 and 1), A and A' are as large as the output along the longer side, padding mirrors, the
start has the spectrum of A' (there it is loud noise), and contrast is left alone.

Argument `shallow`: conv3_4 in place of conv4_1, for weights that go no deeper; `network=compact` is shallow. Argument
`tiny`: the compact network, 72 px, two sizes and a few iterations, to see that everything works.
"""

from ml_collections import ConfigDict

from texjax.config import parse_arg
from texjax.presets import analogy, content, gram, mrf, patches, smoothness


def get_config(arg=None):
    arg = parse_arg(arg, tiny=False, shallow=False, network="vgg16")
    config, layers, _, units = patches(arg)
    blocks = range(2, 6 if "conv4_1" in layers else 4)
    styles = {f"conv{block}_1": 1.0 / len(blocks) for block in blocks}
    halves = {layer: weight / 2 for layer, weight in layers.items()}
    config.terms = ConfigDict(
        dict(
            analogy=analogy(halves, weight=1.0),
            mrf=mrf(halves, weight=0.5, patch=1, stride=1, bank_stride=1),
            content=content(halves, weight=0.0, normalization="sum"),
            style=gram(styles, weight=0.0, normalization="gatys"),
            smoothness=smoothness(255**2.5 / units, form="power"),
        )
    )
    config.source.fit = 1.0
    config.init = ConfigDict(dict(name="random_phase", contrast=1.0))
    return config
