"""From what a model scores to how sure it may say it is, and when it had better say nothing.

Belongs here: a temperature per attribute, the threshold below which an answer is withheld, both fitted on validation.
Not here: the scores (answers.py), measuring calibration (evaluation/classification.py).
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.stats import beta

from catalog.errors import SelvedgeError
from evaluation.classification import coverage_risk, expected_calibration_error
from training.blip2.answers import Scores
from training.temperature import fit_temperature

FORMAT = 1
ENOUGH_ROWS = 40  # below, an attribute takes the threshold of all attributes together
CONFIDENCE = 0.9  # that the errors among answers given stay within the stated risk
NEVER = 1.01  # a threshold no confidence reaches


@dataclass(frozen=True)
class AttributeCalibration:
    """One attribute's fit.

    Attributes:
        temperature: log-probabilities are divided by it before they are normalised again.
        threshold: answers less confident than this are withheld.
        rows, coverage, error, calibration_error: on validation, at that threshold; error is that of the answers given.
    """

    temperature: float
    threshold: float
    rows: int
    coverage: float
    error: float
    calibration_error: float


@dataclass(frozen=True)
class Calibration:
    """All attributes of one model, for one way of decoding.

    Attributes:
        risk: the share of given answers that may be wrong; of thresholds chosen for it, one in ten exceeds it.
    """

    risk: float
    attributes: Mapping[str, AttributeCalibration]
    format: int = FORMAT

    def __post_init__(self) -> None:
        if self.format != FORMAT:
            raise SelvedgeError(
                f"calibration: format {self.format} is not known to this version (it reads {FORMAT}); update selvedge."
            )

    def confidence(self, attribute: str, scores: Scores) -> float:
        """Calibrated probability of the chosen answer, in (0, 1]."""
        fitted = self.attributes.get(attribute)
        return _confidence(scores, fitted.temperature if fitted else 1.0)

    def abstains(self, attribute: str, confidence: float) -> bool:
        fitted = self.attributes.get(attribute)
        return fitted is not None and confidence < fitted.threshold

    def to_dict(self) -> dict[str, Any]:
        return {
            "format": self.format,
            "risk": self.risk,
            "attributes": {name: asdict(fitted) for name, fitted in self.attributes.items()},
        }

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> "Calibration":
        """Raises SelvedgeError for a missing key or a format this code does not know."""
        try:
            attributes = {name: AttributeCalibration(**fitted) for name, fitted in values["attributes"].items()}
            return cls(float(values["risk"]), attributes, int(values["format"]))
        except (KeyError, TypeError, ValueError) as error:
            raise SelvedgeError(
                f"calibration: {error} is missing or malformed in the artefact; export it again."
            ) from error


def fit_calibration(
    attributes: Sequence[str], scores: "Sequence[Scores]", truths: Sequence[int], risk: float
) -> Calibration:
    """Fit every attribute on validation answers.

    Args:
        attributes, scores, truths: one entry per question; a truth is an index into the question's allowed answers.
        risk: in (0, 1), e.g. 0.10 for at most one wrong answer in ten given.

    Raises:
        SelvedgeError: no answers, or a risk outside (0, 1).
    """
    if not 0 < risk < 1:
        raise SelvedgeError(f"setting risk is {risk}; it must lie between 0 and 1.")
    if not scores:
        raise SelvedgeError("calibration: there are no validation answers to fit on; read a larger catalogue.")
    names, truth = np.asarray(attributes, dtype=object), np.asarray(truths)
    right = np.array([score.answer_index for score in scores]) == truth
    confidence = np.zeros(len(scores))
    temperatures: dict[str, float] = {}
    for name in dict.fromkeys(attributes):
        rows = np.flatnonzero(names == name)
        temperatures[name] = fit_temperature([scores[row].log_probabilities for row in rows], truth[rows])
        confidence[rows] = [_confidence(scores[row], temperatures[name]) for row in rows]
    pooled = choose_threshold(confidence, right, risk)
    fitted: dict[str, AttributeCalibration] = {}
    for name, temperature in temperatures.items():
        rows = np.flatnonzero(names == name)
        threshold = choose_threshold(confidence[rows], right[rows], risk) if len(rows) >= ENOUGH_ROWS else pooled
        given = confidence[rows] >= threshold
        fitted[name] = AttributeCalibration(
            temperature=temperature,
            threshold=threshold,
            rows=len(rows),
            coverage=float(given.mean()),
            error=float(1 - right[rows][given].mean()) if given.any() else 0.0,
            calibration_error=expected_calibration_error(confidence[rows], right[rows]),
        )
    return Calibration(risk, fitted)


def choose_threshold(confidence: NDArray[np.float64], right: NDArray[np.bool_], risk: float) -> float:
    """The threshold that gives most answers of whose errors the upper confidence bound is at most `risk`; 0 when all
    may be given.

    The bound is Clopper and Pearson's, one-sided at `CONFIDENCE`. A threshold chosen by the share of errors itself, as
    here before, exceeds the stated risk in every second model, and with 40 rows by half as much again:
    `python -m benchmarks.abstention`.

    Source: Bates et al., JACM 2021 (risk control by upper bounds).
    """
    curve = coverage_risk(confidence, right)
    given = np.rint(curve.coverage * len(confidence))
    wrong = np.rint(curve.risk * given)
    bound = np.where(wrong < given, beta.ppf(CONFIDENCE, wrong + 1, np.maximum(given - wrong, 1)), 1.0)
    allowed = np.flatnonzero(bound <= risk)
    if not len(allowed):
        return NEVER
    last = int(allowed[-1])
    return 0.0 if last == len(curve.risk) - 1 else float(curve.threshold[last])


def _confidence(scores: Scores, temperature: float) -> float:
    scaled = scores.log_probabilities.astype(np.float64) / temperature
    scaled -= scaled.max()
    return float(np.exp(scaled[scores.answer_index]) / np.exp(scaled).sum())
