"""The plot of a judged drop, as PNG bytes in the house style.

Belongs here: drawing a judgement that is given. Not here: judging (drift.py).
"""

import numpy as np

from evaluation.drift import Judgement
from evaluation.plot_style import COLOURS, FLOOR_COLOUR, INK, MUTED, png, readable, styled_figure
from evaluation.scores import CANDIDATE, CHAMPION

GOLDEN = 0.618  # spreads marks that lie on each other, the same way each time


def drift_plot(judgement: Judgement, drop: str) -> bytes:
    """Every statistic a line: the earlier drops as grey marks, this one in colour, and the limit.

    Args:
        judgement: with at least one statistic.
    """
    rows = judgement.statistics
    with styled_figure(7.2, 1.3 + 0.95 * len(rows)) as figure:
        panels = np.atleast_1d(figure.subplots(len(rows), 1))
        for axes, statistic in zip(panels, rows, strict=True):
            height = (np.arange(len(statistic.earlier)) * GOLDEN) % 1 - 0.5
            axes.plot(
                statistic.earlier, height, linestyle="none", marker="o", markersize=4.5, color=FLOOR_COLOUR, alpha=0.7,
                label=f"{judgement.drops} drops of the training snapshot",
            )  # fmt: skip
            axes.axvline(statistic.limit, color=INK, linewidth=1, linestyle=(0, (4, 2)), label="limit")
            colour = COLOURS[CHAMPION] if statistic.value > statistic.limit else COLOURS[CANDIDATE]
            axes.plot([statistic.value], [0], marker="D", markersize=8, color=colour, linestyle="none", label=drop)
            axes.set_ylim(-0.8, 0.8)
            axes.set_yticks([])
            axes.spines["left"].set_visible(False)
            axes.set_title(f"{readable(statistic.name)}   p = {statistic.p:.3g} by itself", fontsize=10, color=MUTED)
        handles, labels = panels[0].get_legend_handles_labels()
        figure.legend(handles, labels, loc="outside lower center", ncols=3, handletextpad=0.3)
        verdict = "differs" if judgement.alarm else "is like the earlier drops"
        figure.suptitle(
            f"{drop} {verdict}: p = {judgement.p:.3g} over all, alarm at {judgement.false_alarms:g}", x=0.01,
            ha="left", fontsize=12, fontweight="bold",
        )  # fmt: skip
        return png(figure)
