"""How the outputs of a network's layers lie over the pixels of an image."""

from collections.abc import Sequence

from texjax import types


def of_network(names: Sequence[str], padding: str, layer: str) -> types.Grid:
    """Return where the outputs of `layer` lie; see `types.Grid`.

    names: of the operations from shallow to deep; poolings of 2 x 2 begin with "pool", and the others are convolutions
        of 3 x 3.
    """
    # Whether each layer down to `layer` is a pooling.
    poolings = [name.startswith("pool") for name in names[: names.index(layer) + 1 if layer in names else 0]]
    valid = padding == "valid"
    stride, receptive, spoiled = 1, 1, 0
    for pooling in poolings:
        receptive += stride * (1 if pooling else 2)
        spoiled = (spoiled + 1) // 2 if pooling else spoiled + 1
        stride *= 2 if pooling else 1

    def size(side: int) -> int:
        for pooling in poolings:
            if valid:
                side = side // 2 if pooling else side - 2
            else:
                side = (side + 1) // 2 if pooling else side
            # Reflection by one pixel needs two.
            side = 0 if side < (2 if padding == "reflect" else 1) else side
        return side

    return types.Grid(stride, receptive, 0 if valid else spoiled, size)
