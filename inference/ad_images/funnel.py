"""The funnel of a drop's ads: how many were asked for, planned, passed and shown, and where the time went.

Belongs here: counts as a plot, seconds by stage. Not here: making the pictures (batch.py).
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from inference.ad_images.batch import AdOutcome


def funnel(outcomes: "Sequence[AdOutcome]") -> dict[str, int]:
    """Stage → count, over the orders that were made now: a kept one was judged when it was made."""
    made = [outcome for outcome in outcomes if not outcome.kept]
    return {
        "products asked for": len(made),
        "cut out and planned": sum(outcome.plans > 0 for outcome in made),
        "plans painted": sum(outcome.plans for outcome in made),
        "plans passed": sum(outcome.passed for outcome in made),
        "pictures shown": sum(len(outcome.rows) for outcome in made),
    }


def stage_seconds(outcomes: "Sequence[AdOutcome]") -> Mapping[str, float]:
    """Wall seconds by stage, over all worker processes, the longest first."""
    seconds: Counter[str] = Counter()
    for outcome in outcomes:
        for stage, spent in outcome.seconds.items():
            seconds[stage] += spent  # type: ignore[assignment]  # a Counter adds up numbers of any kind
    return dict(sorted(seconds.items(), key=lambda item: -item[1]))


def funnel_plot(outcomes: "Sequence[AdOutcome]") -> bytes:
    """The counts as bars, PNG."""
    from evaluation.plot_style import INK, SERIES, png, styled_figure

    counts = funnel(outcomes)
    with styled_figure(6.4, 0.5 + 0.42 * len(counts)) as figure:
        axes = figure.add_subplot()
        names, values = list(counts), list(counts.values())
        axes.barh(range(len(names)), values, color=SERIES[0], height=0.6)
        axes.set_yticks(range(len(names)), names)
        axes.invert_yaxis()
        for position, value in enumerate(values):
            axes.text(value, position, f" {value:,}", va="center", color=INK)
        axes.set_xlim(0, max(1, *values) * 1.12)
        axes.xaxis.set_visible(False)
        axes.spines[["top", "right", "bottom"]].set_visible(False)
        axes.tick_params(axis="y", length=0)
        return png(figure)
