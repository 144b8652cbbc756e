"""A champion's monthly re-evaluation: is it still what it was promoted for, on the data there is now?

Belongs here: the check, its job and its schedule. Not here: scoring (a family's `score`), the gate's rule
(evaluation/gate.py), when it fires (families/timetable.py).

The champion is scored on the data set that training was prepared with last, which holds the newest drops; products of
its test split were in no training, because an assignment never changes. The figures stand beside those that it was
promoted with. They decide nothing: the check warns, and holds up nothing.
"""

from typing import Any

import dagster as dg

from catalog.errors import SelvedgeError
from orchestration.assets.failures import errors_as_sentences
from orchestration.assets.metadata import image, table
from orchestration.assets.published import GPU_POOL, Tables, materialised
from orchestration.assets.reporters import log_and
from orchestration.assets.resources import Models
from orchestration.families.contract import Family
from orchestration.families.registered import beside_champion
from orchestration.families.timetable import Scheduled
from orchestration.graph.evidence import scores_evidence
from orchestration.runtime.settings import Settings


def evaluation_job(family: Family) -> str:
    """The job's name."""
    return f"evaluate_{family.slug}_champion"


def champion_evaluation(family: Family, scheduled: Scheduled) -> dg.Definitions:
    """The check of a family's champion, the job that runs it alone, and the schedule of that."""
    check = _check(family)
    job = dg.define_asset_job(
        evaluation_job(family), selection=dg.AssetSelection.checks(check), description=scheduled.what
    )
    return dg.Definitions(asset_checks=[check], jobs=[job], schedules=[_schedule(family, scheduled, job.name)])


def _check(family: Family) -> dg.AssetChecksDefinition:
    @dg.asset_check(
        asset=family.champion,
        name="still_good",
        pool=GPU_POOL,
        description="On the newest data: does it still pass its scores' gate, and is it not clearly worse than it was?",
    )
    @errors_as_sentences
    def still_good(
        context: dg.AssetCheckExecutionContext,
        settings: dg.ResourceParam[Settings],
        tables: Tables,
        models: Models,
        progress: dg.ResourceParam[Any],
    ) -> dg.AssetCheckResult:
        from evaluation.gate import decide
        from evaluation.scores import CANDIDATE, MEAN

        registry, instance = models.registry(), context.instance
        version = registry.champion(family.name)
        if version is None:
            raise SelvedgeError(f"{family.name} has no champion yet; train a candidate that passes its gate.")
        opening = family.open(instance, settings, tables)
        contenders = beside_champion(registry, version, None, opening)
        scored = family.score(contenders, log_and(context, progress), frozenset())
        rule, evidence = family.rule(settings).of_scores(), scored.evaluation.evidence
        decision = decide(rule, evidence, None)
        now = evidence.figure(CANDIDATE, MEAN, rule.metric)
        then = scores_evidence(family, instance, tables, version.candidate, settings, to_read=True).figure(
            CANDIDATE, MEAN, rule.metric
        )
        worse = now is not None and then is not None and now.high < then.low
        sentence = f"its {rule.metric} is clearly lower than when it was promoted."
        figures = [
            [when, "none"] if score is None else [when, f"{score.value:.3f} ({score.low:.3f} to {score.high:.3f})"]
            for when, score in (("now", now), ("when it was promoted", then))
        ]
        return dg.AssetCheckResult(
            passed=decision.promote and not worse,
            severity=dg.AssetCheckSeverity.WARN,
            description=" ".join([*([sentence] if worse else []), *decision.reasons]),
            metadata={
                "model": version.uri,
                "dataset_sha256": opening.dataset_sha256,
                "drops": list(opening.dataset.get("drops", ())),
                rule.metric: table(["", f"{rule.metric} (95 % interval)"], figures),
                "evidence_sha256": evidence.sha256,
                **{title: table(columns, rows) for title, (columns, rows) in scored.tables.items()},
                **{title: image(content, label) for title, (content, label) in scored.pictures.items()},
            },
        )

    return still_good


def _schedule(family: Family, scheduled: Scheduled, job: str) -> dg.ScheduleDefinition:
    @dg.schedule(job_name=job, **scheduled.declared())
    def schedule(context: dg.ScheduleEvaluationContext) -> dg.RunRequest | dg.SkipReason:
        if materialised(context.instance, "/".join(family.champion.path)) is None:
            return dg.SkipReason(f"{family.name} has no champion yet")
        return dg.RunRequest()

    return schedule
