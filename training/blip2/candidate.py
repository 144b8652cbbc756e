"""One candidate, from published tables to an artefact: features, adapter, merge check, decoding, calibration.

Belongs here: the order of the steps and what is measured on validation. Not here: each step (their own files), scores
on the test split (evaluation/), the registry (orchestration/).

Every step can be taken up again: features are cached, training resumes, a finished adapter is recognised. Running the
same command after a kill ends in the same artefact.
"""

import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch

from catalog.schema import COLUMNS, AttributeSchema
from evaluation.classification import macro_f1
from training.blip2.adapter import MergeCheck, attach_saved, merge_and_check
from training.blip2.answers import Decoding, PictureQuestion, Scores, answer_all, answer_tries
from training.blip2.artefact import save_artefact
from training.blip2.base import Base, load_base
from training.blip2.calibration import Calibration, fit_calibration
from training.blip2.continuation import continue_base
from training.blip2.features import FeatureStore, compute_features
from training.blip2.lora import LoraResult, train_lora
from training.blip2.settings import Blip2CandidateSettings
from training.catalogue import CatalogueTables
from training.reporting import Reporter

MERGE_QUESTIONS = 256


@dataclass(frozen=True)
class CandidateResult:
    """A candidate that can be scored.

    Attributes:
        artefact: the folder for `load_artefact`. digest: of it.
        validation_macro_f1: mean over attributes, by decoding.
        seconds: by step.
    """

    artefact: Path
    digest: str
    decoding: Decoding
    validation_macro_f1: dict[str, float]
    calibration: Calibration
    merge: MergeCheck
    lora: LoraResult
    base_digest: str
    seconds: dict[str, float]

    def to_dict(self) -> dict[str, Any]:
        """Plain data, for `--json`, run parameters and reports."""
        return {
            "artefact": str(self.artefact),
            "digest": self.digest,
            "decoding": self.decoding,
            "validation_macro_f1": self.validation_macro_f1,
            "calibration": self.calibration.to_dict(),
            "merge": self.merge.to_dict(),
            "lora": asdict(self.lora) | {"adapter": str(self.lora.adapter)},
            "base_digest": self.base_digest,
            "seconds": self.seconds,
        }


def train_candidate(
    tables: CatalogueTables, settings: Blip2CandidateSettings, features_root: Path, out: Path, reporter: Reporter
) -> CandidateResult:
    """Train, check, calibrate and save a candidate of the family `blip2-attributes`.

    Args:
        features_root: folder of the feature cache, shared by all candidates (`.selvedge/features`).
        out: folder of this candidate: `base/` (only when continued), `adapter/`, `model/` (the artefact).

    Raises:
        TrainingStopped: SIGTERM or Ctrl-C; run again to go on.
        SelvedgeError: see the steps.
    """
    clock = _Clock()
    if settings.lora.threads:
        torch.set_num_threads(settings.lora.threads)
    with clock.step("base"):
        base = prepare_base(tables, settings, out, reporter)
    store = FeatureStore(features_root, base, settings.feature_precision)
    with clock.step("features"):
        _fill(base, tables.items("train"), store, settings.lora.views, reporter)
        _fill(base, tables.items("validation"), store, 1, reporter)
    pairs = tables.pairs()
    with clock.step("lora"):
        lora = train_lora(base, pairs, tables.schema, store, settings.lora, out, reporter)
    with clock.step("calibration"):
        choice = _choose(base, tables.schema, pairs[pairs["split"] == "validation"], store, settings, lora.adapter)
    with clock.step("save"):
        notes = {
            "settings": asdict(settings),
            "lora": asdict(lora) | {"adapter": None},
            "merge": choice.merge.to_dict(),
        }
        digest = save_artefact(
            out / "model",
            base,
            lora.adapter,
            tables.schema,
            tables.question_set,
            choice.decoding,
            choice.calibration,
            settings.feature_precision,
            notes | {"validation_macro_f1": choice.macro_f1},
        )
    reporter.metrics(lora.steps, {f"validation/macro_f1_{name}": value for name, value in choice.macro_f1.items()})
    return CandidateResult(
        artefact=out / "model",
        digest=digest,
        decoding=choice.decoding,
        validation_macro_f1=choice.macro_f1,
        calibration=choice.calibration,
        merge=choice.merge,
        lora=lora,
        base_digest=base.digest,
        seconds=clock.seconds,
    )


