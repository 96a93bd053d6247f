"""A neural cellular automaton, after Niklasson et al. 2021 (Self-organising textures, doi 10.23915/distill.00027.003).

Every pixel is a cell that sees its neighbors and changes its state by the same few rules, again and again.
"""

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, UInt32

from texjax import errors, types, validate
from texjax.generators import blocks, noise

Cells = Float[Array, "n h w c"]
FILTERS = 4  # that a cell sees its neighbors by
WORD = 32  # bits


def perceive(cells: Cells) -> Float[Array, "n h w four_c"]:
    """Return each cell's state, Sobel's derivatives to the right and down, and 16 times the mean around it less itself.

    The mean is that of [1 2 1; 2 4 2; 1 2 1], so that the last filter is [1 2 1; 2 -12 2; 1 2 1]. Opposite edges of a
    picture are neighbors. The filters are sums of shifted pictures, as the gradients of convolutions are slow inside
    loops, where XLA computes them on CPU.
    """
    down, right = 1, 2  # axes
    across, along = _smooth(cells, right), _smooth(cells, down)
    filtered = [cells, _slope(along, right), _slope(across, down), _smooth(across, down) - 16 * cells]
    return jnp.concatenate(filtered, axis=-1)


def _smooth(x: Cells, axis: int) -> Cells:
    return jnp.roll(x, 1, axis) + 2 * x + jnp.roll(x, -1, axis)


def _slope(x: Cells, axis: int) -> Cells:
    return jnp.roll(x, -1, axis) - jnp.roll(x, 1, axis)


def nca(channels: int, sources: int, *, steps: int = 48, cells: int = 12, hidden: int = 96) -> types.Generator:
    """Return an automaton whose cells all begin alike, for pictures of any size that tile (Niklasson et al. 2021).

    In each step every second cell, drawn at random, adds W relu(V p + b) to its state, where p is what it sees (see
    `perceive`). The first channels of the state, plus a half, are the image. What is drawn are all these choices, one
    bit for each cell and step: nothing else makes one place unlike another. Each step sees a pixel further, so that
    things which are more than twice as many pixels apart as there are steps cannot know of each other.

    What differs from the paper: a picture is what the given number of steps makes of the start, and no pool of
    earlier states is trained to go on from, so that more steps than those of training may lead anywhere. The channels
    that are not seen are free, where the paper keeps all of them near [-1, 1]. The offset b follows the code of several
    sources: it is their offsets mixed by the code. V and b begin as PyTorch's do, and W begins at 0.

    Args:
        channels: of the images.
        sources: number of textures.
        steps: of the automaton, 32 to 96 in the paper.
        cells: channels of a cell's state.
        hidden: rules, which is to say channels of the hidden layer.

    Raises:
        TexjaxError: for a number that is out of range, and for cells with fewer channels than the images.
    """
    validate.whole("generator.steps", steps, 1, 512)
    validate.whole("generator.cells", cells, 1, 256)
    validate.whole("generator.hidden", hidden, 1, 4096)
    if cells < channels:
        raise errors.TexjaxError(
            f"generator.cells is {cells}, and the first channels of a cell are the image's; give at least {channels}."
        )

    def init(key: types.PRNGKey) -> types.Weights:
        first, second = jax.random.split(key)
        bound = (FILTERS * cells) ** -0.5
        seen = jax.random.uniform(first, (FILTERS * cells, hidden), minval=-bound, maxval=bound)
        # With W at 0 and all cells at 0 there would be no gradient without offsets.
        offsets = jax.random.uniform(second, (sources, hidden), minval=-bound, maxval=bound)
        return {"params": {"seen": seen, "offsets": offsets, "change": jnp.zeros((hidden, cells))}}

    def draw(key: types.PRNGKey, window: types.Window) -> UInt32[Array, "h w words"]:
        return noise.bits(key, window, -(-steps // WORD))

    def apply(weights: types.Weights, bits: UInt32[Array, "n h w words"], codes: blocks.Codes) -> types.Images:
        params = weights["params"]
        offset = jnp.matmul(codes, params["offsets"])[:, None, None]

        # Else the gradient would keep the hidden layers of all steps, which are many times as large as the states.
        @jax.checkpoint
        def step(state: Cells, number: Array) -> tuple[Cells, None]:
            rules = jax.nn.relu(jnp.matmul(perceive(state), params["seen"]) + offset)
            active = (bits[..., number // WORD] >> (number % WORD).astype(bits.dtype)) & 1
            return state + active[..., None] * jnp.matmul(rules, params["change"]), None

        state, _ = jax.lax.scan(step, jnp.zeros((*bits.shape[:3], cells)), jnp.arange(steps))
        return state[..., :channels] + 0.5

    def train(
        weights: types.Weights, bits: UInt32[Array, "n h w words"], codes: blocks.Codes
    ) -> tuple[types.Images, types.Weights]:
        return apply(weights, bits, codes), weights

    return types.Generator(init, draw, train, apply, halo=steps)
