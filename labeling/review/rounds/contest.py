"""A contest: which two versions of a family a round compares.

Belongs here: what every contest is. Not here: a family's own contests, where their versions come from
(orchestration/families/), the kinds of pair (labeling/review/pairs/), what is kept of a comparison (compared.py).
"""

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from labeling.review.pairs.plan import Opponent
from labeling.review.rounds.progress import Progress, silent

if TYPE_CHECKING:
    from labeling.review.pairs.kinds import PairKind
    from labeling.review.rounds.compared import Compared


@dataclass(frozen=True)
class Contest(ABC):
    """Two versions of a family, and how they are compared.

    Attributes:
        candidate_version, opponent_version: as the registry counts them; of a model given by hand, its digest.
    """

    family: str
    candidate: str
    candidate_version: str
    opponent: Opponent
    opponent_version: str

    @abstractmethod
    def compare(self, kind: "PairKind[Any]", progress: Progress = silent) -> "Compared":
        """What both versions give for the same test products, in the tables of a kind that the family names.

        Raises:
            SelvedgeError: there is nothing to compare, or a version is missing or damaged.
        """


def by_digest(digest: str) -> str:
    """What a model that has no number in the registry is called."""
    return f"model-{digest[:12]}"