def prepare_base(tables: CatalogueTables, settings: Blip2CandidateSettings, out: Path, reporter: Reporter) -> Base:
    """The base to adapt: as named in the settings, continued on the catalogue's questions where that is wanted."""
    device = "cuda" if torch.cuda.is_available() else "cpu"
    base = load_base(settings.base, device=device)
    wanted = settings.continue_base
    if wanted is None:
        wanted = tables.question_set == COLUMNS and not base.profile.weights_id  # a published base has seen the world
    if not wanted:
        return base
    asked = tables.with_coarse_columns()
    return continue_base(
        base, asked.pairs(), asked.schema, dict(tables.items("train")), settings.continuation, out / "base", reporter
    )


@dataclass(frozen=True)
class _Choice:
    decoding: Decoding
    macro_f1: dict[str, float]
    calibration: Calibration
    merge: MergeCheck


def _choose(
    base: Base,
    schema: AttributeSchema,
    pairs: pd.DataFrame,
    store: FeatureStore,
    settings: Blip2CandidateSettings,
    adapter: Path,
) -> _Choice:
    """Answer all of validation with adapter and with merged weights; take the better decoding, calibrate it."""
    questions = ask_pairs(base, schema, pairs)
    adapted = attach_saved(base, adapter)
    features = store.read(questions.images).to(base.device)
    scores: dict[Decoding, list[Scores]] = {}
    modes: tuple[Decoding, ...] = ("trie", "scored") if settings.decoding == "auto" else (settings.decoding,)
    for mode in modes:
        scores[mode] = answer_all(base, features, questions.asked, mode)
    figures = {mode: questions.macro_f1(answers) for mode, answers in scores.items()}
    best = max(modes, key=lambda mode: figures[mode])
    sample = questions.asked[:MERGE_QUESTIONS]
    merge = merge_and_check(base, adapted, features, sample, best, settings.merge_tolerance)
    calibration = fit_calibration(questions.attributes, scores[best], questions.truths, settings.risk)
    return _Choice(best, {str(mode): value for mode, value in figures.items()}, calibration, merge)


@dataclass(frozen=True)
class PairQuestions:
    """Q&A pairs as questions with known truths; `asked[i].image` is a row of `images`."""

    images: list[str]
    asked: list[PictureQuestion]
    attributes: list[str]
    truths: list[int]

    def macro_f1(self, scores: list[Scores]) -> float:
        """Mean over attributes of the macro-F1 of the chosen answers."""
        truth = np.array(
            [asked.trie.answers[index] for asked, index in zip(self.asked, self.truths, strict=True)], dtype=object
        )
        answers = [asked.trie.answers[s.answer_index] for asked, s in zip(self.asked, scores, strict=True)]
        given = np.array(answers, dtype=object)
        names = np.array(self.attributes, dtype=object)
        return float(
            np.mean([macro_f1(truth[names == name], given[names == name]) for name in dict.fromkeys(self.attributes)])
        )


def ask_pairs(base: Base, schema: AttributeSchema, pairs: pd.DataFrame) -> PairQuestions:
    """Pairs (columns image_sha256, attribute, question, value) as questions over the schema's vocabularies."""
    tries = answer_tries(schema, base)
    images = list(dict.fromkeys(pairs["image_sha256"]))
    row_of = {sha256: row for row, sha256 in enumerate(images)}
    rows = list(zip(pairs["image_sha256"], pairs["question"], pairs["attribute"], pairs["value"], strict=True))
    return PairQuestions(
        images=images,
        asked=[PictureQuestion(row_of[sha256], question, tries[attribute]) for sha256, question, attribute, _ in rows],
        attributes=[attribute for _, _, attribute, _ in rows],
        truths=[schema.attributes[attribute].vocabulary.index(value) for _, _, attribute, value in rows],
    )


def _fill(base: Base, items: list[tuple[str, str]], store: FeatureStore, views: int, reporter: Reporter) -> None:
    compute_features(base, items, store, views, lambda done, total: reporter.progress(done, total, "features"))


class _Clock:
    """Seconds of named steps."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}
        self._name, self._begin = "", 0.0

    def step(self, name: str) -> "_Clock":
        self._name = name
        return self

    def __enter__(self) -> None:
        self._begin = time.monotonic()

    def __exit__(self, *_: object) -> None:
        self.seconds[self._name] = round(time.monotonic() - self._begin, 2)
