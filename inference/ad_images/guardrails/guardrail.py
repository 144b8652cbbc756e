"""What a guardrail is, and several of them as one.

Belongs here: the protocol, running all. Not here: any rule (local.py), any service (aws.py).
"""

from collections.abc import Sequence
from typing import Protocol

from inference.ad_images.refusal import AdRefused


class Guardrail(Protocol):
    """Whoever judges a prompt and a photograph before work begins.

    Attributes:
        name: in recipes and refusals.
    """

    @property
    def name(self) -> str: ...

    def check(self, prompt: str | None, photo: bytes) -> None:
        """Nothing where both may be used.

        Args:
            prompt: None where the request has none. photo: bytes of an image file, as uploaded.

        Raises:
            AdRefused: one may not be used. ServiceUnavailable: a service did not answer, so nothing is known.
        """


class Guardrails:
    """All of these, in this order; the first refusal ends it. A photograph that no check has passed is never used.

    Args:
        guardrails: cheap ones first, so that a service is not paid for what a word list refuses.
    """

    def __init__(self, guardrails: Sequence[Guardrail]) -> None:
        self._guardrails = tuple(guardrails)
        self.name = "+".join(guardrail.name for guardrail in self._guardrails)

    def check(self, prompt: str | None, photo: bytes) -> None:
        """As `Guardrail.check`."""
        for guardrail in self._guardrails:
            guardrail.check(prompt, photo)

    def refusals(self, prompt: str | None, photo: bytes) -> list[AdRefused]:
        """What every one of them has against it, for a report; [] where it may be used.

        Raises:
            ServiceUnavailable: a service did not answer.
        """
        refused = []
        for guardrail in self._guardrails:
            try:
                guardrail.check(prompt, photo)
            except AdRefused as refusal:
                refused.append(refusal)
        return refused
