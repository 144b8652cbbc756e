"""What the report says alike of every family: its newest candidate, how the round ended, whether it was promoted.

Belongs here: gathering what a family's section is made from. Not here: any one family's section (report_section.py in
its folder), HTML (render.py, family.html.jinja).
"""

from typing import TYPE_CHECKING

import pandas as pd

from catalog.pages import Picture
from orchestration.assets.partitions import candidate_partitions
from orchestration.assets.published import materialised
from orchestration.families.contract import Family
from orchestration.families.section import Promotion, RoundSummary, SectionSource
from orchestration.graph.evidence import evidence_place, newest_round, unsigned, whole_evidence
from orchestration.report.home import Home

if TYPE_CHECKING:
    from evaluation.evidence import Evidence, GateRule

BEFORE_SIGNATURES = (
    "Its evidence was written before evidence was signed: only its recorded hash could be checked, and it promotes "
    "nothing until it is scored again."
)


def newest_candidate(home: Home, family: Family) -> str | None:
    """The newest candidate of a family that was scored."""
    keys = candidate_partitions(family.name).get_partition_keys(dynamic_partitions_store=home.instance)
    scored = home.instance.get_materialized_partitions(family.scores)
    return next((key for key in reversed(list(keys)) if key in scored), None)


def section_source(home: Home, family: Family) -> SectionSource:
    """What the family's section is made from, of its newest candidate.

    Raises:
        SelvedgeError: the candidate's evidence is not the one its scores were published with.
        ServiceUnavailable: the ledger does not answer.
    """
    candidate = newest_candidate(home, family)

    def picture(file: str, label: str) -> Picture | None:
        if candidate is None:
            return None
        path = evidence_place(family, home.tables, candidate).with_name(file)
        return Picture(path.read_bytes(), "image/png", label) if path.exists() else None

    return SectionSource(
        instance=home.instance,
        candidate=candidate,
        scores=pd.DataFrame() if candidate is None else home.frame("/".join(family.scores.path), candidate, "scores"),
        picture=picture,
        round=None if candidate is None else round_summary(home, family, candidate),
        promotion=None if candidate is None else promotion(home, family, candidate),
    )


def promotion(home: Home, family: Family, candidate: str) -> Promotion:
    """What became of a candidate: the promotion's own record, or the gate's reasons against it."""
    from evaluation.gate import decide, rests_on_simulation
    from orchestration.registry.ledger import open_ledger

    scores = materialised(home.instance, "/".join(family.scores.path), candidate) or {}
    promoted = materialised(home.instance, "/".join(family.promotion.path), candidate)
    ledger = open_ledger(home.settings)
    evidence = whole_evidence(family, home.instance, home.tables, ledger, candidate, home.settings, to_read=True)
    against = scores.get("against", "no champion")
    rule, simulated = family.rule(home.settings), rests_on_simulation(evidence)
    remarks = [without_gain(rule, evidence, simulated)] if promoted else []
    remarks += [BEFORE_SIGNATURES] if unsigned(family, home.tables, candidate) else []
    return Promotion(
        candidate=candidate,
        version=str(promoted["version"]) if promoted else "",
        promoted=promoted is not None,
        reasons=list(decide(rule, evidence, evidence.champion_version).reasons),
        against="the base (there was no champion)" if against == "no champion" else f"champion version {against}",
        simulated=simulated,
        remark=" ".join(remark for remark in remarks if remark),
    )


def without_gain(rule: "GateRule", evidence: "Evidence", simulated: bool) -> str:
    """What a promotion rests on whose scores show no gain; "" where they do.

    A gain is shown where the paired interval of the mean lies above 0. Otherwise the rule let the candidate pass
    because it is not worse by more than its margin, and a preference decided.
    """
    from evaluation.scores import BASE, CANDIDATE, CHAMPION, MEAN

    incumbent = BASE if evidence.champion_version is None else CHAMPION
    gain = evidence.figure(CANDIDATE, MEAN, f"{rule.metric}_minus_{incumbent}")
    if gain is None or gain.low > 0:
        return ""
    voters = "scripted voters" if simulated else "people"
    return (
        f"Its scores show no measurable gain ({gain.value:+.3f}): it is non-inferior by rule (margin "
        f"{rule.tolerance:g}) and was preferred by {voters}."
    )


def round_summary(home: Home, family: Family, candidate: str) -> RoundSummary | None:
    """How a candidate's round stands; None where it has none."""
    from labeling.review.rounds.judging import evidence_picture, standing
    from orchestration.registry.ledger import open_ledger

    ledger = open_ledger(home.settings)
    registered = newest_round(ledger, family.name, candidate)
    if registered is None:
        return None
    plan = registered.plan
    labels = {kind.name: kind.label for kind in family.review.kinds()} if family.review else {}
    state = standing(ledger, plan.round_id)
    judgement = state.judgement
    plot = evidence_picture(ledger, registered)
    page = home.settings.round_report(plan.round_id)
    won, lost = judgement.counts["candidate"], judgement.counts["champion"]
    return RoundSummary(
        round_id=plan.round_id,
        kind=labels.get(plan.kind, plan.kind),
        opponent="the base" if plan.opponent == "base" else f"champion version {plan.opponent_version}",
        pairs=len(ledger.pairs(plan.round_id)),
        outcome=state.verdict.outcome if state.verdict else "open",
        reasons=list(judgement.reasons),
        counts=dict(judgement.counts),
        share=won / (won + lost) if won + lost else None,
        low=judgement.effective_low,
        high=judgement.effective_high,
        annotators=len(judgement.raters) + len(judgement.excluded),
        excluded=dict(judgement.excluded),
        simulated=state.simulated,
        plot=Picture(plot, "image/png", "evidence by ballot") if plot else None,
        page=f"{page.parent.name}/{page.name}" if state.verdict and page.exists() else "",
    )
