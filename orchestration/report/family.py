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
from orchestration.families.section import Promotion, SectionSource
from orchestration.graph.evidence import evidence_place, newest_round, unsigned, whole_evidence
from orchestration.report.home import Home

if TYPE_CHECKING:
    from labeling.review.rounds.summary import RoundSummary

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
    from evaluation.gate import decide, rests_on_simulation, without_gain
    from orchestration.registry.ledger import open_ledger

    scores = materialised(home.instance, "/".join(family.scores.path), candidate) or {}
    promoted = materialised(home.instance, "/".join(family.promotion.path), candidate)
    ledger = open_ledger(home.settings)
    evidence = whole_evidence(family, home.instance, home.tables, ledger, candidate, home.settings, to_read=True)
    against = scores.get("against", "no champion")
    rule, simulated = family.rule(home.settings), rests_on_simulation(evidence)
    remarks = [without_gain(rule, evidence)] if promoted else []
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


def round_summary(home: Home, family: Family, candidate: str) -> "RoundSummary | None":
    """How a candidate's round stands; None where it has none."""
    from labeling.review.rounds.summary import summarise_round
    from orchestration.registry.ledger import open_ledger

    ledger = open_ledger(home.settings)
    registered = newest_round(ledger, family.name, candidate)
    if registered is None:
        return None
    kinds = family.review.kinds() if family.review else ()
    return summarise_round(ledger, registered, kinds, home.settings.round_report(registered.plan.round_id))
