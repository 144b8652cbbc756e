"""A family is a declaration: the road from candidate to champion, built once for all of them.

Belongs here: the declaration's type, and the assets, checks, sensors and jobs that follow from it. Not here: any one
family (families/), training, scoring, the rule that decides (evaluation/gate.py), moving an alias (promotion.py).

    training/<family>_candidate ─► evaluation/<family>_scores ─► registry/<family>_promotion ─► …/<family>_champion
                                        └ gate (blocking, a warning: losing is an ordinary result)

Scores beside the champion's are data inside the evidence, not an edge: that would be a circle. The gate check is the
first lock; the promotion reads the evidence again and refuses on its own, because a manual materialisation meets no
check. The champion is an external asset: its data version is the model version, reported only when that changes, so
that inference depends on the champion and never on a promotion.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import dagster as dg

from catalog.errors import SelvedgeError
from orchestration.candidates import Opening, read_opening
from orchestration.conditions import follows_new, once_per_candidate
from orchestration.failures import told_plainly
from orchestration.family_sensors import champion_watcher, opens_candidates, report_champion
from orchestration.partitions import EVERY, SAME, candidate_partitions, slug, valid_candidate
from orchestration.pictures import table
from orchestration.reporters import log_and
from orchestration.resources import GPU_POOL, Models, Tables, materialised
from orchestration.settings import Settings

if TYPE_CHECKING:
    import pandas as pd

    from evaluation.gate import Decision, Evidence, GateRule
    from training.reporting import Reporter


EVIDENCE_FILE = "evidence.json"


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
        rule: the gate's rule; a function, because importing it costs pandas.
        publishes: the asset in which the champion's work is published.
    """

    name: str
    describes: str
    prepared_by: tuple[dg.AssetKey, ...]
    trained_from: tuple[dg.AssetDep, ...]
    scored_on: tuple[dg.AssetDep, ...]
    open: Callable[[dg.DagsterInstance, Settings, Tables], Opening]
    train: Callable[[CandidateJob], Trained]
    score: Callable[[CandidateJob], Scored]
    rule: "Callable[[], GateRule]"
    publishes: dg.AssetKey
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
    def promotion(self) -> dg.AssetKey:
        return dg.AssetKey(["registry", f"{self.slug}_promotion"])

    @property
    def champion(self) -> dg.AssetKey:
        return dg.AssetKey(["registry", f"{self.slug}_champion"])

    @property
    def training_job(self) -> str:
        return f"train_{self.slug}"


def family_definitions(family: Family) -> dg.Definitions:
    """Everything that makes a declaration a part of the graph."""
    partitions = candidate_partitions(family.name)
    return dg.Definitions(
        assets=[
            _candidate(family, partitions),
            _scores(family, partitions),
            _promotion(family, partitions),
            _champion(family),
        ],
        asset_checks=[_gate(family, partitions)],
        sensors=[
            opens_candidates(family.name, family.prepared_by[-1], family.open),
            champion_watcher(family.name, family.champion),
        ],
        jobs=[
            dg.define_asset_job(
                family.training_job,
                selection=dg.AssetSelection.assets(*family.prepared_by),
                description=(
                    f"Prepares the training of {family.name}. Its success opens a candidate for the present data and "
                    "settings, which is then trained, scored and, if it wins, promoted."
                ),
            )
        ],
    )


def _job(
    family: Family,
    context: dg.AssetExecutionContext,
    settings: Settings,
    tables: Tables,
    models: Models,
    progress: "Reporter",
) -> CandidateJob:
    candidate = valid_candidate(family.name, context.partition_key)
    opening = read_opening(tables, family.name, candidate)
    return CandidateJob(context, settings, tables, models, log_and(context, progress), candidate, opening)


def _candidate(family: Family, partitions: dg.DynamicPartitionsDefinition) -> dg.AssetsDefinition:
    @dg.asset(
        key=family.candidate,
        group_name="training",
        partitions_def=partitions,
        deps=family.trained_from,
        automation_condition=follows_new(),
        pool=GPU_POOL,
        owners=family.owners,
        kinds=family.kinds,
        code_version=family.code_version,
        description=f"A trained model awaiting judgement. {family.describes}",
    )
    @told_plainly
    def candidate(
        context: dg.AssetExecutionContext,
        settings: dg.ResourceParam[Settings],
        tables: Tables,
        models: Models,
        progress: dg.ResourceParam[Any],
    ) -> dg.MaterializeResult:
        job = _job(family, context, settings, tables, models, progress)
        trained = family.train(job)
        return dg.MaterializeResult(
            metadata={
                "model": f"models:/{family.name}/{trained.version}",
                "version": trained.version,
                "digest": trained.digest,
                "dataset_sha256": job.opening.dataset_sha256,
                "settings": dict(job.opening.settings),
                **trained.metadata,
            },
            data_version=dg.DataVersion(trained.digest),
        )

    return candidate


