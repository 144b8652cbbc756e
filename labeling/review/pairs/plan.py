"""The plan of a round: everything that decides its outcome besides the ballots, fixed before the first of them.

Belongs here: what a plan says, its checks, its hash, and how to tell that one was changed. Not here: the statistics it
hands on (evaluation/preference_plan.py), storing it (labeling/review/ledger/).

A plan that may be changed after ballots were seen can be made to say anything, so it is stored with its hash when the
round opens, and a round whose plan is another one is void.
"""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Any, Literal

from catalog.errors import SelvedgeError
from catalog.files import json_sha256
from evaluation.preference_plan import PreferencePlan

FORMAT = 1
SLUG = re.compile(r"[a-z0-9](?:[a-z0-9-]{1,61})[a-z0-9]")
Opponent = Literal["champion", "base"]
SlotKind = Literal["plain", "gold", "aa", "repeat"]
"""Why a pair is shown."""


@dataclass(frozen=True)
class RoundPlan:
    """A round, pre-registered.

    candidate: its partition key. candidate_version, opponent_version: what the two results were made by, as the
    registry names them. opponent: the champion, or the family's base where there is none. kind: of pair, see kinds.py.
    items: products shown as plain pairs. gold_share, aa_share, repeat_share: further pairs, as shares of `items`.
    overlap: ballots asked for a pair, each of another rater. results: hashes of the tables compared, by name.
    """

    round_id: str
    family: str
    candidate: str
    candidate_version: str
    opponent: Opponent
    opponent_version: str
    kind: str
    seed: int
    items: int
    preference: PreferencePlan
    gold_share: float = 0.10
    aa_share: float = 0.05
    repeat_share: float = 0.05
    overlap: int = 3
    results: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        check_round_id(self.round_id)
        where = f"the plan of round {self.round_id}"
        for name in ("family", "candidate", "candidate_version", "opponent_version", "kind"):
            if not (isinstance(getattr(self, name), str) and getattr(self, name).strip()):
                raise SelvedgeError(f"{where} has no {name}; name it.")
        if self.opponent not in ("champion", "base"):
            raise SelvedgeError(f"{where} has the opponent {self.opponent!r}; it is champion or base.")
        if self.candidate_version == self.opponent_version:
            raise SelvedgeError(f"{where} compares version {self.candidate_version} with itself; name two versions.")
        for name, least in (("seed", 0), ("items", 1), ("overlap", 1)):
            value = getattr(self, name)
            if not isinstance(value, int) or isinstance(value, bool) or value < least:
                raise SelvedgeError(f"{where} has {name} {value!r}; it is a whole number of at least {least}.")
        for name in ("gold_share", "aa_share", "repeat_share"):
            value = getattr(self, name)
            if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= 0.5:
                raise SelvedgeError(f"{where} has {name} {value!r}; it is a share between 0 and 0.5.")

    @property
    def champion_version(self) -> str | None:
        """The champion it was opened against; None where the base stood in."""
        return self.opponent_version if self.opponent == "champion" else None

    @property
    def asked(self) -> int:
        """Ballots of its plain pairs that can count."""
        return self.preference.asked(self.items, self.overlap)

    def extra(self, share: float) -> int:
        """Further pairs for a share of the items; a share that is asked for gives at least one."""
        return max(1, round(share * self.items)) if share > 0 else 0

    def to_dict(self) -> dict[str, Any]:
        content = {field_.name: getattr(self, field_.name) for field_ in fields(self)}
        shares = {name: float(content[name]) for name in ("gold_share", "aa_share", "repeat_share")}
        return content | shares | {"preference": self.preference.to_dict(), "results": dict(self.results)}

    @property
    def sha256(self) -> str:
        """Hash of everything the plan says."""
        return json_sha256(self.to_dict(), allow_nan=False)

    def to_json(self) -> str:
        """The plan as text, with its hash."""
        content = self.to_dict()
        sha256 = json_sha256(content, allow_nan=False)
        return json.dumps({"format": FORMAT, "plan": content, "sha256": sha256}, indent=1, allow_nan=False)

    @classmethod
    def from_json(cls, text: str) -> "RoundPlan":
        """Read what `to_json` wrote.

        Raises:
            SelvedgeError: no plan, one of another format, or one that was changed since it was written.
        """
        try:
            document = json.loads(text)
            content, written, version = dict(document["plan"]), document["sha256"], document["format"]
        except (ValueError, KeyError, TypeError) as error:
            raise SelvedgeError(f"this is no plan of a round ({error}); open the round again.") from error
        if version != FORMAT:
            raise SelvedgeError(f"the plan has format {version}; this version reads format {FORMAT}.")
        if written != json_sha256(content, allow_nan=False):
            raise SelvedgeError(
                f"the plan of round {content.get('round_id')} was changed after it was written; the round is void."
            )
        try:
            return cls(**content | {"preference": PreferencePlan.from_dict(content["preference"])})
        except (KeyError, TypeError) as error:
            raise SelvedgeError(f"the plan of round {content.get('round_id')} is incomplete ({error}).") from error


def check_round_id(round_id: object) -> None:
    """Raises: SelvedgeError: no round can have this name."""
    if not (isinstance(round_id, str) and SLUG.fullmatch(round_id)):
        raise SelvedgeError(
            f"round id {round_id!r} must be 3 to 63 of a-z, 0-9 and hyphens, with no hyphen at its ends; "
            "choose another."
        )


def plan_changes(registered: RoundPlan, now: RoundPlan) -> tuple[str, ...]:
    """The names of what differs between two plans, those of the preference plan with a dot; empty when they are one."""
    before, after = _flat(registered.to_dict()), _flat(now.to_dict())
    return tuple(name for name in sorted(before.keys() | after.keys()) if before.get(name) != after.get(name))


def _flat(content: Mapping[str, Any]) -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for name, value in content.items():
        inner = _flat(value) if isinstance(value, Mapping) else None
        flat |= {name: value} if inner is None else {f"{name}.{key}": entry for key, entry in inner.items()}
    return flat
