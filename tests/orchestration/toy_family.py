"""A family whose training takes no time and whose registry is a dictionary: the road without the vehicles.

The gate is the real one; only what is judged is made up. A candidate's mean is written into its settings.
"""

from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import dagster as dg
import pandas as pd

from catalog.errors import SelvedgeError
from evaluation.evidence import Evidence, GateRule, metrics_evidence
from evaluation.gate import Decision, decide
from orchestration.assets.candidates import Opening, name_candidate, record_opening
from orchestration.assets.partitions import EVERY, candidate_partitions
from orchestration.assets.published import Tables
from orchestration.families.contract import CandidateJob, Family, Scored, Trained
from orchestration.registry.registry import ModelVersionInfo
from orchestration.runtime.settings import Settings

ATTRIBUTES = ("colour", "sleeve")
BASE_MEAN = 0.4


@dataclass
class Shelf:
    """Model versions in memory, with the methods of `orchestration.assets.resources.Models`."""

    versions: list[tuple[str, float]] = field(default_factory=list)  # candidate, mean; version = place + 1
    champions: list[int] = field(default_factory=list)
    decisions: dict[str, Decision] = field(default_factory=dict)

    def champion(self, family: str) -> ModelVersionInfo | None:
        return self.version(family, self.champions[-1]) if self.champions else None

    def version(self, family: str, number: int) -> ModelVersionInfo:
        candidate, _ = self.versions[number - 1]
        return ModelVersionInfo(family, number, f"m-{number}", candidate, f"digest{number}", "run", datetime.now(UTC))

    def register(self, candidate: str, mean: float) -> int:
        names = [name for name, _ in self.versions]
        if candidate not in names:
            self.versions.append((candidate, mean))
            names.append(candidate)
        return names.index(candidate) + 1

    def promote(self, family: str, evidence: Evidence, rule: GateRule) -> ModelVersionInfo:
        number = [name for name, _ in self.versions].index(evidence.candidate) + 1
        now = str(self.champions[-1]) if self.champions else None
        if now != str(number):
            decision = decide(rule, evidence, now)
            if not decision.promote:
                raise SelvedgeError(f"{evidence.candidate} is not promoted: {' '.join(decision.reasons)}")
            self.champions.append(number)
        return self.version(family, number)

    def note_decision(self, family: str, candidate: str, decision: Decision) -> None:
        self.decisions[candidate] = decision

    def repair(self, family: str) -> list[str]:
        """Nothing is ever cut short in a dictionary."""
        return []

    def moved_by(self, family: str) -> str:
        return "promotion"

    def mean(self, number: int) -> float:
        return self.versions[number - 1][1]


def toy_family(name: str = "toy", mean: float = 0.5) -> Family:
    """The declaration; a candidate opened from it will score `mean`."""
    return Family(
        name=name,
        describes="Learns nothing.",
        prepared_by=(dg.AssetKey(["training", "toy_features"]),),
        trained_from=(dg.AssetDep(["training", "toy_features"], partition_mapping=EVERY),),
        scored_on=(),
        open=lambda instance, settings, tables: Opening(name, {"mean": mean}, "dataset", {}),
        train=train_toy,
        score=score_toy,
        rule=lambda settings: GateRule(name, delta=0.05),
        publishes=dg.AssetKey(["inference", "toys"]),
    )


def train_toy(job: CandidateJob) -> Trained:
    version = job.models.register(job.candidate, job.opening.settings["mean"])  # type: ignore[attr-defined]
    return Trained(version, f"digest{version}", {})


def score_toy(job: CandidateJob) -> Scored:
    shelf: Any = job.models
    champion = shelf.champion(job.opening.family)
    means = {"base": BASE_MEAN, "candidate": job.opening.settings["mean"]}
    if champion is not None:
        means["champion"] = shelf.mean(champion.version)
    rows = [
        (
            job.opening.family,
            job.candidate,
            subject,
            attribute,
            "all",
            "macro_f1",
            value,
            value - 0.01,
            value + 0.01,
            100,
        )
        for subject, value in means.items()
        for attribute in (*ATTRIBUTES, "mean")
    ]
    for rival in means.keys() - {"candidate"}:
        gain = means["candidate"] - means[rival]
        row = (job.opening.family, job.candidate, "candidate", "mean", "all", f"macro_f1_minus_{rival}")
        rows.append((*row, gain, gain - 0.01, gain + 0.01, 100))
    columns = ["family", "candidate", "subject", "attribute", "slice", "metric", "value", "low", "high", "support"]
    scores = pd.DataFrame(rows, columns=columns)
    evidence = metrics_evidence(scores, None if champion is None else str(champion.version), "dataset")
    return Scored(scores, evidence)


def open_toy(instance: dg.DagsterInstance, tables: Tables, mean: float, name: str = "toy") -> str:
    """Open a candidate that will score `mean`; its key."""
    opening = Opening(name, {"mean": mean}, "dataset", {})
    candidate = name_candidate(instance, opening)
    record_opening(tables, candidate, opening)
    instance.add_dynamic_partitions(candidate_partitions(name).name or "", [candidate])
    return candidate


def toy_settings(home: Any) -> Settings:
    return Settings(home=home)
