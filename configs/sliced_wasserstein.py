"""Heitz et al. 2021, a sliced Wasserstein loss for neural texture synthesis (arXiv 2006.07229).

    texjax synthesize bark.jpg --config sliced_wasserstein                   # offline
    texjax synthesize bark.jpg --config sliced_wasserstein:network=vgg19     # the paper's network

Gram matrices are second moments, and textures with the same ones may differ in contrast and in how often features
occur. Here the whole distribution of features is compared. As in the authors' program all convolutional layers count
alike, up to conv4_4 of VGG-19 or conv3_4 of the compact network, and there is no Gram term.

What differs: there are three octaves, where the original has one; 32 directions for each layer, held for ten steps of
L-BFGS, where the original draws as many as the layer has channels for every evaluation; a start with the source's
spectrum, first at a quarter and at half of the size, where the original starts from noise; and padding that makes the
picture tile. Most of the time goes into sorting. The loss does not add over tiles: a picture too large for memory needs
`terms.sliced_wasserstein.octave_weights` of 0 for its largest octaves, and another term that sees these.

Arguments: `network` names the network. `tiny` makes 72 px with 2 octaves in a few iterations.
"""

from ml_collections import ConfigDict

from texjax.config import defaults, parse_arg

# The convolutional layers of the compact network, and those that the paper adds.
SHALLOW = ("conv1_1", "conv1_2", "conv2_1", "conv2_2", "conv3_1", "conv3_2", "conv3_3", "conv3_4")
DEEP = ("conv4_1", "conv4_2", "conv4_3", "conv4_4")


def get_config(arg=None):
    arg = parse_arg(arg, tiny=False, network="compact")
    layers = SHALLOW + DEEP * (arg.network == "vgg19")
    config = defaults()
    config.size = (256, 256)
    config.octaves = 3
    config.pyramid.padding = "circular"
    config.features = ConfigDict(dict(name=arg.network, padding="circular", normalize=True))
    config.terms = ConfigDict(
        dict(sliced_wasserstein=dict(name="sliced_wasserstein", layers=dict.fromkeys(layers, 1.0)))
    )
    if not arg.tiny:
        config.source.max_fit = 2.0  # the target holds the features of all pixels of the source
    config.init = ConfigDict(dict(name="random_phase"))
    config.schedule.steps = (60, 60)
    config.max_iter = 100
    if arg.tiny:
        config.update(size=(72, 72), octaves=2, max_iter=6, save_every=3, schedule=dict(steps=(3,)))
    return config
