"""Scripted annotators: raters whose preference is known, for the demo and for tests.

Belongs here: what they choose, and how long it takes them. Not here: voting through Label Studio's API (the caller
does, with an account of this annotator's name).

Their accounts carry the mark in the address itself (`.invalid` can never be a person's, RFC 2606), so that no ballot of
theirs can be taken for a person's, however it reaches the ledger.
"""

import hashlib
import random
import re
from dataclasses import dataclass

from catalog.errors import SelvedgeError
from labeling.review.ledger.records import Pair
from labeling.review.pairs.blinding import other

SIMULATED_DOMAIN = "simulated.invalid"
LAZY_SECONDS = (0.4, 1.2)


def is_simulated(rater: str) -> bool:
    """Whether a rater's name is a scripted annotator's."""
    return rater.lower().endswith(f"@{SIMULATED_DOMAIN}")


@dataclass(frozen=True)
class Choice:
    """A vote: side (left, right, tie, both_bad) and the seconds it took."""

    side: str
    seconds: float


@dataclass(frozen=True)
class ScriptedAnnotator:
    """A rater with known habits; the same seed and pair give the same vote, in whatever order pairs come.

    name: of the account, before the @. seed: shared by a round's annotators. preference: share of decided votes for the
    candidate, were there no noise and no bias. consensus: how often all annotators see an item alike. noise: votes cast
    at random. left_bias: votes for the left side whatever it shows. laziness: votes for the left side at once. ties,
    both_bad: shares of plain votes. seconds: the median time of a vote that is not lazy.
    """

    name: str
    seed: int
    preference: float = 0.7
    consensus: float = 0.5
    noise: float = 0.05
    left_bias: float = 0.0
    laziness: float = 0.0
    ties: float = 0.1
    both_bad: float = 0.02
    seconds: float = 12.0

    def __post_init__(self) -> None:
        if not re.fullmatch(r"[a-z0-9][a-z0-9.-]{0,62}", self.name):
            raise SelvedgeError(f"annotator {self.name!r} needs a name of a-z, 0-9, dots and hyphens.")
        for share in ("preference", "consensus", "noise", "left_bias", "laziness", "ties", "both_bad"):
            if not 0 <= getattr(self, share) <= 1:
                raise SelvedgeError(f"annotator {self.name} has {share} {getattr(self, share)}; it is between 0 and 1.")
        if not self.seconds > 0:
            raise SelvedgeError(f"annotator {self.name} takes {self.seconds} seconds to vote; give a positive time.")

    @property
    def email(self) -> str:
        """The account's address, which says that this is no person."""
        return f"{self.name}@{SIMULATED_DOMAIN}"

    def choose(self, pair: Pair) -> Choice:
        """The vote on a pair, whose sides the annotator is told from our own map."""
        draw = _generator(self.seed, self.name, pair.task_key)
        if draw.random() < self.laziness:
            return Choice("left", round(draw.uniform(*LAZY_SECONDS), 2))
        seconds = round(max(2.0, self.seconds * draw.lognormvariate(0, 0.4)), 2)
        if draw.random() < self.left_bias:
            return Choice("left", seconds)
        if draw.random() < self.noise:
            return Choice(draw.choice(("left", "right")), seconds)
        return Choice(self._honest(pair, draw), seconds)

    def _honest(self, pair: Pair, draw: random.Random) -> str:
        if pair.slot == "gold" and pair.sound is not None:
            return pair.sound
        if pair.slot == "aa":
            return "tie"
        kind = draw.random()
        if kind < self.ties:
            return "tie"
        if kind < self.ties + self.both_bad:
            return "both_bad"
        # Taken from the item alone, the draw is the same for every annotator and for the repeat; the share stays true.
        item = _generator(self.seed, "item", str(pair.item)).random()
        better = "candidate" if (item if draw.random() < self.consensus else draw.random()) < self.preference else None
        shown = pair.left if better else other(pair.left)
        return "left" if shown == "candidate" else "right"


def _generator(*parts: object) -> random.Random:
    digest = hashlib.sha256("\0".join(map(str, parts)).encode()).digest()
    return random.Random(int.from_bytes(digest))
