"""Plots of an evaluation: what a person looks at in the Dagster page and in the report, as PNG bytes.

Belongs here: drawing scores, curves and pictures that are given. Not here: computing them.

Palette, marks and sizes are those of plot_style.py, so that a subject looks the same in every figure.
"""

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from catalog.errors import SelvedgeError
from evaluation import classification
from evaluation.plot_style import (
    CEILING_COLOUR,
    CEILING_MARKS,
    COLOURS,
    DASHES,
    FLOOR_COLOUR,
    FLOOR_MARKS,
    INK,
    MARKS,
    MUTED,
    PAPER,
    SERIES,
    colour_of,
    legend_below,
    percent_ticks,
    png,
    readable,
    styled_figure,
)
from evaluation.scores import ALL, BASE, CANDIDATE, CEILING, CHAMPION, FLOOR, MEAN, subject_order

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


def score_plot(scores: pd.DataFrame, metric: str = "macro_f1", title: str = "") -> bytes:
    """Every attribute a row, every subject a mark on it with its 95 % interval; the mean on top, apart.

    Args:
        scores: table `scores`, all rows of one candidate.

    Raises:
        SelvedgeError: no figure of this metric.
    """
    rows_of_metric = scores[(scores["metric"] == metric) & (scores["slice"] == ALL)].dropna(subset=["value"])
    if rows_of_metric.empty:
        raise SelvedgeError(f"the scores hold no {metric} to plot; score at least one subject.")
    subjects = sorted(rows_of_metric["subject"].unique(), key=subject_order)
    leader = next(name for name in (CANDIDATE, CHAMPION, BASE, subjects[-1]) if name in subjects)
    leading = rows_of_metric[rows_of_metric["subject"] == leader]
    order = leading.set_index("attribute")["value"].drop(index=MEAN, errors="ignore").sort_values(ascending=False)
    rows = [*([MEAN] if MEAN in set(rows_of_metric["attribute"]) else []), *order.index]
    models = [subject for subject in subjects if subject in COLOURS]
    with styled_figure(8.6, 1.9 + 0.46 * len(rows)) as figure:
        axes = figure.subplots()
        for row, attribute in enumerate(rows):
            _score_row(
                axes,
                row,
                rows_of_metric[rows_of_metric["attribute"] == attribute].set_index("subject"),
                subjects,
                models,
            )
        axes.set_yticks(range(len(rows)), [readable(name) for name in rows])
        axes.set_ylim(len(rows) - 0.4, -0.6)
        if rows[0] == MEAN:
            axes.axhspan(-0.6, 0.5, color="#f4f6f8", zorder=0)
            axes.get_yticklabels()[0].set_fontweight("bold")
        axes.set_xlim(-0.015, 1.015)
        axes.set_xticks(np.linspace(0, 1, 11))
        axes.grid(axis="x")
        axes.tick_params(axis="y", length=0)
        axes.set_xlabel(f"{readable(metric)} on the test products, with 95 % group-bootstrap interval")
        axes.set_title(title or f"{readable(metric)} by attribute", pad=22)
        figures = leading.set_index("attribute")["value"]
        colour = colour_of(leader)
        axes.text(1.035, -0.75, leader.partition(":")[2] or leader, color=colour, fontsize=9, va="bottom")
        for row, attribute in enumerate(rows):
            if attribute in figures.index:
                axes.text(1.035, row, f"{figures[attribute]:.2f}", color=colour, va="center", fontweight="bold")
        _score_legend(figure, subjects)
        return png(figure)


