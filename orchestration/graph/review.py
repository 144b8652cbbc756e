"""The blind round of a family: opened for a candidate that passed its scores' gate, and judged when people have voted.

Belongs here: the assets `round` and `verdict`, the verdict's gate, and the sensor that notices votes. Not here: rounds
themselves (labeling/review/rounds/), the rest of the road (road.py).

People's time holds no worker: the round asset ends when its project is open. The sensor only counts; when the count
moved it asks for a short run of the verdict, which pulls the ballots and, if they decide, writes verdict and gate
check together. A run that finds the round undecided materialises nothing, and is no failure.
"""

import json
import time
from collections.abc import Iterator, Mapping
from functools import partial
from typing import TYPE_CHECKING, Any

import dagster as dg

from catalog.errors import SelvedgeError
from orchestration.assets.conditions import once_per_candidate
from orchestration.assets.failures import errors_as_sentences
from orchestration.assets.metadata import image, table
from orchestration.assets.partitions import SAME, candidate_partitions, valid_candidate
from orchestration.assets.published import GPU_POOL, Tables, materialised
from orchestration.assets.reporters import log_and
from orchestration.assets.resources import Models, Reviews
from orchestration.assets.unmade import leave_unmade
from orchestration.families.contract import Family, Review
from orchestration.families.registered import registered_contest
from orchestration.graph.evidence import newest_round, whole_evidence
from orchestration.graph.sensors import WATCH_SECONDS
from orchestration.registry.interface import CHAMPION
from orchestration.runtime.settings import Settings

if TYPE_CHECKING:
    from evaluation.gate import Decision
    from labeling.review.ledger.records import Round, Verdict
    from labeling.review.rounds.judging import Standing

GATE = "gate"
# A run that was killed, or found Label Studio down, is asked for again, but not for ever.
ATTEMPTS, AGAIN_SECONDS = 4, 300.0
PATIENCE_SECONDS = 2.0  # with Label Studio, while a sensor holds up the others


def round_asset(family: Family, review: Review, partitions: dg.DynamicPartitionsDefinition) -> dg.AssetsDefinition:
    """Opens the round; running it again completes an opening that was cut short."""

    @dg.asset(
        key=family.round,
        group_name="review",
        partitions_def=partitions,
        deps=[dg.AssetDep(family.scores, partition_mapping=SAME)],
        automation_condition=once_per_candidate(),
        pool=GPU_POOL,  # both versions answer for every pair
        owners=family.owners,
        kinds={"labelstudio"},
        code_version=family.code_version,
        output_required=False,
        description=(
            "A blind comparison with the champion, or with the base where there is none, for people to vote on in "
            "Label Studio. Ends when it is open; the votes come later. Where the products there are make no round, it "
            "says so and makes nothing."
        ),
    )
    def round_(
        context: dg.AssetExecutionContext,
        settings: dg.ResourceParam[Settings],
        reviews: Reviews,
        progress: dg.ResourceParam[Any],
    ) -> Iterator[dg.MaterializeResult]:
        yield from opened(context, settings, reviews, progress)

    @errors_as_sentences
    def opened(
        context: dg.AssetExecutionContext, settings: Settings, reviews: Reviews, progress: Any
    ) -> list[dg.MaterializeResult]:
        from labeling.review.pairs.items import NoRound

        candidate = valid_candidate(family.name, context.partition_key)
        reporter = log_and(context, progress)
        contest = partial(registered_contest, review)
        try:
            begun = reviews.open(family.name, candidate, review.kinds()[0], review.seed, contest, reporter.progress)
        except NoRound as why:
            leave_unmade(context, family.round, _no_round(family, candidate, settings, why))
            return []
        plan = begun.round.plan
        shown: dict[str, Any] = {
            "round": plan.round_id,
            "vote here": dg.MetadataValue.url(begun.link),
            "pairs": begun.pairs,
            "ballots asked for each": plan.overlap,
            "against": f"{plan.opponent} {plan.opponent_version}",
            "kind": plan.kind,
            "plan_sha256": plan.sha256,
        }
        return [dg.MaterializeResult(metadata=shown, data_version=dg.DataVersion(plan.sha256))]

    return round_


