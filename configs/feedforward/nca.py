"""A neural cellular automaton that makes a texture (Niklasson et al. 2021, doi 10.23915/distill.00027.003).

    texjax train bark.jpg --config feedforward/nca --run-dir bark
    texjax generate bark/network.safetensors -ow 1024 -oh 1024

Every pixel is a cell, and all cells follow the same few thousand numbers for so many `generator.steps`; see
`texjax.generators.nca` for what differs from the paper. Cells that are far apart cannot know of each other. So the
objective, that of config `texture`, has two octaves, and config `feedforward/texture` is better for large structure.

The gradient of so many steps takes a while on CPU: `--config.count` and `--config.size` say how much is made in each.

Arguments: `network` names the network of the features. `tiny` trains for a few steps, to see that everything works.
"""

from ml_collections import ConfigDict

from texjax.config import load, parse_arg


def get_config(arg=None):
    arg = parse_arg(arg, tiny=False, network="compact")
    config = load(f"feedforward/texture:network={arg.network}").unlock()
    config.generator = ConfigDict(dict(name="nca"))
    config.optimizer = ConfigDict(dict(name="adam", learning_rate=0.002, range="penalty"))
    config.update(size=(96, 96), octaves=2, count=2, max_iter=2000, save_every=50)
    if arg.tiny:
        config.update(size=(48, 48), count=2, max_iter=6, save_every=3)
        config.generator = ConfigDict(dict(name="nca", steps=6, cells=6, hidden=16))
    return config
