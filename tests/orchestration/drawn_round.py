"""A drawn round (tests/labeling/review/rounds/drawn_round.py) in a home that settings name."""

import inference.tables  # noqa: F401  declares the results
from labeling.review.ledger.ledger import Ledger
from orchestration.registry.ledger import open_ledger
from orchestration.runtime.settings import Settings
from tests.labeling.review.rounds import drawn_round
from tests.labeling.review.rounds.drawn_round import CARDS, NAME, Kind, RoundsHome, compared, voted, votes

__all__ = ["CARDS", "NAME", "compared", "opened", "voted", "votes"]


def opened(settings: Settings, kind: Kind = CARDS, project: int = 1, **changes: object) -> Ledger:
    """A round, NAME unless it is changed, open."""
    return drawn_round.opened(
        RoundsHome(settings.home, settings.rounds(), open_ledger(settings)), kind, project, **changes
    )
