"""Real photographs, five folds by group: what the shipped base, continued and adapted, knows of a public catalogue.

Belongs here: folds, one candidate a fold, the pooled scores beside their floors. Not here: the training
(train_candidate), the scoring of one candidate (score_artefact).

Each product is in the test part of exactly one fold, its group with it; the answers of all folds are scored together,
so that every photograph counts once. A fold that is done is kept in OUT and not done again; a killed one goes on from
its checkpoints. The photographs are found by SELVEDGE_PHOTOGRAPHS; nothing derived from them belongs into the project.

Run: `python -m benchmarks.real_photographs --out DIR`.
"""

import argparse
import hashlib
import json
import os
import sys
import time
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pandas as pd
import torch

from catalog.errors import SelvedgeError
from catalog.qa import make_qa_pairs
from catalog.schema import COLUMNS, load_schema
from catalog.tables import publish_bytes
from catalog.workspace import SUMMARY_FILE, Catalogue, open_catalogue, read_into
from evaluation.answers import normalise
from evaluation.plots import score_plot
from evaluation.scores import ALL, CANDIDATE, FLOOR, ScoreSettings, intervals_apart, score_subjects
from training.blip2.base import Base
from training.blip2.candidate import prepare_base, train_candidate
from training.blip2.features import FeatureStore, compute_features
from training.blip2.linear_heads import LINEAR_HEADS, linear_head_answers
from training.blip2.scoring import LabelledCatalogue, score_artefact, split_rows
from training.blip2.settings import Blip2CandidateSettings, ContinuationSettings, LoraSettings
from training.catalogue import CatalogueTables, gather_tables
from training.reporting import Silent
from training.settings import settings_of_file

PHOTOGRAPHS = Path(os.environ.get("SELVEDGE_PHOTOGRAPHS", Path(__file__).resolve().parents[2] / "shared" / "data"))
FAMILY = "blip2-attributes"
TARGETS = ("Article Type", "Colour")  # must be above the best floor with intervals apart; the others are reported
METRICS = ("accuracy", "macro_f1_min20")
VALIDATION_SHARE = 0.1
# Shorter than the defaults, so that five candidates fit into 25 minutes of two cores.
SHORT = Blip2CandidateSettings(
    continuation=ContinuationSettings(steps=180), lora=LoraSettings(steps=440, validate_every=220)
)


class Progress(Silent):
    """A line on stderr now and then."""

    def __init__(self, fold: int) -> None:
        self.fold, self.last = fold, 0.0

    def progress(self, done: int, total: int, what: str) -> None:
        if time.monotonic() - self.last > 15 or done == total:
            self.last = time.monotonic()
            print(f"fold {self.fold}: {what} {done}/{total}", file=sys.stderr, flush=True)


def fold_of_groups(groups: "pd.Series[str]", folds: int) -> dict[str, int]:
    """A fold for every group, of nearly equal numbers of products; the same for the same catalogue.

    Args:
        groups: the group of every product.
    """
    sizes = groups.value_counts()
    ordered = sorted(sizes.index, key=lambda name: (-sizes[name], _hash(name)))
    filled = [0] * folds
    chosen: dict[str, int] = {}
    for name in ordered:
        chosen[name] = filled.index(min(filled))
        filled[chosen[name]] += int(sizes[name])
    return chosen


def fold_tables(catalogue: Catalogue, fold: int, folds: int) -> CatalogueTables:
    """The catalogue with fold `fold` as its test part and a tenth of the other groups as validation."""
    splits = catalogue.splits.to_pandas()
    splits = splits[splits["split"] != "excluded"]
    fold_of = fold_of_groups(splits["group_id"], folds)

    def part(group: str) -> str:
        if fold_of[group] == fold:
            return "test"
        return "validation" if _hash(f"validation {group}") < VALIDATION_SHARE else "train"

    splits = splits.assign(split=splits["group_id"].map(part))
    products = catalogue.products.to_pandas()
    pairs = make_qa_pairs(catalogue.products, splits, load_schema(), COLUMNS).table.to_pandas()
    return gather_tables(products, catalogue.images.to_pandas(), splits, pairs, question_set=COLUMNS)


