"""The report of a judged round as one self-contained HTML page; the only place that tells which side was which.

Belongs here: the page. Not here: its figures (findings.py), its plots (plots.py).
"""

from pathlib import Path
from typing import TYPE_CHECKING

from catalog.pages import STYLE, Picture, page_environment, powers
from labeling.review.rounds.compared import STRIPS, read_compared
from labeling.review.rounds.findings import DisputedPair, Findings, gather_findings

if TYPE_CHECKING:
    from upath import UPath

    from labeling.review.ledger.ledger import Ledger

HERE = Path(__file__).parent
OUTCOMES = {
    "preferred": "people preferred the candidate",
    "not_preferred": "people preferred what there is",
    "no_difference": "people saw no difference worth a change",
    "inconclusive": "the ballots do not decide",
}
KINDS = {"attribute-cards": "attribute cards", "descriptions": "descriptions", "picture-strips": "picture strips"}
BEGINNING = "the weights it began with"  # what the base of a model that draws is
CHOICES = {"candidate": "candidate", "champion": "opponent", "tie": "tie", "both_bad": "both bad"}


def write_round_report(rounds_folder: "UPath", ledger: "Ledger", round_id: str, out: Path) -> Path:
    """Publish the page of a judged round.

    Raises:
        SelvedgeError: there is no such round, it is not judged, its folder is gone, or the page cannot be written.
    """
    from catalog.tables import publish_bytes

    ledger.round(round_id)  # an unknown round is told before a missing folder
    findings = gather_findings(ledger, round_id, read_compared(rounds_folder / round_id))
    out = out.expanduser().resolve()
    out.parent.mkdir(parents=True, exist_ok=True)
    publish_bytes(render(findings).encode(), out)
    return out


def render(findings: Findings) -> str:
    """The whole page as HTML text."""
    from markupsafe import Markup

    from evaluation.review_plots import evidence_plot

    environment = page_environment(HERE)
    environment.filters["percent"] = lambda share: "–" if share is None or share != share else f"{share:.0%}"
    environment.filters["evidence"] = lambda value: powers(f"{value:.2e}") if value >= 1e5 else f"{value:,.3g}"
    environment.filters["marked"] = lambda pair, side: Markup(_marked(pair)[side])
    environment.filters["initial"] = lambda text: text[:1].upper() + text[1:]
    environment.filters["figure"] = lambda value: "–" if value is None or value != value else f"{value:.2f}"
    plan = findings.standing.round.plan
    began = plan.kind == STRIPS and plan.opponent == "base"
    opponent = BEGINNING if began else plan.opponent
    plot = None
    if len(findings.path):
        content = evidence_plot(findings.path, plan.preference, opponent)
        plot = Picture(content, "image/png", "share, interval and e-value with every ballot")
    return environment.get_template("report.html.jinja").render(
        found=findings,
        now=findings.standing,
        plan=plan,
        rule=plan.preference,
        judged=findings.standing.judgement,
        verdict=findings.standing.verdict,
        plot=plot,
        outcome=OUTCOMES,
        kind=KINDS.get(plan.kind, plan.kind),
        opponent=opponent,
        beside=opponent if began else f"the {opponent} of {plan.family}",
        began=began,
        pictures=plan.kind == STRIPS,
        choices={**CHOICES, "champion": opponent},
        votes_css={"candidate": "c", "champion": "o", "tie": "t", "both_bad": "b"},
        css=STYLE.read_text() + (HERE / "report.css").read_text(),
    )


def _marked(pair: DisputedPair) -> dict[str, str]:
    """Both sides as annotators saw them; rows of a card that differ are marked."""
    if pair.candidate.startswith("data:image/"):
        shown = (("candidate", pair.candidate), ("opponent", pair.opponent))
        return {name: f'<img class="strip" src="{uri}" alt="pictures of the {name}">' for name, uri in shown}
    rows = [side.split("<tr>") for side in (pair.candidate, pair.opponent)]
    if len(rows[0]) != len(rows[1]):
        return {"candidate": pair.candidate, "opponent": pair.opponent}
    marks = ["<tr>" if one == other else '<tr class="differs">' for one, other in zip(*rows, strict=True)]
    sides = ["".join([side[0], *(mark + row for mark, row in zip(marks[1:], side[1:], strict=True))]) for side in rows]
    return dict(zip(("candidate", "opponent"), sides, strict=True))