def _no_round(family: Family, candidate: str, settings: Settings, why: SelvedgeError) -> str:
    return (
        f"candidate {candidate} of {family.name} waits without a round: {why} SELVEDGE_REVIEW_ITEMS is "
        f"{settings.review_items}; where another number or more products make a round of it, materialise "
        f"{'/'.join(family.round.path)} of {candidate}."
    )


def verdict_asset(family: Family, review: Review, partitions: dg.DynamicPartitionsDefinition) -> dg.AssetsDefinition:
    """Pulls the ballots; once they decide, the verdict and the gate's word on it, in one step."""
    check = dg.AssetCheckSpec(
        GATE,
        asset=family.verdict,
        partitions_def=partitions,
        blocking=True,
        description="May this candidate become the champion, by its scores and by what people preferred?",
    )

    spec = dg.AssetSpec(
        family.verdict,
        group_name="review",
        partitions_def=partitions,
        deps=[dg.AssetDep(family.round, partition_mapping=SAME)],
        skippable=True,
        owners=family.owners,
        kinds={"sql"},
        code_version=family.code_version,
        description="What people preferred, by the plan that was registered before the first ballot.",
    )

    # Only what can be subset may leave out its check; with `asset(output_required=False)` Dagster insists on it.
    @dg.multi_asset(name=f"{family.slug}_verdict", specs=[spec], check_specs=[check], can_subset=True)
    def verdict(
        context: dg.AssetExecutionContext,
        settings: dg.ResourceParam[Settings],
        tables: Tables,
        models: Models,
        reviews: Reviews,
        progress: dg.ResourceParam[Any],
    ) -> Iterator[dg.MaterializeResult | dg.AssetCheckResult]:
        for result in judged(context, settings, tables, models, reviews, progress):
            # The page offers to run the check by itself.
            yield from [result] if family.verdict in context.selected_asset_keys else (result.check_results or [])

    @errors_as_sentences
    def judged(
        context: dg.AssetExecutionContext,
        settings: Settings,
        tables: Tables,
        models: Models,
        reviews: Reviews,
        progress: Any,
    ) -> list[dg.MaterializeResult]:
        from evaluation.gate import decide
        from labeling.review.rounds.judging import evidence_picture, judge_if_decided
        from labeling.review.rounds.report import write_round_report

        candidate = valid_candidate(family.name, context.partition_key)
        round_record = _round_of(family, reviews, candidate)
        round_id, ledger = round_record.plan.round_id, reviews.ledger()
        report_progress = log_and(context, progress).progress
        standing = judge_if_decided(settings.rounds(), ledger, reviews.server, round_id, report_progress)
        if standing.verdict is None:
            context.log.info(f"not decided yet: {' '.join(standing.judgement.reasons)}")
            return []
        evidence = whole_evidence(family, context.instance, tables, ledger, candidate, settings)
        registry = models.registry()
        champion = registry.aliases(family.name).get(CHAMPION)
        decision = decide(family.rule(settings), evidence, None if champion is None else str(champion))
        registry.note_decision(family.name, candidate, decision.promote, decision.reasons)
        page = settings.round_report(round_id)
        report = str(write_round_report(settings.rounds(), ledger, round_id, page, review.kinds()))
        plot = evidence_picture(ledger, round_record)
        shown = {"evidence by ballot": image(plot, "evidence by ballot")} if plot else {}
        return [_result(family.verdict, standing, standing.verdict, decision, report, evidence.sha256, shown)]

    return verdict


def _round_of(family: Family, reviews: Reviews, candidate: str) -> "Round":
    record = newest_round(reviews.ledger(), family.name, candidate)
    if record is None:
        raise SelvedgeError(
            f"candidate {candidate} has no round; materialise {'/'.join(family.round.path)} or run `selvedge review "
            f"open {family.name} {candidate}`."
        )
    return record


