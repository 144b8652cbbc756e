"""The ReStGAN ladder, (a) StackGAN to (e) ReStGAN: its tables, its targets, its pictures, from the kept runs.

Belongs here: printing and saving. Not here: the runs (restgan_runs.py, hours), the figures (restgan_figures.py), the
targets (restgan_targets.py), the pictures (restgan_pictures.py).

Run: `python -m benchmarks.restgan_ladder --out DIR [--photographs] [--save docs]` after `python -m
benchmarks.restgan_runs --out DIR [--photographs]`. A ladder that is still being made is shown as far as it is.
"""

import argparse
import io
import json
import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.restgan_figures import Ladder, measure_ladder
from benchmarks.restgan_pictures import TITLES, distance_plot, ladder_strips
from benchmarks.restgan_runs import DRAWN, REAL, SCALES, Run
from benchmarks.restgan_targets import targets
from catalog.errors import SelvedgeError
from catalog.tables import publish_bytes
from evaluation.generation_intervals import Floor
from evaluation.hierarchical import Resampled
from training.restgan.colour_picture import picture_of_table
from training.restgan.dataset import ATTRIBUTES, LAB
from training.restgan.sampling import load_artefact
from training.restgan.settings import VARIANTS

LABELS = {
    "stackgan": "(a) StackGAN", "stackgan-aux": "(b) + auxiliary classifier",
    "restgan-no-table": "(c) ReStGAN, no colour table", "restgan-bag": "(d) ReStGAN, no LSTM", "restgan": "(e) ReStGAN",
}  # fmt: skip
LEGEND = """Words: share of mentioned attributes that the judge finds in the picture, after every word or the last one.
IS: inception score of an attribute. Kinds shown: of the combinations of attributes that the judge finds among real
pictures. Copies: pictures nearer to a training picture than 1 % of the held-out ones; 0.010 is innocent. Gain: how
much more often an attribute is found after its word; retention: how often one that was found stays. Drift: move of
the picture at a word, as share of the move with new noise; no-op: at a word nobody knows. 95 % intervals resample
queries and groups of real products, and where there are several seeds the mean over them moves as Student's t: 1,000
draws, the same for all rungs.
"""
OWN, OTHERS = "real pictures (ceiling)", "real pictures, other words (floor)"
PER_MILLE = ("kid", "kid_even")
STRIPS = {32: "restgan_ladder.png", 128: "restgan_ladder_128.webp"}  # pixels of 128 are no longer few and alike
Column = tuple[str, str]
WORDS: tuple[Column, ...] = (
    ("words/all", "word by word"), *((f"words/{name}", name) for name in ATTRIBUTES), ("whole", "whole queries"),
    ("colour", "ΔE2000 to the asked colour"),
)  # fmt: skip
WHOLE: tuple[Column, ...] = (
    *((f"inception/{name}", f"IS {name}") for name in ATTRIBUTES), ("fid", "FID"),
    ("fid_as_floor", "FID at the floor's n"), ("kid", "KID ×1000"), ("kid_even", "KID ×1000, features at one length"),
    ("kinds", "kinds shown"), ("copies", "copies"),
)  # fmt: skip
REFINED: tuple[Column, ...] = (
    ("retention", "retention"), ("relative_retention", "÷ judge's own"), ("gain", "gain"),
    ("gain_share", "÷ fresh prompt's"), ("drift", "drift"), ("silent_drift", "no-op drift"),
    ("undo_released", "undo released"), ("order_agreement", "word order agrees"),
)  # fmt: skip


