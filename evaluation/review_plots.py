"""The plots of a round's report, as PNG bytes in the house style.

Belongs here: drawing a path of evidence that is given. Not here: computing it (evaluation/preference.py).
"""

from typing import TYPE_CHECKING

import numpy as np

from evaluation.ballots import BOTH_BAD, CANDIDATE, CHAMPION, TIE
from evaluation.plot_style import COLOURS, INK, MUTED, percent_ticks, png, styled_figure

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes

    from evaluation.preference_plan import PreferencePlan

SHOWN = {CANDIDATE: "candidate", CHAMPION: "opponent", TIE: "tie", BOTH_BAD: "both bad"}
CHOICE_COLOURS = {CANDIDATE: COLOURS[CANDIDATE], CHAMPION: COLOURS[CHAMPION], TIE: "#a9b0ba", BOTH_BAD: "#5b6472"}
CHOICE_MARKS = {CANDIDATE: "o", CHAMPION: "D", TIE: "|", BOTH_BAD: "x"}


def evidence_plot(path: "pd.DataFrame", plan: "PreferencePlan", opponent: str = "champion") -> bytes:
    """How share, interval and e-value moved with every ballot that counts.

    Args:
        path: from `evaluation.preference.evidence_path`; at least one row. opponent: champion or base.
    """
    ballots = path["ballot"].to_numpy()
    with styled_figure(8.8, 5.6) as figure:
        share, evidence = figure.subplots(2, 1, sharex=True, height_ratios=(1.1, 1))
        _shares(share, path, plan)
        evidence.set_yscale("log")
        evidence.axhline(plan.needed, color=INK, linewidth=1, linestyle=(0, (4, 2)))
        evidence.axhline(1, color=MUTED, linewidth=0.7)
        evidence.plot(ballots, path["e_value"], color=COLOURS[CANDIDATE], linewidth=1.3, alpha=0.55)
        for choice, mark in CHOICE_MARKS.items():
            rows = path[path["choice"] == choice]
            name = opponent if choice == CHAMPION else SHOWN[choice]
            evidence.plot(
                rows["ballot"], rows["e_value"], linestyle="none", marker=mark, color=CHOICE_COLOURS[choice],
                markersize=3.6 if mark in "oD" else 5, label=f"{name} ({len(rows)})",
            )  # fmt: skip
        top = max(plan.needed * 3, float(path["e_value"].max()) * 1.6)
        evidence.set_ylim(min(0.2, float(path["e_value"].min()) / 1.4), top)
        evidence.set_title(f"Evidence for a preference: e-value, {plan.needed:g} is needed")
        evidence.set_xlabel("ballots that count, in order of arrival")
        evidence.set_xlim(0, max(10, int(ballots[-1]) + 1))
        handles, labels = evidence.get_legend_handles_labels()
        figure.legend(handles, labels, loc="outside lower center", ncols=4, handletextpad=0.3)
        return png(figure)


def _shares(axes: "Axes", path: "pd.DataFrame", plan: "PreferencePlan") -> None:
    ballots = path["ballot"].to_numpy()
    axes.axhspan(0.5 - plan.difference, 0.5 + plan.difference, color="#eef0f3", zorder=0)
    axes.axhline(0.5, color=MUTED, linewidth=0.8)
    low, high = path["low"].to_numpy(), path["high"].to_numpy()
    axes.fill_between(ballots, low, high, color=COLOURS[CANDIDATE], alpha=0.14, linewidth=0, step="post")
    axes.plot(ballots, path["share"], color=COLOURS[CANDIDATE], linewidth=1.8)
    last = float(path["share"].iloc[-1])
    if np.isfinite(last):
        axes.annotate(f"{last:.0%}", (ballots[-1], last), xytext=(5, 0), textcoords="offset points", va="center")
    axes.set_ylim(0, 1)
    percent_ticks(axes, "y")
    axes.set_title("Decided ballots the candidate won, with its interval that stays valid at every look")
