"""The road from candidate to champion, built once for every family.

Belongs here: the assets, checks, sensors and jobs that follow from a declaration. Not here: the declaration
(families/contract.py), the round (review.py), training, scoring, the rule that decides (evaluation/gate.py), moving an
alias (promotion.py).

    training/…_candidate ─► evaluation/…_scores ─► review/…_round ─► review/…_verdict ─► registry/…_promotion
                                └ gate                                   └ gate              └─► registry/…_champion

The first gate judges the scores, so that nobody is asked about a candidate that may not win; the second judges scores
and verdict. Both block, and both are warnings: losing is an ordinary result. Scores beside the champion's are data
inside the evidence, not an edge: that would be a circle. The promotion reads the evidence again and refuses on its own,
because a manual materialisation meets no check. The champion is an external asset: its data version is the model
version, reported only when that changes, so that inference depends on the champion and never on a promotion.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import dagster as dg

from orchestration.assets.candidates import read_opening
from orchestration.assets.conditions import follows_new, once_per_candidate
from orchestration.assets.failures import errors_as_sentences
from orchestration.assets.metadata import table
from orchestration.assets.partitions import EVERY, SAME, candidate_partitions, valid_candidate
from orchestration.assets.published import GPU_POOL, Tables
from orchestration.assets.reporters import log_and
from orchestration.assets.resources import Models, Reviews
from orchestration.families.contract import Family, asset_key
from orchestration.families.runner import CandidateJob, score_candidate, train_candidate
from orchestration.graph.evidence import evidence_place, scores_evidence, sign_evidence, whole_evidence
from orchestration.graph.retraining import retrains
from orchestration.graph.review import round_asset, verdict_asset, watches_rounds
from orchestration.graph.sensors import champion_watcher, opens_candidates, report_champion
from orchestration.graph.watching import watch_checks
from orchestration.registry.interface import CHAMPION
from orchestration.runtime.settings import Settings

if TYPE_CHECKING:
    from training.reporting import Reporter


def family_definitions(family: Family) -> dg.Definitions:
    """Everything that makes a declaration a part of the graph."""
    partitions = candidate_partitions(family.name)
    judged = [] if family.review is None else [
        round_asset(family, family.review, partitions), verdict_asset(family, family.review, partitions)
    ]  # fmt: skip
    return dg.Definitions(
        assets=[
            *family.assets(),
            _candidate(family, partitions),
            _scores(family, partitions),
            *judged,
            _promotion(family, partitions),
            _champion(family),
        ],
        asset_checks=[_gate(family, partitions), *watch_checks(family)],
        sensors=[
            opens_candidates(family.name, family.prepared_by[-1], family.open),
            champion_watcher(family.name, family.champion),
            *([watches_rounds(family)] if judged else []),
            *([retrains(family)] if family.learns_from_drops else []),
        ],
        jobs=[
            dg.define_asset_job(
                family.training_job,
                selection=dg.AssetSelection.assets(*family.prepared_by),
                description=(
                    f"Prepares the training of {family.name}. Its success opens a candidate for the present data and "
                    "settings, which is then trained, scored, judged and, if it wins, promoted."
                ),
            ),
            dg.define_asset_job(
                f"judge_{family.slug}",
                selection=dg.AssetSelection.assets(
                    family.candidate,
                    family.scores,
                    *([family.round, family.verdict] if judged else []),
                    family.promotion,
                ),
                description=(
                    f"The road of one candidate of {family.name}: training, scores, blind round, verdict, promotion. "
                    "Every step follows the one before by itself; by hand it is run for a candidate that was opened."
                ),
            ),
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
    return CandidateJob(context, settings, models, log_and(context, progress), candidate, opening)


def _everything(names: Sequence[str]) -> list[dg.AssetDep]:
    """Dependencies on unpartitioned assets."""
    return [dg.AssetDep(asset_key(name), partition_mapping=EVERY) for name in names]


def _candidate(family: Family, partitions: dg.DynamicPartitionsDefinition) -> dg.AssetsDefinition:
    @dg.asset(
        key=family.candidate,
        group_name="training",
        partitions_def=partitions,
        deps=_everything(family.trained_from),
        automation_condition=follows_new(),
        pool=GPU_POOL,
        owners=family.owners,
        kinds=family.kinds,
        code_version=family.code_version,
        description=f"A trained model awaiting judgement. {family.describes}",
    )
    @errors_as_sentences
    def candidate(
        context: dg.AssetExecutionContext,
        settings: dg.ResourceParam[Settings],
        tables: Tables,
        models: Models,
        progress: dg.ResourceParam[Any],
    ) -> dg.MaterializeResult:
        return train_candidate(family, _job(family, context, settings, tables, models, progress))

    return candidate


def _scores(family: Family, partitions: dg.DynamicPartitionsDefinition) -> dg.AssetsDefinition:
    @dg.asset(
        key=family.scores,
        group_name="evaluation",
        partitions_def=partitions,
        deps=[dg.AssetDep(family.candidate, partition_mapping=SAME), *_everything(family.scored_on)],
        automation_condition=follows_new(),
        pool=GPU_POOL,
        owners=family.owners,
        kinds={"parquet"},
        code_version=family.code_version,
        description="The candidate beside base, champion, floors and ceilings, on the same test split.",
    )
    @errors_as_sentences
    def scores(
        context: dg.AssetExecutionContext,
        settings: dg.ResourceParam[Settings],
        tables: Tables,
        models: Models,
        progress: dg.ResourceParam[Any],
    ) -> dg.MaterializeResult:
        import evaluation.tables  # noqa: F401  declares the table
        from catalog.tables import publish_bytes

        job = _job(family, context, settings, tables, models, progress)
        scored, shown = score_candidate(family, job)
        evidence = scored.evaluation.evidence
        path = evidence_place(family, tables, job.candidate)
        for name, content in scored.files.items():
            publish_bytes(content, path.with_name(name))
        publish_bytes(evidence.to_json().encode(), path)
        metadata = {
            "evidence": str(path),
            "evidence_sha256": evidence.sha256,
            "against": evidence.champion_version or "no champion",
            **shown,
        }
        published = tables.publish(context, family.scores.path[-1], scored.evaluation.scores, metadata, schema="scores")
        sha256 = published.data_version.value  # type: ignore[union-attr]  # `publish` gives it always
        sign_evidence(family, tables, settings, evidence, sha256)
        return published

    return scores


def _gate(family: Family, partitions: dg.DynamicPartitionsDefinition) -> dg.AssetChecksDefinition:
    @dg.asset_check(
        asset=family.scores,
        name="gate",
        partitions_def=partitions,
        blocking=True,
        description="Are its scores good enough to go on? A no is an ordinary result and stops only this candidate.",
    )
    @errors_as_sentences
    def gate(
        context: dg.AssetCheckExecutionContext, settings: dg.ResourceParam[Settings], tables: Tables, models: Models
    ) -> dg.AssetCheckResult:
        from evaluation.gate import decide

        evidence = scores_evidence(family, context.instance, tables, context.partition_key, settings)
        registry = models.registry()
        champion = registry.aliases(family.name).get(CHAMPION)
        decision = decide(family.rule(settings).of_scores(), evidence, None if champion is None else str(champion))
        if not decision.promote:
            registry.note_decision(family.name, evidence.candidate, decision.promote, decision.reasons)
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
        deps=[dg.AssetDep(family.scores if family.review is None else family.verdict, partition_mapping=SAME)],
        automation_condition=once_per_candidate(),
        owners=family.owners,
        kinds={"mlflow"},
        code_version=family.code_version,
        description=(
            "Makes the candidate the champion, if its evidence says so and the champion is still the one it was "
            "compared with. Materialising it by hand meets the same refusal."
        ),
    )
    @errors_as_sentences
    def promotion(
        context: dg.AssetExecutionContext,
        settings: dg.ResourceParam[Settings],
        tables: Tables,
        models: Models,
        reviews: Reviews,
    ) -> dg.MaterializeResult:
        from evaluation.gate import rests_on_simulation
        from orchestration.registry.promotion import promote

        candidate = valid_candidate(family.name, context.partition_key)
        evidence = whole_evidence(family, context.instance, tables, reviews.ledger(), candidate, settings)
        champion = promote(models.registry(), family.rule(settings), evidence, by="dagster").require_champion()
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