def report(ladder: Ladder) -> str:
    """All tables of one ladder, as Markdown."""
    exam = "; ".join(f"{name} {one.accuracy:.3f} [{one.low:.3f}, {one.high:.3f}], majority {one.majority:.3f}"
                     for name, one in ladder.judge.exam.items())  # fmt: skip
    lines = [
        f"## {TITLES[ladder.data]}, {ladder.side} px",
        f"{ladder.pictures:,} held-out queries, {ladder.queries} of them word by word; {_seeds(ladder)}.",
        f"Judge: {exam}; digest {ladder.judge.digest[:12]}, data {ladder.bottoms.digest[:12]}.",
        "", "### Does the picture show the words?", *_table(ladder, WORDS, {OWN: ladder.real, OTHERS: ladder.others}),
        "", "### Pictures as a whole", *_table(ladder, WHOLE, {OWN: ladder.real, **_floors(ladder)}),
        "", "### One more word", *_table(ladder, REFINED, {}),
        "", "### What it costs", *_costs(ladder),
    ]  # fmt: skip
    if found := targets(ladder, costs=ladder.side == 32):
        rows = [f"| {one.what} | {one.wanted} | {one.measured} | {one.verdict} |" for one in found]
        lines += ["", "### Targets", "| what | target | measured | |", "|---|---|---|---|", *rows]
    return "\n".join(lines) + "\n"


def results(ladder: Ladder) -> dict[str, Any]:
    """The same as plain data."""
    return {
        "data": ladder.data, "side": ladder.side, "pictures": ladder.pictures, "queries": ladder.queries,
        "seeds": list(ladder.seeds), "bottoms": ladder.bottoms.digest, "colour_table": ladder.bottoms.colours.digest,
        "judge": {"digest": ladder.judge.digest, "exam": {name: asdict(e) for name, e in ladder.judge.exam.items()}},
        "rungs": {
            rung: {**_plain(figures), **{name: _rounded(v) for name, v in ladder.plain[rung].items()},
                   "parameters": ladder.costs[rung].parameters, "minutes": _rounded(ladder.costs[rung].minutes),
                   "kid_while_training": [[list(leg) for leg in curve] for curve in ladder.costs[rung].curves]}
            for rung, figures in ladder.rungs.items()
        },
        "real": _plain(ladder.real), "real_with_other_words": _plain(ladder.others),
        "real_against_real": {name: {**_bounds(one), "pictures": one.rows} for name, one in ladder.floors.items()},
        "targets": [{"what": one.what, "wanted": one.wanted, "measured": one.measured,
                     "verdict": one.verdict.replace("**", ""), **(_bounds(one.figure) if one.figure else {})}
                    for one in targets(ladder, ladder.side == 32)],
        "artefacts": dict(ladder.artefacts),
    }  # fmt: skip


def save(ladders: Sequence[Ladder], out: Path, docs: Path) -> None:
    """Write figures, digests and pictures; of photographs the figures only."""
    content = {f"{one.data}-{one.side}": results(one) for one in ladders}
    publish_bytes((json.dumps(content, indent=1) + "\n").encode(), docs / "restgan_ladder.json")
    if first := [one for one in ladders if one.side == 32]:
        publish_bytes(distance_plot(first, LABELS), docs / "images" / "restgan_kid.png")
    for ladder in (one for one in ladders if one.data == DRAWN and one.side in STRIPS):
        folders = {rung: out / "runs" / Run(DRAWN, rung, ladder.seeds[0], ladder.side).name for rung in ladder.rungs}
        models = {LABELS[rung]: load_artefact(folder / "model") for rung, folder in folders.items()}
        notes = {LABELS[rung]: f"{figures['words/all'].value:.0%} of words obeyed"
                 for rung, figures in ladder.rungs.items()}  # fmt: skip
        strips = ladder_strips(models, ladder.bottoms.of("test"), ladder.judge, notes)
        encoded = io.BytesIO()
        strips.save(encoded, Path(STRIPS[ladder.side]).suffix[1:], optimize=True, quality=85)
        publish_bytes(encoded.getvalue(), docs / "images" / STRIPS[ladder.side])
    for ladder in (one for one in first if one.data == DRAWN):
        learnt = ladder.bottoms.of("train").rows
        table = picture_of_table(ladder.bottoms.colours, list(learnt["colour"]), learnt[list(LAB)].to_numpy())
        publish_bytes(table, docs / "images" / "restgan_colours.png")