def run_fold(catalogue: Catalogue, fold: int, folds: int, settings: Blip2CandidateSettings, out: Path) -> pd.DataFrame:
    """Answers of every subject to the test rows of one fold, with a column `subject`; kept in `out`."""
    folder = out / f"fold-{fold}"
    kept = folder / "predictions.parquet"
    if kept.exists():
        return pd.read_parquet(kept)
    begin = time.monotonic()
    tables, reporter = fold_tables(catalogue, fold, folds), Progress(fold)
    result = train_candidate(tables, settings, out / "features", folder, reporter)
    rows = LabelledCatalogue(tables.products, tables.images, tables.qa_pairs)
    base = prepare_base(tables, settings, folder, reporter)  # as it was left by the training
    store = FeatureStore(out / "features", base, settings.feature_precision)
    compute_features(base, tables.items("test"), store)
    met = replace(settings.lora, steps=result.lora.steps)
    scored = score_artefact(
        result.artefact, rows, out / "features", family=FAMILY, candidate=f"fold-{fold}",
        ceilings={LINEAR_HEADS: _head_answers(tables, rows, base, met, store)},
        settings=ScoreSettings(resamples=2, slices=()), reporter=reporter,
    )  # fmt: skip
    answers = pd.concat([frame.assign(subject=name) for name, frame in scored.predictions.items()], ignore_index=True)
    seconds = {**result.seconds, "all": round(time.monotonic() - begin, 1)}
    publish_bytes(json.dumps(seconds).encode(), folder / "seconds.json")
    publish_bytes(answers.to_parquet(), kept)
    print(f"fold {fold}: {seconds['all']:.0f} s", file=sys.stderr, flush=True)
    return answers


def _head_answers(
    tables: CatalogueTables, rows: LabelledCatalogue, base: Base, settings: LoraSettings, store: FeatureStore
) -> pd.DataFrame:
    """What linear heads on the candidate's own features answer, after the same samples."""
    pictures = tables.images.drop_duplicates("product_id", keep="last").set_index("product_id")["sha256"].to_dict()
    test = split_rows(rows, "test")
    return linear_head_answers(base, tables.pairs(), tables.schema, store, settings, test, pictures)


def measure(
    photographs: Path, out: Path, folds: int, settings: Blip2CandidateSettings, first: int | None = None
) -> tuple[dict[str, Any], pd.DataFrame]:
    """Figures of the folds together, and their scores.

    Args:
        first: only so many of the folds; None takes all.

    Raises:
        SelvedgeError: the photographs are missing, or settings differ from those of the folds already there.
    """
    if not (photographs / "styles.csv").is_file():
        raise SelvedgeError(f"no catalogue at {photographs}; set SELVEDGE_PHOTOGRAPHS to the folder that holds it.")
    _hold_to(out / "settings.json", {"photographs": str(photographs), "folds": folds, "settings": repr(settings)})
    if not (out / "catalogue" / SUMMARY_FILE).exists():
        read_into(photographs, "photographs", out / "catalogue", question_set=COLUMNS)
    catalogue = open_catalogue(out / "catalogue")
    chosen = range(folds)[:first]
    answers = pd.concat([run_fold(catalogue, fold, folds, settings, out) for fold in chosen])
    subjects = {str(name): rows.drop(columns="subject") for name, rows in answers.groupby("subject")}
    scores = score_subjects(subjects, FAMILY, "five-folds")
    seconds = [json.loads((out / f"fold-{fold}" / "seconds.json").read_text()) for fold in chosen]
    figures = {
        "products": int(answers["product_id"].nunique()),
        "folds": folds,
        "folds_done": len(chosen),
        "seconds": {"all": sum(one["all"] for one in seconds), "by_fold": seconds},
        "attributes": {name: _figures(scores, name, subjects[CANDIDATE]) for name in _attributes(scores)},
    }
    return figures, scores