def _result(
    key: dg.AssetKey,
    standing: "Standing",
    verdict: "Verdict",
    decision: "Decision",
    report: str,
    evidence_sha256: str,
    shown: Mapping[str, Any],
) -> dg.MaterializeResult:
    judgement = standing.judgement
    return dg.MaterializeResult(
        asset_key=key,
        metadata={
            "outcome": verdict.outcome,
            "why": " ".join(judgement.reasons),
            "round": verdict.round_id,
            "ballots": table(["choice", "ballots"], [[name, count] for name, count in judgement.counts.items()]),
            "simulated": verdict.simulated,
            "report": dg.MetadataValue.path(report),
            "verdict_sha256": verdict.evidence_sha256,
            "ballots_sha256": verdict.ballots_sha256,
            **shown,
        },
        data_version=dg.DataVersion(verdict.evidence_sha256),
        check_results=[
            dg.AssetCheckResult(
                check_name=GATE,
                asset_key=key,
                passed=decision.promote,
                severity=dg.AssetCheckSeverity.WARN,  # an error would turn the run of every loser red
                description=" ".join(decision.reasons),
                metadata={
                    "reasons": table(["reason"], [[reason] for reason in decision.reasons]),
                    "evidence_sha256": evidence_sha256,
                },
            )
        ],
    )


def watches_rounds(family: Family) -> dg.SensorDefinition:
    """Asks for a run of the verdict when a round's counter moved, or when it was closed by hand.

    The cursor keeps, for every round, the mark that was last acted on, when, and how often. An unchanged mark is acted
    on again only where no pull and no verdict came of it.
    """

    @dg.sensor(
        name=f"{family.slug}_watches_rounds",
        target=dg.AssetSelection.assets(family.verdict),
        minimum_interval_seconds=WATCH_SECONDS,
        default_status=dg.DefaultSensorStatus.RUNNING,
        description=f"Counts the votes in open rounds of {family.name}; asks for a verdict when there are new ones.",
    )
    def sensor(context: dg.SensorEvaluationContext, reviews: Reviews) -> dg.SensorResult | dg.SkipReason:
        candidates = set(context.instance.get_dynamic_partitions(candidate_partitions(family.name).name or ""))
        newest = {
            record.plan.candidate: record for record in reviews.ledger().rounds(family.name) if record.void is None
        }
        before: Mapping[str, Any] = json.loads(context.cursor or "{}")
        after, requests = {}, []
        for candidate, record in newest.items():
            round_id = record.plan.round_id
            last = before.get(round_id, ["", 0.0, 0])
            try:
                mark = _mark(family, context.instance, reviews, record) if candidate in candidates else None
            except SelvedgeError as error:  # Label Studio is down, or this project is gone: the others go on
                context.log.warning(str(error))
                after[round_id] = last
                continue
            if mark is None:
                continue
            if not _is_due(mark, last, reviews, round_id):
                after[round_id] = last
                continue
            attempt = last[2] + 1 if mark == last[0] else 1
            after[round_id] = [mark, time.time(), attempt]
            requests.append(
                dg.RunRequest(
                    run_key=f"{round_id} {mark} {attempt}", partition_key=candidate, asset_selection=[family.verdict]
                )
            )
        return dg.SensorResult(run_requests=requests, cursor=json.dumps(after))

    return sensor


def _mark(family: Family, instance: dg.DagsterInstance, reviews: Reviews, record: "Round") -> str | None:
    """What a round has to show that Dagster may not know; None where there is nothing.

    Raises:
        SelvedgeError: Label Studio does not answer, or the project is gone.
    """
    verdict = reviews.ledger().verdict(record.plan.round_id)
    if verdict is not None:
        reported = materialised(instance, "/".join(family.verdict.path), record.plan.candidate)
        return None if reported and reported["verdict_sha256"] == verdict.evidence_sha256 else verdict.evidence_sha256
    if record.project_id is None:
        return None  # its opening goes on
    counter = reviews.server(PATIENCE_SECONDS).counter(record.project_id)
    return f"{record.state} {counter.cursor()}" if counter.annotations else None


def _is_due(mark: str, last: list[Any], reviews: Reviews, round_id: str) -> bool:
    seen, at, attempts = last
    if mark != seen:
        return True
    if attempts >= ATTEMPTS or 0 <= time.time() - at < AGAIN_SECONDS:  # later than now: the clock was set back
        return False
    pulls = reviews.ledger().pulls(round_id)
    acted_on = bool(pulls) and pulls[-1].at.timestamp() >= at and mark.startswith("open ")
    return not acted_on
