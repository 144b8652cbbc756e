"""The annotators whose ballots count: one account a person, made or listed by whoever runs the rounds.

Belongs here: whether an account is on the list. Not here: keeping the list (labeling/review/ledger/), making accounts
(label_studio/accounts.py), what else voids a ballot (ballots.py).

Whoever has an account of the community server can read the invitation to it, and make more accounts; so an account
counts only from the moment at which it was listed, and a ballot that was pulled before stays void.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from labeling.review.ledger.ledger import Ledger
    from labeling.review.ledger.whole import Annotator

STRANGER = "is of an account that `selvedge review annotator add` did not make"


@dataclass(frozen=True)
class AnnotatorList:
    """Annotators by e-mail; each has one entry an account."""

    entries: "Mapping[str, tuple[Annotator, ...]]"

    @classmethod
    def of(cls, ledger: "Ledger") -> "AnnotatorList":
        """The list as the ledger holds it."""
        return cls.from_annotators(ledger.record.annotators())

    @classmethod
    def from_annotators(cls, annotators: "Iterable[Annotator]") -> "AnnotatorList":
        entries: dict[str, tuple[Annotator, ...]] = {}
        for annotator in annotators:
            entries[annotator.email] = (*entries.get(annotator.email, ()), annotator)
        return cls(entries)

    def fault(self, rater: str, account: int | None = None, before: int | None = None) -> str | None:
        """Why ballots of a rater do not count, if so.

        Args:
            account: the rater's number in Label Studio, where it is known. before: position in the ledger's chain that
                the listing must precede.
        """
        for entry in self.entries.get(rater.lower(), ()):
            same = account is None or entry.account is None or entry.account == account
            if same and (before is None or entry.position < before):
                return None
        return STRANGER