def _table(ladder: Ladder, columns: Sequence[Column], beside: Mapping[str, Mapping[str, Resampled | str]]) -> list[str]:
    """One row a rung, then those beside them; columns that nobody has are left out."""
    rows: dict[str, dict[str, Resampled | float | str]] = {
        LABELS[rung]: {**figures, **ladder.plain[rung]} for rung, figures in ladder.rungs.items()
    }
    rows |= {label: dict(figures) for label, figures in beside.items()}
    there = [(name, title) for name, title in columns if any(name in figures for figures in rows.values())]
    body = [f"| {label} | " + " | ".join(_cell(figures.get(name), name) for name, _ in there) + " |"
            for label, figures in rows.items()]  # fmt: skip
    return ["| | " + " | ".join(title for _, title in there) + " |", "|---" * (len(there) + 1) + "|", *body]


def _cell(figure: Resampled | float | str | None, name: str) -> str:
    if figure is None or isinstance(figure, str):
        return figure or ""
    scale, digits = (1000, 1) if name in PER_MILLE else (1, 3 if name != "colour" else 1)
    if not isinstance(figure, Resampled):
        return f"{scale * figure:.{digits}f}"
    values = (figure.value, figure.interval.low, figure.interval.high)
    return "{} [{}, {}]".format(*(f"{scale * value:.{digits}f}" for value in values))


def _floors(ladder: Ladder) -> dict[str, dict[str, Resampled | str]]:
    cells = {name: f"{1000 * one.value:.1f} [{1000 * one.low:.1f}, {1000 * one.high:.1f}]"
             for name, one in ladder.floors.items() if name in PER_MILLE}  # fmt: skip
    if fid := ladder.floors.get("fid"):
        cells["fid_as_floor"] = f"{fid.value:.3f} [{fid.low:.3f}, {fid.high:.3f}]"
    return {f"real against real, {ladder.floors['kid'].rows} a side (floor)": dict(cells)}


def _costs(ladder: Ladder) -> list[str]:
    rows = [f"| {LABELS[rung]} | {cost.parameters:,} | {cost.minutes:.1f} |" for rung, cost in ladder.costs.items()]
    on_cpu = SCALES[ladder.side].device == "cpu"
    what = "CPU minutes a training" if on_cpu else "minutes a training, all at once on one GPU"
    return [f"| | parameters, text encoder and generator | {what} |", "|---|---|---|", *rows]


def _seeds(ladder: Ladder) -> str:
    """Which seeds are compared, and what a full ladder would have more."""
    scale = SCALES[ladder.side]
    wanted = scale.seeds[ladder.data]
    found = {rung: len(ladder.finished.get(rung, ())) for rung in VARIANTS if rung in scale.rungs}
    said = f"seeds compared: {', '.join(map(str, ladder.seeds))}"
    if len(ladder.seeds) == 1:
        said += " (intervals over queries only)"
    else:
        said += " (intervals over queries, and Student's t over seeds)"
    if min(found.values()) < wanted:
        said += f"; unfinished, of {wanted} seeds " + ", ".join(f"{LABELS[rung]} has {n}" for rung, n in found.items())
    return said


def _plain(figures: Mapping[str, Resampled]) -> dict[str, Any]:
    return {name: _bounds(one) for name, one in figures.items()}


def _bounds(one: Resampled | Floor) -> dict[str, Any]:
    ends = one.interval if isinstance(one, Resampled) else one
    return {"value": _rounded(one.value), "low": _rounded(ends.low), "high": _rounded(ends.high)}


def _rounded(value: float) -> float | None:
    """JSON has no NaN."""
    return round(float(value), 5) if np.isfinite(value) else None


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=Path(".selvedge/restgan-ladder"), help="where the runs are kept")
    parser.add_argument("--photographs", action="store_true", help="also the ladder on photographs")
    parser.add_argument("--save", type=Path, metavar="DOCS", help="folder for figures, digests and pictures")
    arguments = parser.parse_args()
    ladders = []
    for side, scale in SCALES.items():
        for data in scale.seeds:
            if data == REAL and not arguments.photographs:
                continue
            try:
                ladders.append(measure_ladder(data, side, arguments.out))
            except SelvedgeError as error:
                print(error, file=sys.stderr)
                continue
            print(report(ladders[-1]), flush=True)
    print(LEGEND if ladders else "", end="")
    if not ladders:
        raise SystemExit(1)
    if arguments.save:
        save(ladders, arguments.out, arguments.save)


if __name__ == "__main__":
    main()
