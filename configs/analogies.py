"""Image analogies: A is to A' as B is to the picture (Hertzmann et al. 2001), in features, as in image-analogies.

    texjax analogy A.png A_prime.png B.png                              # offline, with the compact network
    texjax analogy A.png A_prime.png B.png --config analogies:network=vgg16

The constants are those of image-analogies: features of conv3_1 and conv4_1, half the weight each; 1 for those of A'
where B is like A, 0.5 for being like some feature of A' (which is the source), smoothness 1 (1 x 255^2.5 for pixels in
[0, 1]); 100 iterations at each of three sizes. They assume VGG-16 as trained. The compact network's features are
smaller; what is compared is a 6000th, and smoothness weighs as much less.

What differs: neighbors are found exactly, in every evaluation (there by PatchMatch), sizes are a quarter, a half and
the whole (there 0.25, 0.625 and 1), A and A' are as large as the output along the longer side, padding mirrors, the
start has the spectrum of A' (there it is loud noise), and contrast is left alone.

Argument `shallow`: conv3_4 in place of conv4_1, for weights that go no deeper; `network=compact` is shallow. Argument
`tiny`: the compact network, 72 px, two sizes and a few iterations, to see that everything works.
"""

from ml_collections import ConfigDict

from texjax.config import analogy, content, defaults, mrf, parse_arg, smoothness

UNITS = 6000  # squared activations of VGG-16 as trained over those of the compact network, conv3_1
RATIO = 9  # squared activations of VGG-19 as trained at conv3_4 over those at conv3_1; the compact network's are alike


def get_config(arg=None):
    arg = parse_arg(arg, tiny=False, shallow=False, network="vgg16")
    name = "compact" if arg.tiny else arg.network
    deep = not arg.shallow and name != "compact"
    units, ratio = (UNITS, 1) if name == "compact" else (1, RATIO)
    config = defaults()
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
    layers = dict(conv3_1=0.5, conv4_1=0.5) if deep else dict(conv3_1=0.5, conv3_4=0.5 / ratio)
    config.terms = ConfigDict(
        dict(
            analogy=analogy(layers, weight=1.0),
            mrf=mrf(layers, weight=0.5, patch=1, stride=1, bank_stride=1),
            content=content(layers, weight=0.0, normalization="sum"),
            smoothness=smoothness(255**2.5 / units, form="power"),
        )
    )
    config.source.fit = 1.0
    config.init = ConfigDict(dict(name="random_phase", contrast=1.0))
    config.schedule.update(steps=(100, 100), lowpass=0.2, keep_octaves=True)
    config.max_iter = 100
    if arg.tiny:
        config.update(size=(72, 72), max_iter=6, save_every=3, schedule=dict(steps=(3,)))
    return config
