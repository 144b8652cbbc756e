"""The small protocol that every description writer keeps.

Belongs here: what a writer is given and gives back. Not here: the writers (grammar.py, bedrock.py, local_llm.py), the
check that all of them face alike (faithfulness.py).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from inference.descriptions.facts import ProductFacts


class BudgetSpent(Exception):
    """A writer reached the token or spend limit of this run; what is left goes to the grammar writer."""


@dataclass(frozen=True)
class Draft:
    """A text and what it cost.

    Attributes:
        text: the whole description. style: its licensed style phrase, "" where a writer does not tell.
        tokens_in, tokens_out: billed tokens; 0 for a writer that bills none.
    """

    text: str
    style: str = ""
    tokens_in: int = 0
    tokens_out: int = 0


class Writer(Protocol):
    """Writes about one product. The same facts and feedback give the same text wherever the method allows it.

    Attributes:
        name: as table `descriptions` shows it, like `grammar`.
        prompt_version: version of the words it works with: a prompt file, sentence plans.
        model_version: the language model behind it, "" for none.
    """

    @property
    def name(self) -> str: ...

    @property
    def prompt_version(self) -> str: ...

    @property
    def model_version(self) -> str: ...

    def write(self, facts: ProductFacts, feedback: Sequence[str]) -> Draft:
        """A description.

        Args:
            feedback: what was wrong with the drafts so far, one sentence each; empty the first time.

        Raises:
            BudgetSpent: the run's limit leaves no room for another text.
            SelvedgeError, ServiceUnavailable: the writer cannot work at all.
        """
