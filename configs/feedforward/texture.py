"""A generator of a texture, trained once to make any amount of it at once (Ulyanov et al. 2016, Snelgrove 2017).

    texjax train bark.jpg --config feedforward/texture --run-dir bark
    texjax generate bark/network.safetensors -ow 4096 -oh 4096

The network of Ulyanov et al. is trained with the multi-scale objective of config `texture`, which the discussion of
Snelgrove 2017 proposes. Every step draws `count` new pictures of `size`, for each source, from noise. Together, and not
each alone, these have to have the Gram matrices of the source: otherwise the network learns one arrangement that has
them, and repeats it (`experiments/README.md` shows this).

    texjax sweep feedforward/texture bark.jpg                  # one octave against four, as an ablation

Arguments: `network` names the network of the features. `tiny` trains for a few steps, to see that everything works.
"""

from ml_collections import ConfigDict

from texjax.config import load, parse_arg


def get_config(arg=None):
    arg = parse_arg(arg, tiny=False, network="compact")
    config = load(f"texture:network={arg.network}").unlock()
    config.generator = ConfigDict(dict(name="pyramid"))
    config.optimizer = ConfigDict(dict(name="adam", learning_rate=0.01, range="sigmoid"))
    # The learning rate falls to this share of its start.
    config.training = ConfigDict(dict(decay=0.02))
    config.schedule.steps = ()
    config.terms.gram.together = True
    # From local noise no network of this depth can make a strict lattice, and the term would drown the others.
    del config.terms.autocorrelation
    config.update(size=(128, 128), count=4, max_iter=2000, save_every=50)
    if arg.tiny:
        config.update(size=(64, 64), count=2, octaves=2, max_iter=6, save_every=3)
        config.generator = ConfigDict(dict(name="pyramid", widths=(4, 4, 8)))
    return config


def sweep(add):
    """Train at one octave and at four, and with pictures that have the source's Gram matrices together and alone."""
    for octaves in (1, 4):
        for together in (True, False):
            add(octaves=octaves, **{"terms.gram.together": together})