def _score_row(axes: "Axes", row: int, scores: pd.DataFrame, subjects: Sequence[str], models: Sequence[str]) -> None:
    """One attribute: floors and ceilings on the line, the models side by side so that intervals do not overlap."""
    offsets = {
        name: 0.2 * (1 - 2 * position / (len(models) - 1)) if models[1:] else 0.0
        for position, name in enumerate(models)
    }
    floors = [name for name in subjects if name.startswith(FLOOR) and name in scores.index]
    if floors:
        best = float(scores.loc[floors, "value"].max())
        axes.plot([0, best], [row, row], color=FLOOR_COLOUR, linewidth=7, alpha=0.28, solid_capstyle="butt", zorder=1)
    for subject in subjects:
        if subject not in scores.index:
            continue
        value, low, high = (float(scores[column][subject]) for column in ("value", "low", "high"))
        if subject in offsets:
            y, colour = row + offsets[subject], COLOURS[subject]
            axes.plot([low, high], [y, y], color=colour, linewidth=2.2, alpha=0.55, solid_capstyle="round", zorder=3)
            axes.plot([value], [y], color=colour, marker=MARKS[subject], markersize=5.5, zorder=4)
        else:
            if subject.startswith(CEILING):
                axes.plot([low, high], [row, row], color=CEILING_COLOUR, linewidth=0.9, zorder=1)
            axes.plot([value], [row], zorder=2, **_mark(subject, subjects))


def _mark(subject: str, subjects: Sequence[str]) -> dict[str, Any]:
    """How a floor or a ceiling is marked: its place among its kind chooses the sign."""
    if subject in COLOURS:
        return {"marker": MARKS[subject], "color": COLOURS[subject], "linestyle": "none", "markersize": 6}
    floor = subject.startswith(FLOOR)
    kind, marks = (FLOOR, FLOOR_MARKS) if floor else (CEILING, CEILING_MARKS)
    position = [name for name in subjects if name.startswith(kind)].index(subject) if subject.startswith(kind) else 0
    colour = MUTED if floor else CEILING_COLOUR
    face = {} if floor else {"markerfacecolor": PAPER}
    return {
        "marker": marks[position % len(marks)], "color": colour, "linestyle": "none", "markersize": 6.5,
        "markeredgewidth": 1.2, **face,
    }  # fmt: skip


def _score_legend(figure: "Figure", subjects: Sequence[str]) -> None:
    from matplotlib.lines import Line2D

    handles = [Line2D([], [], label=readable(name), **_mark(name, subjects)) for name in subjects]
    figure.legend(handles=handles, loc="outside lower center", ncols=min(4, len(handles)), handletextpad=0.3)