def _figures(scores: pd.DataFrame, attribute: str, candidate: pd.DataFrame) -> dict[str, Any]:
    """Accuracy and macro-F1 of every subject with intervals, the best floor, whether the candidate is clear of it."""
    chosen = scores[(scores["attribute"] == attribute) & (scores["slice"] == ALL)]
    truths = candidate.loc[candidate["attribute"] == attribute, "truth"].map(normalise).value_counts()
    found: dict[str, Any] = {
        "rows": int(truths.sum()), "classes": len(truths), "classes_with_20_rows": int((truths >= 20).sum())
    }  # fmt: skip
    for metric in METRICS:
        rows = chosen[chosen["metric"] == metric].set_index("subject")
        floors = rows[[name.startswith(FLOOR) for name in rows.index]]
        best = str(floors["value"].idxmax())
        found[metric] = {
            "subjects": {
                str(name): [float(row["value"]), float(row["low"]), float(row["high"])] for name, row in rows.iterrows()
            },
            "best_floor": best,
            "intervals_apart": intervals_apart(scores, attribute, CANDIDATE, best, metric),
        }
    return found


def describe(figures: Mapping[str, Any]) -> str:
    """The table a person reads."""
    lines = [
        f"real photographs, {figures['products']} products, {figures['folds_done']} of {figures['folds']} "
        f"folds by group, {figures['seconds']['all'] / 60:.1f} minutes"
    ]
    for attribute, found in figures["attributes"].items():
        lines.append(f"{attribute}: {found['rows']} rows, {found['classes_with_20_rows']} classes with 20 rows or more")
        for metric in METRICS:
            one = found[metric]
            value, low, high = one["subjects"][CANDIDATE]
            floor = one["subjects"][one["best_floor"]]
            verdict = "intervals apart" if one["intervals_apart"] else "intervals overlap"
            wanted = " (target)" if attribute in TARGETS else ""
            lines.append(
                f"  {metric:15s} candidate {value:.3f} [{low:.3f}, {high:.3f}]   best floor {floor[0]:.3f} "
                f"[{floor[1]:.3f}, {floor[2]:.3f}] {one['best_floor'].removeprefix(FLOOR)}   {verdict}{wanted}"
            )
            others = [f"{name} {figure[0]:.3f}" for name, figure in one["subjects"].items() if name != CANDIDATE]
            lines.append(f"  {'':15s} {', '.join(others)}")
    return "\n".join(lines)


def _attributes(scores: pd.DataFrame) -> list[str]:
    return sorted(set(scores["attribute"]) - {"mean"})


def _hold_to(file: Path, wanted: dict[str, Any]) -> None:
    """One folder holds the folds of one setting: mixing two would pool answers of different models."""
    if not file.exists():
        publish_bytes(json.dumps(wanted, indent=1).encode(), file)
    elif json.loads(file.read_text()) != wanted:
        raise SelvedgeError(f"{file.parent} holds folds of other settings; take another --out or delete it.")


def _hash(text: str) -> float:
    """A number in [0, 1) that depends on the text alone."""
    return int(hashlib.sha256(text.encode()).hexdigest()[:12], 16) / 16**12


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--photographs", type=Path, default=PHOTOGRAPHS / "kaggle-fashion")
    parser.add_argument("--out", type=Path, default=Path(".selvedge/benchmarks/real-photographs"))
    parser.add_argument("--config", type=Path, help="candidate settings (YAML); short ones otherwise")
    parser.add_argument("--folds", type=int, default=5)
    parser.add_argument("--first", type=int, help="only so many of the folds, for a quick look")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    settings = settings_of_file(Blip2CandidateSettings, arguments.config) if arguments.config else SHORT
    settings = replace(settings, question_set=COLUMNS)
    try:
        figures, scores = measure(arguments.photographs, arguments.out, arguments.folds, settings, arguments.first)
    except SelvedgeError as error:
        print(error, file=sys.stderr)
        return 1
    publish_bytes(json.dumps(figures, indent=1).encode(), arguments.out / "figures.json")
    publish_bytes(score_plot(scores, "macro_f1_min20", "Real photographs, five folds"), arguments.out / "scores.png")
    print(json.dumps(figures) if arguments.json else describe(figures))
    return 0


if __name__ == "__main__":
    sys.exit(main())
