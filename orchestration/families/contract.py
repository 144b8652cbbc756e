"""A family is a declaration: everything that sets it apart on the road from candidate to champion.

Belongs here: the declaration's types. Not here: the road, which is built once for all of them (family_road.py), any one
family (families/).
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import dagster as dg

from catalog.errors import SelvedgeError
from orchestration.assets.candidates import Opening
from orchestration.assets.partitions import slug
from orchestration.assets.published import Tables
from orchestration.assets.resources import Models
from orchestration.families.section import Section, SectionSource
from orchestration.runtime.settings import Settings

if TYPE_CHECKING:
    import pandas as pd

    from evaluation.gate import Evidence, GateRule
    from labeling.review.pairs.kinds import PairKind
    from labeling.review.rounds.contest import Contest
    from training.reporting import Reporter


@dataclass(frozen=True)
class CandidateJob:
    """What training and scoring a candidate are handed."""

    context: dg.AssetExecutionContext
    settings: Settings
    tables: Tables
    models: Models
    reporter: "Reporter"
    candidate: str
    opening: Opening


@dataclass(frozen=True)
class Trained:
    """A registered candidate: its model version, the hash of its files, and what a person wants to see of it."""

    version: int
    digest: str
    metadata: dict[str, Any]


@dataclass(frozen=True)
class Scored:
    """A candidate's scores beside those of base, champion, floors and ceilings; the evidence made of them."""

    scores: "pd.DataFrame"
    evidence: "Evidence"
    metadata: dict[str, Any] = field(default_factory=dict)
    files: Mapping[str, bytes] = field(default_factory=dict)  # plots and the like, kept beside the evidence


@dataclass(frozen=True)
class Review:
    """What people are shown of a family.

    Attributes:
        kinds: of pair that the family can be compared in, the usual one first; see labeling/review/pairs/kinds.py.
            A function, because importing them costs pandas.
        contest: a candidate beside the champion, or the base, there is now; called when a round is opened.
        seed: of the draw of products.
    """

    kinds: "Callable[[], Sequence[PairKind[Any]]]"
    contest: "Callable[[Settings, str, str], Contest]"
    seed: int = 7


@dataclass(frozen=True)
class Family:
    """One family of models.

    Attributes:
        name: as in DESIGN's words, e.g. `blip2-attributes`.
        describes: one sentence for the page.
        prepared_by: unpartitioned assets to materialise before a candidate is opened; the last one opens it.
        trained_from: what a candidate depends on, mapping stated.
        scored_on: what its scores depend on besides the candidate.
        open: what a candidate opened now would be trained from.
        train: train and register; returns when the version is there.
        score: score the candidate and whoever it is compared with.
        rule: the gate's rule under these settings; a function, because importing it costs pandas.
        publishes: the asset in which the champion's work is published.
        lacks: why a catalogue cannot train this family, in one sentence, or "" where it can; None: any catalogue can.
        review: the blind round that a candidate goes through; None where the rule asks for no verdict.
        section: its part of the report; may give None, as long as there is nothing to show. None: it has no part.
    """

    name: str
    describes: str
    prepared_by: tuple[dg.AssetKey, ...]
    trained_from: tuple[dg.AssetDep, ...]
    scored_on: tuple[dg.AssetDep, ...]
    open: Callable[[dg.DagsterInstance, Settings, Tables], Opening]
    train: Callable[[CandidateJob], Trained]
    score: Callable[[CandidateJob], Scored]
    rule: "Callable[[Settings], GateRule]"
    publishes: dg.AssetKey
    lacks: Callable[[dg.DagsterInstance, Tables], str] | None = None
    review: Review | None = None
    section: Callable[[SectionSource], Section | None] | None = None
    owners: tuple[str, ...] = ("team:models",)
    kinds: frozenset[str] = field(default_factory=lambda: frozenset({"pytorch", "mlflow"}))
    code_version: str = "1"

    @property
    def slug(self) -> str:
        return slug(self.name)

    @property
    def candidate(self) -> dg.AssetKey:
        return dg.AssetKey(["training", f"{self.slug}_candidate"])

    @property
    def scores(self) -> dg.AssetKey:
        return dg.AssetKey(["evaluation", f"{self.slug}_scores"])

    @property
    def round(self) -> dg.AssetKey:
        return dg.AssetKey(["review", f"{self.slug}_round"])

    @property
    def verdict(self) -> dg.AssetKey:
        return dg.AssetKey(["review", f"{self.slug}_verdict"])

    @property
    def promotion(self) -> dg.AssetKey:
        return dg.AssetKey(["registry", f"{self.slug}_promotion"])

    @property
    def champion(self) -> dg.AssetKey:
        return dg.AssetKey(["registry", f"{self.slug}_champion"])

    @property
    def training_job(self) -> str:
        return f"train_{self.slug}"


def families_by_name(families: Sequence[Family]) -> dict[str, Family]:
    """Families by their name.

    Raises:
        SelvedgeError: two carry one name; their candidates would share a partition set.
    """
    named = {family.name: family for family in families}
    if len(named) != len(families):
        raise SelvedgeError(f"two families carry one name among {[family.name for family in families]}; rename one.")
    return named
