"""The plan of a round: every rule that could be bent afterwards, fixed and hashed before the first ballot.

Belongs here: the plan as data, its ranges, its JSON, how a round may end. Not here: applying it (ballots.py,
preference.py).
"""

import json
import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any

from catalog.errors import SelvedgeError
from catalog.files import json_sha256

FORMAT = 1
PREFERRED, NOT_PREFERRED, NO_DIFFERENCE, INCONCLUSIVE = VERDICTS = (
    "preferred",
    "not_preferred",
    "no_difference",
    "inconclusive",
)
LATER = ("fast_warnings", "minimum_items", "minimum_progress")  # rules that plans of before do not name


@dataclass(frozen=True)
class PreferencePlan:
    """What is fixed before the first ballot; a changed plan has another hash and voids the round.

    alpha: error over all looks. shape: of the Beta(shape, shape) mixture. difference: smallest of interest, as a share.
    minimum_raters, maximum_share, minimum_ballots, minimum_items: the quorum, on decided ballots. rater_cap, item_cap,
    ballots_cap: ballots that count at most, by rater, by item, in all. latched: the round is judged after every ballot
    in order of arrival, and its first decision stands, whenever somebody looks. minimum_progress: the part of a round's
    ballots before which nothing is decided, because people who change their minds while they vote would otherwise be
    taken at their first word.

    The rest are rules for leaving out raters, see `ballots.exclude_raters`: an attentive rater who errs on 5 % of gold
    pairs is left out in 2 of 100 rounds with five gold pairs, one who guesses in 81. fast_warnings: ballots faster than
    they can be read that only warn; the page says so at each, and what a rater sent up to then does not count against
    them. A plan of before one of these rules has 0, or False, there.

    Raises:
        SelvedgeError: a figure outside its range, or figures that contradict each other.
    """

    alpha: float = 0.05
    shape: float = 5.0
    difference: float = 0.05
    minimum_raters: int = 5
    maximum_share: float = 0.4
    minimum_ballots: int = 20
    rater_cap: int = 1000
    item_cap: int = 5
    ballots_cap: int = 2000
    gold_failures: float = 0.3
    gold_minimum: int = 5
    minimum_seconds: float = 1.5
    words_per_second: float = 12.0
    fast_share: float = 0.2
    one_sided_share: float = 0.9
    one_sided_minimum: int = 20
    fast_warnings: int = 1
    minimum_items: int = 20
    latched: bool = True
    minimum_progress: float = 0.65

    def __post_init__(self) -> None:
        whole = (
            "minimum_raters", "minimum_ballots", "rater_cap", "item_cap", "ballots_cap", "fast_warnings",
            "minimum_items",
        )  # fmt: skip
        ranges: dict[str, tuple[float, float]] = {
            "alpha": (1e-6, 0.5), "shape": (0.1, 1e4), "difference": (0.001, 0.499), "minimum_raters": (2, 1e6),
            "maximum_share": (0.01, 1), "minimum_ballots": (1, 1e6), "rater_cap": (1, 1e6), "item_cap": (1, 1e6),
            "ballots_cap": (1, 1e6), "gold_failures": (0, 1), "gold_minimum": (1, 1e6), "minimum_seconds": (0, 3600),
            "words_per_second": (0.1, 1e6), "fast_share": (0, 1), "one_sided_share": (0.51, 1),
            "one_sided_minimum": (1, 1e6), "fast_warnings": (0, 1e6),
            "minimum_items": (0, 1e6), "minimum_progress": (0, 0.95),
        }  # fmt: skip
        for name, (low, high) in ranges.items():
            value = getattr(self, name)
            if isinstance(value, bool) or not isinstance(value, int | float) or not low <= value <= high:
                raise SelvedgeError(f"the plan's {name} is {value}; it must be a number from {low:g} to {high:g}.")
            if (name in whole or name.endswith("minimum")) and value != int(value):
                raise SelvedgeError(f"the plan's {name} is {value}; it must be a whole number.")
        if not isinstance(self.latched, bool):
            raise SelvedgeError(f"the plan's latched is {self.latched!r}; it must be true or false.")
        if self.maximum_share * self.minimum_raters < 1:
            raise SelvedgeError(
                f"the plan's {self.minimum_raters} raters cannot each stay below {self.maximum_share:g} of the "
                "ballots; raise maximum_share or minimum_raters."
            )
        if self.minimum_ballots > self.ballots_cap:
            raise SelvedgeError(
                f"the plan wants at least {self.minimum_ballots} ballots and allows {self.ballots_cap}; raise the cap."
            )

    @property
    def needed(self) -> float:
        """The e-value from which a preference is accepted."""
        return 1 / self.alpha

    def asked(self, items: int, overlap: int) -> int:
        """The ballots of a round's plain pairs that can count: `overlap` on each of `items`, as far as the caps go."""
        return min(items * min(overlap, self.item_cap), self.ballots_cap)

    def first_look(self, asked: int) -> int:
        """The counted ballot of a round from which it may be decided."""
        return math.ceil(round(self.minimum_progress * asked, 6))

    @property
    def sha256(self) -> str:
        """Hash of the content: what every verdict names."""
        return json_sha256({"format": FORMAT, **self.to_dict()}, allow_nan=False)

    def to_dict(self) -> dict[str, Any]:
        """What the plan says; one without a later rule says nothing of it, so that its hash is what it was before."""
        content = asdict(self)
        return {name: value for name, value in content.items() if value or name not in (*LATER, "latched")}

    @classmethod
    def from_dict(cls, content: Mapping[str, Any]) -> "PreferencePlan":
        """Of what `to_dict` gave. Raises: SelvedgeError, TypeError: it is no plan."""
        return cls(**{**dict.fromkeys(LATER, 0), "latched": False, **content})

    def to_json(self) -> str:
        content = {"format": FORMAT, **self.to_dict()}
        return json.dumps(
            {"content": content, "sha256": json_sha256(content, allow_nan=False)}, indent=1, allow_nan=False
        )

    @classmethod
    def from_json(cls, text: str) -> "PreferencePlan":
        """Read what `to_json` wrote.

        Raises:
            SelvedgeError: no plan, of a format this version does not know, or changed since it was written.
        """
        try:
            document = json.loads(text)
            content = dict(document["content"])
            if document["sha256"] != json_sha256(content, allow_nan=False):
                raise SelvedgeError("the plan was changed after it was registered; the round is void, open another.")
            if (stored_format := content.pop("format")) != FORMAT:
                raise SelvedgeError(
                    f"the plan has format {stored_format}, this version reads {FORMAT}; open another round."
                )
            return cls.from_dict(content)
        except (ValueError, KeyError, TypeError) as error:
            raise SelvedgeError(f"this is no plan of a round ({error}); open another round.") from error


def house_plans() -> tuple[PreferencePlan, ...]:
    """The plan of the house, and those that it had before: their open rounds go on as they were registered."""
    three = replace(PreferencePlan(), minimum_raters=3, minimum_progress=0)
    warned = replace(three, rater_cap=100, item_cap=3, minimum_items=0, latched=False)
    return PreferencePlan(), three, warned, replace(warned, fast_warnings=0)


def accepted_plans(sha256: str) -> frozenset[str]:
    """Hashes of plans under which a verdict stands where the plan of this hash is demanded."""
    hashes = [plan.sha256 for plan in house_plans()]
    return frozenset(hashes if sha256 == hashes[0] else (sha256,))
