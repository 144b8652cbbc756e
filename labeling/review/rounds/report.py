"""The report of a judged round as one self-contained HTML page; the only place that says which side was which.

Belongs here: the page. Not here: its figures (findings.py), its plots (evaluation/review_plots.py), how pairs of a
kind look (labeling/review/pairs/).
"""

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from catalog.pages import STYLE, Picture, page_environment, powers
from labeling.review.rounds.compared import read_compared
from labeling.review.rounds.findings import RoundFindings, gather_findings

if TYPE_CHECKING:
    from upath import UPath

    from labeling.review.ledger.ledger import Ledger
    from labeling.review.pairs.kinds import PairKind

HERE = Path(__file__).parent
OUTCOMES = {
    "preferred": "people preferred the candidate",
    "not_preferred": "people preferred what there is",
    "no_difference": "people saw no difference worth a change",
    "inconclusive": "the ballots do not decide",
}
CHOICES = {"candidate": "candidate", "champion": "opponent", "tie": "tie", "both_bad": "both bad"}


def write_round_report(
    rounds_folder: "UPath", ledger: "Ledger", round_id: str, out: Path, kinds: "Iterable[PairKind[Any]]"
) -> Path:
    """Publish the page of a judged round.

    Args:
        kinds: of pair that the round's family is compared in.

    Raises:
        SelvedgeError: there is no such round, it is not judged, its folder is gone, or the page cannot be written.
    """
    from catalog.tables import publish_bytes

    ledger.round(round_id)  # an unknown round is reported before a missing folder
    findings = gather_findings(ledger, round_id, read_compared(rounds_folder / round_id, kinds))
    out = out.expanduser().resolve()
    out.parent.mkdir(parents=True, exist_ok=True)
    publish_bytes(render(findings).encode(), out)
    return out


def render(findings: RoundFindings) -> str:
    """The whole page as HTML text."""
    from markupsafe import Markup

    from evaluation.review_plots import evidence_plot

    environment = page_environment(HERE)
    environment.filters["percent"] = lambda share: "–" if share is None or share != share else f"{share:.0%}"
    environment.filters["evidence"] = lambda value: powers(f"{value:.2e}") if value >= 1e5 else f"{value:,.3g}"
    environment.filters["markup"] = Markup
    environment.filters["initial"] = lambda text: text[:1].upper() + text[1:]
    environment.filters["figure"] = lambda value: "–" if value is None or value != value else f"{value:.2f}"
    plan, kind = findings.standing.round.plan, findings.kind
    base = kind.base if plan.opponent == "base" else None
    opponent = base or plan.opponent
    plot = None
    if len(findings.path):
        content = evidence_plot(findings.path, plan.preference, opponent)
        plot = Picture(content, "image/png", "share, interval and e-value with every ballot")
    return environment.get_template("report.html.jinja").render(
        findings=findings,
        standing=findings.standing,
        plan=plan,
        rule=plan.preference,
        judgement=findings.standing.judgement,
        verdict=findings.standing.verdict,
        plot=plot,
        outcome=OUTCOMES,
        kind=kind,
        opponent=opponent,
        beside=base or f"the {opponent} of {plan.family}",
        results_of={"candidate": "the candidate", "opponent": base or f"the {opponent}"},
        choices={**CHOICES, "champion": opponent},
        votes_css={"candidate": "c", "champion": "o", "tie": "t", "both_bad": "b"},
        css=STYLE.read_text() + (HERE / "report.css").read_text() + kind.style,
    )
