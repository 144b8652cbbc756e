"""A contest: which two versions of a family a round compares, and in which kinds of pair.

Belongs here: what every contest is. Not here: a family's own contests, where their versions come from
(orchestration/families/), what is kept of the comparison (compared.py).
"""

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Literal

from catalog.errors import SelvedgeError

if TYPE_CHECKING:
    from labeling.review.rounds.compared import Compared

Opponent = Literal["champion", "base"]
Progress = Callable[[int, int, str], None]


@dataclass(frozen=True)
class Contest(ABC):
    """Two versions of a family, and how they are compared.

    Attributes:
        kinds: of pair that these versions can be shown in, the usual one first.
        candidate_version, opponent_version: as the registry counts them; of a model given by hand, its digest.
    """

    kinds: ClassVar[tuple[str, ...]]

    family: str
    candidate: str
    candidate_version: str
    opponent: Opponent
    opponent_version: str

    @abstractmethod
    def compare(self, kind: str, progress: Progress | None = None) -> "Compared":
        """What both versions give for the same products; asked through `comparison.compare`, which knows the kind."""


def compare(contest: Contest, kind: str, progress: Progress | None = None) -> "Compared":
    """What both versions give for the test products.

    Raises:
        SelvedgeError: these versions cannot be shown in this kind of pair; or as the contest's own comparison.
    """
    if kind not in contest.kinds:
        raise SelvedgeError(f"{contest.family} is compared in {' or '.join(contest.kinds)}, not in {kind}; choose one.")
    return contest.compare(kind, progress)


def by_digest(digest: str) -> str:
    """What a model that has no number in the registry is called."""
    return f"model-{digest[:12]}"
