"""Quality control: the answer to each guideline of a brand about one picture.

Belongs here: measurement against limit, and the questions put to a vision model afterwards. Not here: the measuring
(measurements.py), the model (bedrock_judge.py), what follows from a failure (../feedback.py).
"""

from collections.abc import Mapping
from typing import Protocol

from catalog.errors import SelvedgeError
from inference.ad_images.finding import Change, Finding, Strictness
from inference.ad_images.quality.brand import Brand, Guideline
from inference.ad_images.quality.guidelines import GUIDELINES
from inference.ad_images.quality.measurements import measure
from inference.ad_images.scene import AdPicture

BY_WORDS = (Change.CAPTION, Change.SCENE_SEED, Change.STRENGTH)  # what may mend what a vision model faults


class UnreadableAnswer(SelvedgeError):
    """A vision model answered neither yes nor no, although it was asked again."""


class Judge(Protocol):
    """A vision model that answers closed questions."""

    def ask(self, question: str, picture: AdPicture) -> tuple[bool, str]:
        """The answer (True is yes) and what in the picture it rests on.

        Raises:
            UnreadableAnswer: counts as a guideline that fails.
        """


def judge(picture: AdPicture, brand: Brand, ask: Judge | None = None) -> list[Finding]:
    """Findings in the order of the brand's guidelines, measured ones first.

    A guideline that does not apply (a horizon seen from above, a palette of a brand without one) has no finding. A
    vision model is asked one question per guideline, and only about pictures that no strict measurement failed.

    Args:
        ask: None leaves the brand's questions out.
    """
    findings = findings_of(
        measure(picture, brand, [rule.name for rule in brand.guidelines if not rule.question]), brand
    )
    if ask is None or any(not finding.passed and finding.strictness is Strictness.STRICT for finding in findings):
        return findings
    return findings + [_answered(rule, picture, ask) for rule in brand.guidelines if rule.question]


def findings_of(values: Mapping[str, float], brand: Brand) -> list[Finding]:
    """Findings of measured values, in the order of the brand's guidelines.

    Args:
        values: guideline → value, in the unit of guidelines.py; what is missing does not apply to the picture.
    """
    return [_measured(rule, values[rule.name]) for rule in brand.guidelines if rule.name in values]


def _measured(rule: Guideline, value: float) -> Finding:
    kind = GUIDELINES[rule.name]
    return Finding(
        guideline=rule.name,
        passed=kind.passes(value, rule.limit),
        strictness=rule.strictness,
        value=value,
        limit=rule.limit,
        unit=kind.unit,
        sentence=kind.sentence.format(value=value, limit=rule.limit),
        may_change=kind.may_change,
    )


def _answered(rule: Guideline, picture: AdPicture, ask: Judge) -> Finding:
    try:
        answer, evidence = ask.ask(rule.question, picture)
    except UnreadableAnswer as error:
        sentence = f"{rule.question} {error}"
        return Finding(rule.name, False, rule.strictness, 0.0, 1.0, "yes/no", sentence, ())
    passed = answer == rule.pass_on
    said = "yes" if answer else "no"
    sentence = f"{rule.question} {said}: {evidence}"
    return Finding(rule.name, passed, rule.strictness, float(passed), 1.0, "yes/no", sentence, BY_WORDS)
