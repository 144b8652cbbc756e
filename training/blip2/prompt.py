"""The words around a question. Data in the artefact, so that nobody writes the template a second time at serving.

Belongs here: the template and its format number. Not here: the questions themselves (catalog/attributes.yaml).
"""

from collections.abc import Iterable
from dataclasses import asdict, dataclass
from typing import Any

from catalog.errors import SelvedgeError

FORMAT = 1


@dataclass(frozen=True)
class Prompt:
    """What the language model reads after the image's query tokens."""

    template: str = "Question: {question} Answer:"
    format: int = FORMAT

    def __post_init__(self) -> None:
        if self.format != FORMAT:
            raise SelvedgeError(
                f"prompt: format {self.format} is not known to this version (it reads {FORMAT}); update selvedge."
            )
        if "{question}" not in self.template:
            raise SelvedgeError("prompt: the template holds no {question}; add it where the question belongs.")

    def text(self, question: str) -> str:
        # Not str.format: a question may itself hold braces.
        return self.template.replace("{question}", question)

    def texts(self, questions: Iterable[str]) -> list[str]:
        return [self.text(question) for question in questions]

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> "Prompt":
        """Raises SelvedgeError for a missing key or a format this code does not know."""
        try:
            return cls(str(values["template"]), int(values["format"]))
        except (KeyError, ValueError, TypeError) as error:
            raise SelvedgeError(f"prompt: {error} is missing or malformed in the artefact; export it again.") from error
