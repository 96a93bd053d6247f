"""Pictures unlike each other at the same places, so that a generator does not make one picture of all noise."""

from collections.abc import Sequence

import jax.numpy as jnp
from jaxtyping import Array

from texjax import types
from texjax.losses import places


def diversity() -> types.Loss:
    """Minus the distance of each image of the stack from the next one: - sum_i mean |F_i - F_(i+1)| (Li et al. 2017).

    The mean is over the pixels and channels of a layer, and the next image of the last one is the first (arXiv
    1703.01664). In training, terms are divided by the number of pictures, so the weight counts the mean distance
    of two pictures of the same source, whatever their number. A stack of one image has the value 0 and no gradient.

    The value has no lower bound: with a large weight, pictures leave the texture for features that are as far apart as
    they can be. The paper takes conv4_2 of VGG-19, a layer that is indifferent to noise of single pixels.

    What differs from the paper: the images are drawn anew in each step, so that those in a row are paired, where the
    paper draws the pairs; and the features are whatever the config names, such as those of several octaves.

    The sums of a place are {"apart": [n], sums of the distances' mean over the channels, "count": [] number of pixels}.
    The loss compares with no source.
    """

    def measure(view: types.View, target: object) -> dict[str, Array]:
        weights = jnp.ones(view.features.shape[1:3], view.features.dtype) if view.mask is None else view.mask
        apart = jnp.abs(view.features - jnp.roll(view.features, -1, axis=0)).mean(-1)
        return {"apart": (apart * weights[None]).sum((1, 2)), "count": weights.sum()}

    def distance(sums: Sequence[dict[str, Array]], views: Sequence[types.View], targets: object) -> types.Scalar:
        return places.weighted_sum([-s["apart"] / s["count"] for s in sums], views, targets)

    return places.from_sums(measure, distance, summarize=places.no_summary, join=places.no_target)
