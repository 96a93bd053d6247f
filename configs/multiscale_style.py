"""Style transfer by Gram matrices over octaves: the default of `texjax transfer`, offline.

    texjax transfer photo.jpg painting.jpg
    texjax transfer photo.jpg painting.jpg --config multiscale_style:network=vgg19

The style is what config `texture` matches, Gram matrices of few layers over four octaves (Snelgrove 2017), so that
shallow layers see large strokes in small octaves. The content's features are compared at conv3_4 in every octave. The
picture starts from the content, and is made at a quarter of its size, at half of it and then in full.

Arguments: `network` names the network. `shallow` changes nothing, because no layer is deeper than conv3_4. `tiny` makes
72 px with 2 octaves in a few iterations, to see that everything works.
"""

from ml_collections import ConfigDict

from texjax.config import defaults, parse_arg


def get_config(arg=None):
    arg = parse_arg(arg, tiny=False, shallow=False, network="compact")
    config = defaults()
    config.pyramid.padding = "reflect"
    config.features = ConfigDict(dict(name=arg.network, padding="reflect"))
    config.terms = ConfigDict(
        dict(
            gram=dict(name="gram", layers=dict(conv1_1=10.0, conv1_2=10.0, conv2_2=3.0, conv3_2=1.0)),
            # By eye: a weight of 1 loses the photo, 10 loses the style's larger forms.
            content=dict(name="content", layers=dict(conv3_4=1.0), weight=3.0, group="content"),
            smoothness=dict(name="smoothness", layers=dict(pixels=1.0), weight=0.0),
        )
    )
    config.source.fit = 1.0
    config.init = ConfigDict(dict(name="crop", group="content"))
    config.schedule.steps = (60, 60)
    config.max_iter = 120
    if arg.tiny:
        config.update(size=(72, 72), octaves=2, max_iter=6, save_every=3, schedule=dict(steps=(3,)))
    return config
