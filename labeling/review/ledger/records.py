"""Records: what the ledger takes in and gives out, as plain data.

Belongs here: dataclasses and the hash of an annotation's content. Not here: storing them (ledger.py), judging a ballot
(ballots.py).
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any, Literal

from catalog.errors import SelvedgeError
from catalog.files import json_sha256
from labeling.review.pairs.blinding import Side, Version
from labeling.review.pairs.plan import RoundPlan, SlotKind

Outcome = Literal["preferred", "not_preferred", "no_difference", "inconclusive"]
OUTCOMES: tuple[Outcome, ...] = ("preferred", "not_preferred", "no_difference", "inconclusive")
LATE = "came after the round was closed"  # why such a ballot is void
BEFORE = "before"  # origin of annotators who had accounts when these began to be listed
PromotionKind = Literal["promotion", "rollback", "by_hand"]


@dataclass(frozen=True)
class Head:
    """The newest link of a ledger's hash chain: its number and hash, and the id that the ledger's first note gives."""

    ledger: str
    number: int
    sha256: str


@dataclass(frozen=True)
class Round:
    """A round as it stands.

    project_id: of the newest Label Studio project, None before the first. void: why it decides nothing any more.
    """

    plan: RoundPlan
    key: bytes = field(repr=False)
    opened_at: datetime
    project_id: int | None = None
    closed_at: datetime | None = None
    void: str | None = None

    @property
    def state(self) -> Literal["open", "closed", "void"]:
        return "void" if self.void else "closed" if self.closed_at else "open"


@dataclass(frozen=True)
class Pair:
    """One task and what lies behind it: the side map.

    left: whose result is on the left; of an identical pair, whose is on both; of a gold pair, whose was planted in.
    sound: the side of a gold pair that was left as it is. words: that both sides show. shown_sha256: of the page.
    """

    task_key: str
    item: int
    slot: SlotKind
    left: Version
    sound: Side | None
    words: int
    shown_sha256: str


@dataclass(frozen=True)
class PulledAnnotation:
    """An annotation as the review server gave it, nothing interpreted.

    task_key: what the task's data holds under `key`; "" if nothing. rater: who made it. updated_by: who changed it
    last, None where nobody did. side: left, right, tie or both_bad; "" where none was chosen. seconds: from opening the
    task to voting. created_at, updated_at: by the server's clock. cancelled: skipped.
    """

    annotation_id: int
    task_id: int
    task_key: str
    rater: str
    updated_by: str | None
    side: str
    reasons: tuple[str, ...]
    seconds: float | None
    created_at: datetime
    updated_at: datetime
    cancelled: bool = False

    def __post_init__(self) -> None:
        for name in ("created_at", "updated_at"):
            if getattr(self, name).tzinfo is None:
                raise SelvedgeError(f"annotation {self.annotation_id} has {name} without a time zone; pull it again.")

    def to_dict(self) -> dict[str, Any]:
        """Plain data for JSON."""
        content = dict(self.__dict__)
        moments = {name: content[name].isoformat() for name in ("created_at", "updated_at")}
        return content | moments | {"reasons": list(self.reasons)}

    @classmethod
    def from_dict(cls, content: Mapping[str, Any]) -> "PulledAnnotation":
        moments = {name: datetime.fromisoformat(content[name]) for name in ("created_at", "updated_at")}
        return cls(**{**content, **moments, "reasons": tuple(content["reasons"])})

    @property
    def content_sha256(self) -> str:
        return json_sha256(self.to_dict())


@dataclass(frozen=True)
class Ballot:
    """One revision of an annotation, as it was first pulled.

    revision: 1 for the content that was pulled first. pull: the pull that brought it. simulated: by a scripted
    annotator. void: why it may never count.
    """

    annotation: PulledAnnotation
    revision: int
    pull: int
    simulated: bool
    void: str | None


@dataclass(frozen=True)
class Pull:
    """One snapshot of everything the review server held. sha256: over all its annotations."""

    number: int
    at: datetime
    sha256: str
    annotations: int


@dataclass(frozen=True)
class StoredPull:
    """What a pull added. vanished: annotations that an earlier pull had, and that are not on the server any more."""

    pull: Pull
    ballots: tuple[Ballot, ...]
    vanished: tuple[int, ...]


@dataclass(frozen=True)
class Exclusion:
    """A rater whose ballots do not count, by which pre-registered rule, and the figures that broke it."""

    rater: str
    rule: str
    detail: str


@dataclass(frozen=True)
class Verdict:
    """The outcome of a round, with the evidence it rests on (JSON) and hashes of evidence and ballots."""

    round_id: str
    outcome: Outcome
    evidence: str
    evidence_sha256: str
    ballots_sha256: str
    simulated: bool
    at: datetime


@dataclass(frozen=True)
class PromotionRecord:
    """One move of a champion's alias: who, what, when, why, on which evidence.

    number: its place in the family's history. version: champion from then on. previous_champion: where that alias
    points from then on. evidence: id -> sha256. simulated: it rests on ballots of scripted annotators. outcome: None
    while the alias may or may not have moved.
    """

    record_id: str
    family: str
    number: int
    kind: PromotionKind
    candidate: str
    version: str
    old_champion: str | None
    previous_champion: str | None
    who: str
    reasons: tuple[str, ...]
    evidence: Mapping[str, str]
    simulated: bool
    at: datetime
    outcome: Literal["completed", "abandoned"] | None = None
    ended_at: datetime | None = None
    detail: str = ""

    def ended(self, outcome: Literal["completed", "abandoned"], at: datetime, detail: str) -> "PromotionRecord":
        return replace(self, outcome=outcome, ended_at=at, detail=detail)