def _scores(family: Family, partitions: dg.DynamicPartitionsDefinition) -> dg.AssetsDefinition:
    @dg.asset(
        key=family.scores,
        group_name="evaluation",
        partitions_def=partitions,
        deps=[dg.AssetDep(family.candidate, partition_mapping=SAME), *family.scored_on],
        automation_condition=follows_new(),
        pool=GPU_POOL,
        owners=family.owners,
        kinds={"parquet"},
        code_version=family.code_version,
        description="The candidate beside base, champion, floors and ceilings, on the same test split.",
    )
    @told_plainly
    def scores(
        context: dg.AssetExecutionContext,
        settings: dg.ResourceParam[Settings],
        tables: Tables,
        models: Models,
        progress: dg.ResourceParam[Any],
    ) -> dg.MaterializeResult:
        from catalog.tables import publish_bytes

        job = _job(family, context, settings, tables, models, progress)
        scored = family.score(job)
        place = evidence_place(family, tables, job.candidate)
        for name, content in scored.files.items():
            publish_bytes(content, place.with_name(name))
        publish_bytes(scored.evidence.to_json().encode(), place)
        metadata = {
            "evidence": str(place),
            "evidence_sha256": scored.evidence.sha256,
            "against": scored.evidence.champion_version or "no champion",
            **scored.metadata,
        }
        return tables.publish(context, family.scores.path[-1], scored.scores, metadata, schema="scores")

    return scores


def _gate(family: Family, partitions: dg.DynamicPartitionsDefinition) -> dg.AssetChecksDefinition:
    @dg.asset_check(
        asset=family.scores,
        name="gate",
        partitions_def=partitions,
        blocking=True,
        description="May this candidate become the champion? A no is an ordinary result and stops only its promotion.",
    )
    @told_plainly
    def gate(context: dg.AssetCheckExecutionContext, tables: Tables, models: Models) -> dg.AssetCheckResult:
        evidence = read_evidence(family, context.instance, tables, context.partition_key)
        decision = _decide(family, models, evidence)
        return dg.AssetCheckResult(
            passed=decision.promote,
            # An error would turn the run of every loser red.
            severity=dg.AssetCheckSeverity.WARN,
            description=" ".join(decision.reasons),
            metadata={
                "reasons": table(["reason"], [[reason] for reason in decision.reasons]),
                "evidence_sha256": evidence.sha256,
            },
        )

    return gate


def _promotion(family: Family, partitions: dg.DynamicPartitionsDefinition) -> dg.AssetsDefinition:
    @dg.asset(
        key=family.promotion,
        group_name="registry",
        partitions_def=partitions,
        deps=[dg.AssetDep(family.scores, partition_mapping=SAME)],
        automation_condition=once_per_candidate(),
        owners=family.owners,
        kinds={"mlflow"},
        code_version=family.code_version,
        description=(
            "Makes the candidate the champion, if its evidence says so and the champion is still the one it was "
            "compared with. Materialising it by hand meets the same refusal."
        ),
    )
    @told_plainly
    def promotion(context: dg.AssetExecutionContext, tables: Tables, models: Models) -> dg.MaterializeResult:
        from evaluation.verdict_gate import rests_on_simulation

        candidate = valid_candidate(family.name, context.partition_key)
        evidence = read_evidence(family, context.instance, tables, candidate)
        champion = models.promote(family.name, evidence, family.rule())
        report_champion(context.instance, family.champion, champion)
        return dg.MaterializeResult(
            metadata={
                "model": champion.uri,
                "version": champion.version,
                "evidence_sha256": evidence.sha256,
                "instead of": evidence.champion_version or "no champion",
                "simulated": rests_on_simulation(evidence),
            },
            data_version=dg.DataVersion(str(champion.version)),
        )

    return promotion


def _champion(family: Family) -> dg.AssetSpec:
    return dg.AssetSpec(
        family.champion,
        group_name="registry",
        deps=[dg.AssetDep(family.promotion, partition_mapping=EVERY)],
        owners=family.owners,
        kinds={"mlflow"},
        description=f"The model version of {family.name} that inference uses: MLflow's alias `champion`.",
    )


def evidence_place(family: Family, tables: Tables, candidate: str) -> Any:
    """Where a candidate's evidence is kept: in a folder beside its scores, with the plots that go with it."""
    return tables.path("/".join(family.scores.path), candidate).with_suffix("") / EVIDENCE_FILE


def read_evidence(family: Family, instance: dg.DagsterInstance, tables: Tables, candidate: str) -> "Evidence":
    """The evidence that the newest scores of a candidate were published with.

    Raises:
        SelvedgeError: the candidate was never scored, or its evidence is missing or not the recorded one.
    """
    from evaluation.gate import Evidence

    recorded = materialised(instance, "/".join(family.scores.path), candidate)
    place = evidence_place(family, tables, candidate)
    if recorded is None or not place.exists():
        raise SelvedgeError(f"candidate {candidate} has no evidence; materialise {'/'.join(family.scores.path)} first.")
    evidence = Evidence.from_json(place.read_text())
    if evidence.sha256 != recorded["evidence_sha256"] or evidence.candidate != candidate:
        raise SelvedgeError(
            f"the evidence of {candidate} is not the one its scores were published with; score it again."
        )
    return evidence


def _decide(family: Family, models: Models, evidence: "Evidence") -> "Decision":
    from evaluation.gate import decide

    champion = models.champion(family.name)
    return decide(family.rule(), evidence, None if champion is None else str(champion.version))


def families_by_name(families: Sequence[Family]) -> dict[str, Family]:
    """Families by their name.

    Raises:
        SelvedgeError: two carry one name; their candidates would share a partition set.
    """
    named = {family.name: family for family in families}
    if len(named) != len(families):
        raise SelvedgeError(f"two families carry one name among {[family.name for family in families]}; rename one.")
    return named
