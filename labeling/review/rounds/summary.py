"""A round in a few figures, for a page that speaks of its candidate.

Belongs here: the summary of one round as it stands. Not here: the round's own page (report.py), the page that shows the
summary (orchestration/report/).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from catalog.pages import Picture
from labeling.review.rounds.judging import evidence_picture, standing

if TYPE_CHECKING:
    from labeling.review.ledger.ledger import Ledger
    from labeling.review.ledger.records import Round
    from labeling.review.pairs.kinds import PairKind


@dataclass(frozen=True)
class RoundSummary:
    """A blind round, as far as it is.

    Attributes:
        kind: several pairs of it, in words. outcome: a verdict's, or `open`. counts: choice -> ballots that count.
        share: of decided ballots, the candidate's; low, high: its interval. excluded: annotator -> why.
        page: address of the round's own report, seen from this one; empty where there is none.
    """

    round_id: str
    kind: str
    opponent: str
    pairs: int
    outcome: str
    reasons: Sequence[str]
    counts: Mapping[str, int]
    share: float | None
    low: float
    high: float
    annotators: int
    excluded: Mapping[str, str]
    simulated: bool
    plot: Picture | None
    page: str


def summarise_round(
    ledger: "Ledger", registered: "Round", kinds: "Sequence[PairKind[Any]]", page: Path
) -> RoundSummary:
    """How a round stands.

    Args:
        kinds: of pair, the family's. page: the file of the round's own report, whether or not it is there.
    """
    plan, state = registered.plan, standing(ledger, registered.plan.round_id)
    judgement = state.judgement
    labels = {kind.name: kind.label for kind in kinds}
    plot = evidence_picture(ledger, registered)
    return RoundSummary(
        round_id=plan.round_id,
        kind=labels.get(plan.kind, plan.kind),
        opponent="the base" if plan.opponent == "base" else f"champion version {plan.opponent_version}",
        pairs=len(ledger.pairs(plan.round_id)),
        outcome=state.verdict.outcome if state.verdict else "open",
        reasons=list(judgement.reasons),
        counts=dict(judgement.counts),
        share=state.share,
        low=judgement.effective_low,
        high=judgement.effective_high,
        annotators=len(judgement.raters) + len(judgement.excluded),
        excluded=dict(judgement.excluded),
        simulated=state.simulated,
        plot=Picture(plot, "image/png", "evidence by ballot") if plot else None,
        page=f"{page.parent.name}/{page.name}" if state.verdict and page.exists() else "",
    )
