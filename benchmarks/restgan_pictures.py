"""The pictures of the ReStGAN ladder: strips of refinements, one row a rung, and the way to the real pictures.

Belongs here: choosing the queries that are shown, laying them out, the plot. Not here: the figures
(restgan_figures.py), the colour table's picture (training/restgan/colour_picture.py).

The strips are made of drawn data only: pictures that a model learnt from photographs never enter the project.
"""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from benchmarks.restgan_figures import Ladder
from benchmarks.restgan_runs import DRAWN, REAL
from evaluation.neighbours import nearest_real
from evaluation.plot_style import FLOOR_COLOUR, MUTED, SERIES, legend_below, png, styled_figure
from training.attribute_judge import AttributeJudge
from training.restgan.dataset import Bottoms
from training.restgan.grids import BACKDROP, INK, chosen_rows
from training.restgan.sampling import RestganModel
from training.restgan.words import stack_queries

if TYPE_CHECKING:
    from matplotlib.axes import Axes

TITLES = {DRAWN: "Drawn bottoms", REAL: "Photographs of bottoms"}
QUERIES, WORDS = 3, 4
SIDE = 96  # pixels, at least about that; small pictures are enlarged by whole ones, which keeps edges and a small file
GAP, BETWEEN, LABEL, HEAD = 4, 18, 212, 26  # pixels
FAINT = (112, 116, 122)
LEAST_SHOWN = 1e-3  # of a KID on a logarithmic axis; an unbiased estimate may fall below 0
FITTING = "real: a held-out product\nthat fits the words"


def shown_queries(held_out: Bottoms) -> Bottoms:
    """The rows whose queries are shown: as many words as fit, every attribute named, classes as different as can be."""
    said = held_out.mentioned[np.arange(len(held_out)), held_out.lengths - 1].all(axis=1)
    fitting = held_out.take(np.flatnonzero(said & (held_out.lengths == WORDS)))
    return fitting.take(chosen_rows(fitting, QUERIES))


def ladder_strips(
    models: Mapping[str, RestganModel], held_out: Bottoms, judge: AttributeJudge, notes: Mapping[str, str] | None = None
) -> Image.Image:
    """The same queries and noise down the page, one row a model, one column a word; real products on top.

    Args:
        models: label -> model, in the order of the rows; the last one's pictures choose the real products.
        notes: label -> a line under it.
    """
    shown = shown_queries(held_out)
    queries = [str(query) for query in shown.rows["query"]]
    drawn = {label: model.draw(queries, seed=0) for label, model in models.items()}
    last = list(models)[-1]
    encoded = [models[last].encode(query) for query in queries]
    real = [fitting_products(held_out, judge, row, drawn[last][place], stack_queries([encoded[place]])["mentioned"][0])
            for place, row in enumerate(shown.labels)]  # fmt: skip
    rows = {FITTING: real, **drawn}
    side = shown.size * max(1, SIDE // shown.size)
    group = WORDS * (side + GAP) + BETWEEN
    sheet = Image.new("RGB", (LABEL + QUERIES * group, HEAD + len(rows) * (side + GAP) + GAP), BACKDROP)
    pen, font, small = ImageDraw.Draw(sheet), ImageFont.load_default(14), ImageFont.load_default(12)
    for line, (label, strips) in enumerate(rows.items()):
        top = HEAD + line * (side + GAP)
        pen.multiline_text((GAP * 2, top + side // 2 - 20), label, INK, font, spacing=3)
        pen.text((GAP * 2, top + side // 2 + 2), (notes or {}).get(label, ""), FAINT, small)
        for place, strip in enumerate(strips):
            for column, picture in enumerate(strip[:WORDS]):
                left = LABEL + place * group + column * (side + GAP)
                if line == 0:
                    word = encoded[place].texts[column]
                    pen.text((left + 1, 5), word if column == 0 else f"+ {word}", INK, font)
                sheet.paste(Image.fromarray(picture).resize((side, side), Image.Resampling.NEAREST), (left, top))
    return sheet


def fitting_products(
    held_out: Bottoms, judge: AttributeJudge, wanted: np.ndarray, drawn: np.ndarray, mentioned: np.ndarray
) -> np.ndarray:
    """(L, side, side, 3) uint8: after each word the held-out product that fits all attributes named so far and, among
    those, looks to the judge most like the picture drawn.

    Args:
        wanted: (3,) classes of the whole query. drawn: (L, side, side, 3) uint8. mentioned: (L, 3) bool.
    """
    features, found = judge.features(drawn), []
    for feature, named in zip(features, mentioned, strict=True):
        fits = np.flatnonzero(((held_out.labels == wanted) | ~named).all(axis=1))
        _, nearest = nearest_real(feature[None], judge.features(held_out.pictures[fits]))
        found.append(held_out.pictures[fits[nearest[0]]])
    return np.stack(found)


def distance_plot(ladders: Sequence[Ladder], labels: Mapping[str, str]) -> bytes:
    """PNG: KID over images seen, a line a rung (mean over the seeds, all of them as a band), one panel a ladder."""
    with styled_figure(5.4 * len(ladders), 4.6) as figure:
        panels = np.atleast_1d(figure.subplots(1, len(ladders)))
        for axes, ladder in zip(panels, ladders, strict=True):
            _distances(axes, ladder, labels)
        panels[0].set_ylabel("KID ×1000 in the judge's features")
        legend_below(figure, panels[0])
        return png(figure)


def _distances(axes: "Axes", ladder: Ladder, labels: Mapping[str, str]) -> None:
    from matplotlib.ticker import LogLocator, NullFormatter, NullLocator

    for place, (rung, cost) in enumerate(ladder.costs.items()):
        curves = np.array(cost.curves)
        images, kid = curves[0, :, 0], 1000 * np.maximum(curves[:, :, 2], LEAST_SHOWN)
        axes.plot(images, kid.mean(axis=0), color=SERIES[place], marker="o", markersize=4, linewidth=1.8,
                  label=labels[rung])  # fmt: skip
        axes.fill_between(images, kid.min(axis=0), kid.max(axis=0), color=SERIES[place], alpha=0.13, linewidth=0)
    floor = 1000 * ladder.floors["kid"].high
    axes.axhline(floor, color=FLOOR_COLOUR, linewidth=1.6, linestyle=(0, (4, 3)))
    said = f"real against real: below {floor:,.0f} in 97.5 % of splits"
    axes.annotate(said, (0.01, floor), (0, 4), xycoords=("axes fraction", "data"), textcoords="offset points",
                  fontsize=8.5, color=MUTED)  # fmt: skip
    axes.set_yscale("log")
    low, high = axes.get_ylim()
    axes.set_ylim(low / 1.1, high * 1.25)
    axes.yaxis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0)))
    axes.yaxis.set_major_formatter(lambda value, _: f"{value:,.0f}")
    axes.yaxis.set_minor_formatter(NullFormatter())
    axes.yaxis.set_minor_locator(NullLocator())
    axes.set_xlim(0, 105_000)
    axes.xaxis.set_major_formatter(lambda value, _: f"{value / 1000:.0f}k")
    axes.grid()
    axes.set_xlabel("real pictures seen in training")
    seeds = f"{len(ladder.seeds)} seed" + ("s" if len(ladder.seeds) > 1 else "")
    axes.set_title(f"{TITLES[ladder.data]}, {ladder.side} px, {seeds}")
