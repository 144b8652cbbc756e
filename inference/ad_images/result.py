"""Results: everything one request came to, attempt by attempt.

Belongs here: the types that the pipeline fills and that sheets, store and tables read. Not here: any stage.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from inference.ad_images.cutout import Cutout
from inference.ad_images.finding import Finding, Strictness
from inference.ad_images.refusal import AdRefused
from inference.ad_images.request import AdBrief
from inference.ad_images.scene import AdPicture


@dataclass(frozen=True)
class Judged:
    """A picture with the answer to every guideline.

    Attributes:
        score: the ranker's; a higher one is shown first.
        relaxed: flexible guidelines that it fails and that were let go because nothing passed.
    """

    picture: AdPicture
    findings: Sequence[Finding]
    score: float = 0.0
    relaxed: tuple[str, ...] = ()

    @property
    def failed(self) -> list[Finding]:
        """Findings that keep the picture back."""
        return [
            finding
            for finding in self.findings
            if not finding.passed
            and finding.strictness is not Strictness.WEIGHTED
            and finding.guideline not in self.relaxed
        ]


@dataclass(frozen=True)
class Attempt:
    """Nine plans painted and judged. changed: what the retry changed against the attempt before, in words."""

    judged: Sequence[Judged]
    changed: str = ""

    @property
    def passed(self) -> list[Judged]:
        return [judged for judged in self.judged if not judged.failed]


class NothingPassed(AdRefused):
    """Quality control's refusal after all retries, with the plans of the last attempt for whoever shows why."""

    def __init__(self, refusal: AdRefused, attempt: Attempt) -> None:
        super().__init__(refusal.code, str(refusal))
        self.attempt = attempt


@dataclass(frozen=True)
class AdResult:
    """A request, done.

    Attributes:
        caption: what the backgrounds were asked by. asset: name and licence of the library photograph that was used.
        attempts: in order; the last one gave the pictures.
        top: positions in the last attempt, best first; at most three.
        reasons: sentences for a person: what was relaxed, what was looked for in vain.
        seconds: wall seconds by stage.
    """

    brief: AdBrief
    cutout: Cutout
    caption: str
    attempts: Sequence[Attempt]
    top: Sequence[int]
    asset: str = ""
    reasons: Sequence[str] = ()
    seconds: Mapping[str, float] = field(default_factory=dict)

    @property
    def pictures(self) -> list[Judged]:
        """The pictures that are shown to a person, best first."""
        return [self.attempts[-1].judged[position] for position in self.top]