def coverage_risk_plot(
    curves: Mapping[str, classification.CoverageRisk],
    stated_risk: float | None = None,
    chosen: tuple[float, float] | None = None,
) -> bytes:
    """Risk against coverage, a line for each subject (or attribute); the stated risk as a level.

    Args:
        curves: name -> curve; subjects keep their colours, other names take the series.
        chosen: coverage and risk where the thresholds, one an attribute, have the model answer.
    """
    with styled_figure(6.4, 4.4) as figure:
        axes = figure.subplots()
        top = 0.05
        for position, (name, curve) in enumerate(curves.items()):
            # Risk over the first few answers is noise of one row; the eye would read it as a result.
            start = min(int(np.searchsorted(curve.coverage, 0.02)), len(curve.coverage) - 1)
            axes.plot(
                curve.coverage[start:], curve.risk[start:], color=colour_of(name, position), linewidth=1.9,
                linestyle=DASHES[position // len(SERIES) % len(DASHES)], label=readable(name),
            )  # fmt: skip
            top = max(top, float(curve.risk[start:].max()))
        if stated_risk is not None:
            axes.axhline(stated_risk, color=MUTED, linewidth=1, linestyle=(0, (4, 3)))
            axes.annotate(
                f"stated risk {stated_risk:.0%}", (0.0, stated_risk), (2, 3), textcoords="offset points", fontsize=8.5,
                color=MUTED,
            )  # fmt: skip
        if chosen is not None:
            axes.plot(*chosen, marker="o", markersize=7, color=MUTED, linestyle="none", label="as it answers")
            axes.annotate(
                f"answers {chosen[0]:.0%}, {chosen[1]:.1%} of them wrong", chosen, (-8, 8), textcoords="offset points",
                fontsize=8.5, color=MUTED, ha="right",
            )  # fmt: skip
            top = max(top, chosen[1])
        axes.set_xlim(0, 1)
        axes.set_ylim(0, min(1.0, max(top, stated_risk or 0.0) * 1.08))
        percent_ticks(axes, "both")
        axes.grid()
        axes.set_xlabel("coverage: share of questions answered, most confident first")
        axes.set_ylabel("risk: share of answers wrong")
        axes.set_title("Risk against coverage", pad=10)
        legend_below(figure, axes)
        return png(figure)


def reliability_plot(
    confidence: Mapping[str, Sequence[float]], correct: Mapping[str, Sequence[bool]], bins: int = 10
) -> bytes:
    """Accuracy against confidence for each subject, above the distribution of confidences.

    Args:
        confidence, correct: subject -> (rows,) confidences in [0, 1] and whether the answer was right.
    """
    with styled_figure(5.8, 5.6) as figure:
        upper, lower = figure.subplots(2, 1, sharex=True, gridspec_kw={"height_ratios": [3.2, 1]})
        upper.plot([0, 1], [0, 1], color=MUTED, linewidth=1, linestyle=(0, (4, 3)), label="perfect calibration")
        edges = np.linspace(0, 1, bins + 1)
        for position, name in enumerate(confidence):
            sure, right = np.asarray(confidence[name], dtype=float), np.asarray(correct[name], dtype=float)
            bin_of = classification.confidence_bins(sure, bins)
            rows = np.bincount(bin_of, minlength=bins)
            kept = rows > 0
            mean_sure = np.bincount(bin_of, weights=sure, minlength=bins)[kept] / rows[kept]
            mean_right = np.bincount(bin_of, weights=right, minlength=bins)[kept] / rows[kept]
            error = classification.expected_calibration_error(sure, right.astype(bool))
            colour, label = colour_of(name, position), f"{readable(name)} (ECE {error:.3f})"
            upper.plot(mean_sure, mean_right, color=colour, linewidth=1.6, alpha=0.8)
            areas = 14 + 90 * rows[kept] / rows.max()
            upper.scatter(mean_sure, mean_right, s=areas, color=colour, zorder=3, label=label, clip_on=False)
            lower.stairs(rows / rows.sum(), edges, color=colour, linewidth=1.6)
        upper.set_ylim(0, 1)
        upper.set_xlim(0, 1)
        percent_ticks(upper, "y")
        percent_ticks(lower, "both")
        lower.set_ylim(bottom=0)
        upper.grid()
        lower.grid(axis="x")
        upper.set_ylabel("accuracy")
        lower.set_ylabel("share of answers")
        lower.set_xlabel("confidence")
        upper.set_title("Is the confidence honest?", pad=10)
        legend = upper.legend(loc="upper left", handletextpad=0.4)
        for handle in legend.legend_handles:
            if hasattr(handle, "set_sizes"):
                handle.set_sizes([36])
        return png(figure)


def confusion_plot(predictions: pd.DataFrame, subject: str = CANDIDATE, largest: int = 12) -> bytes:
    """Small multiples, one confusion matrix an attribute, rows normalised to shares of the truth.

    Args:
        predictions: rows with attribute, truth, value. largest: classes shown; the rest are joined as "other".
    """
    groups = [(str(name), rows) for name, rows in predictions.groupby("attribute", sort=True)]
    columns = min(3 if len(groups) <= 6 else 4, len(groups))
    lines = math.ceil(len(groups) / columns)
    with styled_figure(max(6.4, 3.6 * columns), 0.6 + (4.8 if columns == 1 else 3.5) * lines) as figure:
        panels = np.atleast_1d(figure.subplots(lines, columns)).ravel()
        for axes, (name, rows) in zip(panels, groups, strict=False):
            _confusion(axes, name, *_joined(rows, largest))
        for axes in panels[len(groups) :]:
            axes.axis("off")
        figure.suptitle(
            f"Confusions of the {readable(subject).lower()}: shares of each true value (rows)\n", x=0.01, ha="left",
            fontsize=12, fontweight="bold",
        )  # fmt: skip
        return png(figure)


def _joined(rows: pd.DataFrame, largest: int) -> tuple[np.ndarray, list[str]]:
    """Counts (classes, classes + 1 for foreign answers) with the classes beyond the largest joined."""
    counts = rows["truth"].value_counts()
    kept = sorted(counts.index[: largest if len(counts) <= largest else largest - 1])
    rest = set(counts.index) - set(kept)
    truth = ["other" if value in rest else value for value in rows["truth"]]
    value = ["other" if answer in rest else answer for answer in rows["value"]]
    return classification.confusion_matrix(truth, value)


def _confusion(axes: "Axes", name: str, counts: np.ndarray, classes: list[str]) -> None:
    from matplotlib.colors import LinearSegmentedColormap

    foreign = counts[:, -1].any()
    shown = counts if foreign else counts[:, :-1]
    share = shown / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    shades = LinearSegmentedColormap.from_list("selvedge", ["#ffffff", "#b9d8e6", COLOURS[CANDIDATE], "#06384f"])
    axes.imshow(share, cmap=shades, vmin=0, vmax=1, aspect="auto")
    labels = [_short(value) for value in classes]
    columns = [*labels, "no value"][: shown.shape[1]]
    axes.set_xticks(range(len(columns)), columns, rotation=45, ha="right", rotation_mode="anchor")
    axes.set_yticks(range(len(labels)), labels)
    axes.tick_params(length=0, labelsize=7.5)
    axes.spines[:].set_visible(False)
    axes.set_title(f"{readable(name)}  (n = {counts.sum():,})", fontsize=10)
    size = 7.5 if len(classes) <= 8 else 6
    for (row, column), value in np.ndenumerate(share):
        if value >= 0.02:
            axes.text(
                column, row, f"{value * 100:.0f}", ha="center", va="center", fontsize=size,
                color=PAPER if value > 0.5 else INK,
            )  # fmt: skip


def learning_curves(history: Sequence[Mapping[str, float]], x: str = "step", title: str = "Learning curves") -> bytes:
    """Every metric of a training over its steps, one panel for each last part of the name (loss, macro_f1).

    Args:
        history: entries with `x` and metrics named like `train/loss`; an entry may lack some.

    Raises:
        SelvedgeError: no entry, or none with `x`.
    """
    frame = pd.DataFrame(list(history))
    if frame.empty or x not in frame:
        raise SelvedgeError(f"the training history has no {x} to plot over; train for at least one validation.")
    numeric = [str(name) for name in frame if pd.api.types.is_numeric_dtype(frame[name])]
    metrics = [name for name in numeric if name not in (x, "epoch", "step")]
    panels = list(dict.fromkeys(name.rsplit("/", 1)[-1] for name in metrics))
    with styled_figure(4.6 * max(1, len(panels)), 3.6) as figure:
        grid = np.atleast_1d(figure.subplots(1, max(1, len(panels)))).ravel()
        for axes, panel in zip(grid, panels, strict=True):
            for position, name in enumerate(n for n in metrics if n.rsplit("/", 1)[-1] == panel):
                drawn = frame[[x, name]].dropna()
                axes.plot(
                    drawn[x], drawn[name], color=SERIES[position % len(SERIES)], linewidth=1.8,
                    marker="o" if len(drawn) <= 30 else None, markersize=3.5, label=readable(name.rsplit("/", 1)[0]),
                )  # fmt: skip
            axes.set_title(readable(panel))
            axes.set_xlabel(readable(x).lower())
            axes.grid()
            if panel == "loss":
                axes.set_ylim(bottom=0)
            axes.legend(loc="best")
        figure.suptitle(title, x=0.01, ha="left", fontsize=12, fontweight="bold")
        return png(figure)


def _short(label: str, most: int = 16) -> str:
    return label if len(label) <= most else label[: most - 1].rstrip() + "…"
