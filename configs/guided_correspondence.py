"""Guided correspondence: large patches, each like one patch of the source (Zhou et al., CVPR 2023).

    texjax synthesize bark.jpg --config guided_correspondence
    texjax synthesize bark.jpg --config guided_correspondence:network=vgg19
    texjax analogy labels.png bark.jpg wanted.png --config guided_correspondence:guided
    texjax analogy bark.jpg bark.jpg strokes.png --config guided_correspondence:oriented

The loss is that of "Neural Texture Synthesis with Guided Correspondence", with the authors' constants: patches of 7 x 7
at every third place, a bandwidth of 0.5, and 0.05 for patches that are used often.

With `guided`, two maps say which part of the source belongs where: one is painted over the source, of the same size,
and the other is that of the output. They may be labels or gradients, in colors of any kind, and are compared by their
features. The output does not tile then.

With `oriented`, the texture runs as the lines of the third picture do, such as strokes of a broad brush. The first
picture shows how the source runs, and may be the source itself. Turned copies of both, in steps of 7.5 degrees, have
the directions that the source lacks. The output begins with noise about the source's mean color, as the source's
spectrum has directions of its own.

Several things differ. Directions come of the maps' features, by structure tensors. The layers are conv1_1, conv2_1 and
conv3_1 at three octaves, as the compact network has no conv4_1; without conv1_1, which the authors add for their last
steps, the finest detail stays noise. The output tiles, as that of `texture`, starts with the source's spectrum, and is
made at three sizes (theirs at four). The optimizer is L-BFGS, which falls faster than their Adam (bark at 80 px, one
octave of conv2_1 and conv3_1, 60 steps: from 7.0 to 1.5, and to 3.4 with Adam's rate of 0.01). At most 2048 patches are
compared at a place (theirs 10,000). They are drawn, and the counts taken, anew before every step.

The loss does not add over tiles: a picture too large for memory needs `terms.guided_correspondence.octave_weights` of 0
for its largest octaves. At three octaves a side needs at least 112 px.

Arguments: `network` names the network. `guided` and `oriented` are for maps. `tiny` makes 72 px with 2 octaves in a few
iterations.
"""

from ml_collections import ConfigDict

from texjax import config as configs
from texjax.config import parse_arg


def get_config(arg=None):
    arg = parse_arg(arg, tiny=False, guided=False, oriented=False, network="compact")
    config = configs.load(f"texture:network={arg.network}{',tiny' * arg.tiny}").unlock()
    config.octaves = min(config.octaves, 3)
    layers = dict(conv1_1=1.0, conv2_1=1.0, conv3_1=1.0)
    term = dict(name="guided_correspondence", layers=layers)
    if arg.guided or arg.oriented:
        config.pyramid.padding = config.features.padding = "reflect"
        term |= dict(group="analogy")
    if arg.guided:
        term |= dict(guidance=2.0)
    if arg.oriented:
        term |= dict(orientation=5.0, rotations=1 if arg.tiny else 12)
        config.init = ConfigDict(dict(name="mean_color", deviation=2 / 255))
    config.terms = ConfigDict(dict(guided_correspondence=term))
    return config
