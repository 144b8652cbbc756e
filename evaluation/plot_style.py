"""The house style of every plot: one palette, one set of sizes, one way from a figure to PNG bytes.

Belongs here: what all plots share. Not here: any one plot (plots.py).

A subject keeps its colour and mark in every figure: floors are grey, ceilings a dark outline, base, champion and
candidate three hues that colour-blind readers tell apart. matplotlib is imported inside functions, so that reading a
metric never costs its second, and its global state is never touched.
"""

import io
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from evaluation.scores import BASE, CANDIDATE, CEILING, CHAMPION, FLOOR, MEAN

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

INK, MUTED, HAIRLINE, PAPER = "#1f2430", "#6b7280", "#e3e6eb", "#ffffff"
COLOURS = {CANDIDATE: "#0b6e99", CHAMPION: "#d98324", BASE: "#8d6cab"}
MARKS = {CANDIDATE: "o", CHAMPION: "D", BASE: "s"}
FLOOR_COLOUR, CEILING_COLOUR = "#a9b0ba", "#1f2430"
FLOOR_MARKS = ("|", "x", "+", "1")
CEILING_MARKS = ("^", "v", "*")
SERIES = ("#0b6e99", "#d98324", "#8d6cab", "#3d8b62", "#c2493d", "#5b6472")
DASHES = ("-", (0, (4, 1.5)), (0, (1, 1.2)))  # for the second and third round of the series
STYLE: dict[str, Any] = {
    "font.family": "DejaVu Sans",
    "font.size": 10,
    "axes.titlesize": 11.5,
    "axes.titleweight": "bold",
    "axes.titlelocation": "left",
    "axes.labelsize": 10,
    "axes.labelcolor": INK,
    "axes.edgecolor": MUTED,
    "axes.linewidth": 0.8,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.axisbelow": True,
    "xtick.color": INK,
    "ytick.color": INK,
    "xtick.labelsize": 9,
    "ytick.labelsize": 9,
    "text.color": INK,
    "grid.color": HAIRLINE,
    "grid.linewidth": 0.8,
    "legend.fontsize": 9,
    "legend.frameon": False,
    "figure.facecolor": PAPER,
    "savefig.facecolor": PAPER,
}


def readable(name: str) -> str:
    """How a name of the tables is written for people: `sleeve_length` gives "Sleeve length"."""
    special = {
        "macro_f1": "Macro-F1", "macro_f1_min20": "Macro-F1 (classes with at least 20 rows)", "ece": "ECE",
        "aurc": "AURC", MEAN: "Mean over attributes", "ceiling:cnn": "Ceiling: CNN",
    }  # fmt: skip
    if name in special:
        return special[name]
    text = name.replace("_", " ").replace(":", ": ").strip()
    return text[:1].upper() + text[1:]


def colour_of(name: str, position: int = 0) -> str:
    """A subject's colour; any other name takes the one of its position in the series."""
    if name.startswith(CEILING):
        return CEILING_COLOUR
    if name.startswith(FLOOR):
        return FLOOR_COLOUR
    return COLOURS.get(name, SERIES[position % len(SERIES)])


def percent_ticks(axes: "Axes", which: str) -> None:
    """Label `x`, `y` or `both` axes of shares in percent."""
    from matplotlib.ticker import PercentFormatter

    if which in ("x", "both"):
        axes.xaxis.set_major_formatter(PercentFormatter(1.0, decimals=0))
    if which in ("y", "both"):
        axes.yaxis.set_major_formatter(PercentFormatter(1.0, decimals=0))


def legend_below(figure: "Figure", axes: "Axes") -> None:
    """The legend of one panel under the whole figure, where it hides nothing."""
    handles, labels = axes.get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=min(4, max(1, len(labels))))


@contextmanager
def styled_figure(width: float, height: float, dpi: int = 144, **style: Any) -> Iterator["Figure"]:
    """A figure of so many inches in the house style, without pyplot and its global list of figures.

    Args:
        style: further matplotlib settings, dots written as two underscores.
    """
    import matplotlib as mpl
    from matplotlib.figure import Figure

    settings: dict[Any, Any] = STYLE | {name.replace("__", "."): value for name, value in style.items()}
    with mpl.rc_context(settings):
        yield Figure(figsize=(width, height), dpi=dpi, layout="constrained")


def png(figure: "Figure") -> bytes:
    """The figure as a PNG file."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg

    sink = io.BytesIO()
    FigureCanvasAgg(figure).print_png(sink, metadata={"Software": "Selvedge"})
    return sink.getvalue()
