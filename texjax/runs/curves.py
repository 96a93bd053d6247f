"""Draw the loss of a run over its steps."""

from typing import Any

import numpy as np


def figure(lines: list[dict[str, Any]]) -> Any:
    """Return a Matplotlib figure of the loss, and of its terms if there are several, with one curve per output.

    The vertical axis is logarithmic unless a loss is zero, which has no logarithm.
    """
    from matplotlib.figure import Figure  # slow to import, and needed only once, at the end of a run

    drawing = Figure(figsize=(6, 4), layout="constrained")
    scale = "log" if np.min([line["loss"] for line in lines]) > 0 else "linear"
    axes = drawing.add_subplot(xlabel="step", ylabel="loss", yscale=scale)
    steps = [line["step"] for line in lines]
    marker = "." if len(lines) == 1 else ""  # a line through one point would be invisible
    axes.plot(steps, [line["loss"] for line in lines], label="loss", marker=marker)
    if len(lines[0]["terms"]) > 1:
        for term in lines[0]["terms"]:
            axes.plot(steps, [line["terms"][term] for line in lines], label=term, linewidth=0.8, marker=marker)
        axes.legend()
    return drawing
