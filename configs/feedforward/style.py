"""A network that gives any photograph the look of a style in one pass (Johnson et al. 2016, arXiv 1603.08155).

    texjax train painting.jpg --photos FOLDER --config feedforward/style --run-dir painting
    texjax stylize painting/network.safetensors photo.jpg holiday/ film.mp4 --output-dir styled

The style is what config `multiscale_style` matches, Gram matrices of few layers over four octaves (Snelgrove 2017), and
the content's features are compared at conv3_4 in every octave. Every step restyles `count` crops of photographs, of
`size`, for each style. Forms of the style have the size, in pixels, that they have in its picture, which is reduced to
256 px. The weight of the content is that at which an optimization (config `multiscale_style`) keeps what photographs
show. The colors of a style come within minutes on CPU, and its strokes within an hour, coarser than they are;
`experiments/README.md` shows them.

Arguments: `network` names the network of the features. `tiny` trains for a few steps, to see that everything works.
"""

from ml_collections import ConfigDict

from texjax.config import load, parse_arg


def get_config(arg=None):
    arg = parse_arg(arg, tiny=False, network="compact")
    config = load(f"multiscale_style:network={arg.network}").unlock()
    config.generator = ConfigDict(dict(name="residual"))
    config.terms.content.weight = 15.0
    config.terms.smoothness.weight = 1e-3
    # The learning rate falls to the share `decay` of its start.
    config.optimizer = ConfigDict(dict(name="adam", learning_rate=0.002, range="sigmoid"))
    config.training = ConfigDict(dict(decay=0.02))
    config.schedule.steps = ()
    config.source.fit = 2.0
    config.update(size=(128, 128), count=4, max_iter=4600, save_every=100)
    if arg.tiny:
        config.update(size=(64, 64), count=2, octaves=2, max_iter=6, save_every=3)
        config.generator = ConfigDict(dict(name="residual", widths=(4, 4, 8), blocks=1))
    return config
