"""Evidence about a candidate, and the rule that says what a family's candidate has to show: what the gate goes by.

Belongs here: both as data, their JSON and hash, evidence from a table of scores. Not here: the decision, and a verdict
of people as evidence (gate.py).
"""

import json
import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, datetime
from typing import Any

import pandas as pd

from catalog.errors import SelvedgeError
from catalog.files import json_sha256
from evaluation.scores import ALL, BASE, MEAN

FORMAT = 1
METRICS = "metrics"
BEST_FLOORS = "floor"  # a rival: of each attribute the floor that is hardest to beat


@dataclass(frozen=True)
class GateRule:
    """What a family's candidate has to show.

    required: kinds of evidence. metric: of the scores that decides. minimum_rows: test rows of the attribute that has
    most, below which the scores tell nothing. delta: the largest loss against the champion on any attribute that is no
    noise; deltas: other limits for single attributes. minimum_gain: the mean must be better by more than this.
    clear_gain: the lower end of the paired interval must be, not just the point. tolerance: what the mean may be worse
    by than the incumbent's, where other evidence decides who is better. beats: subjects that the candidate's mean must
    exceed whether or not there is a champion, a floor clearly; BEST_FLOORS stands for the best floor of each attribute.
    plan_sha256: of the preference plan that a verdict must have been reached by, None for any registered one.
    simulated_ballots: a verdict may rest on scripted annotators.
    """

    family: str
    required: tuple[str, ...] = (METRICS,)
    metric: str = "macro_f1"
    delta: float = 0.03
    deltas: Mapping[str, float] = field(default_factory=dict)
    minimum_gain: float = 0.0
    clear_gain: bool = True
    tolerance: float = 0.0
    minimum_rows: int = 0
    beats: tuple[str, ...] = (BASE,)
    plan_sha256: str | None = None
    simulated_ballots: bool = False

    def __post_init__(self) -> None:
        if not self.required:
            raise SelvedgeError(f"the gate rule of {self.family} requires no evidence; name at least `{METRICS}`.")

    def of_scores(self) -> "GateRule":
        """The rule as the first gate asks it: of the scores alone; a verdict is the next gate's."""
        return replace(self, required=(METRICS,))

    def limit(self, attribute: str) -> float:
        return self.deltas.get(attribute, self.delta)


@dataclass(frozen=True)
class Score:
    """One figure on all test rows: a row of the table `scores`. NaN where there is none."""

    subject: str
    attribute: str
    metric: str
    value: float
    low: float
    high: float
    support: int


@dataclass(frozen=True)
class Evidence:
    """What is known about a candidate, and about which champion.

    champion_version: the registry version it was compared with, None where there was no champion. dataset_sha256: of
    the rows it was tested on. created: ISO 8601, UTC. scores: the evidence of kind `metrics`. others: kind -> its data,
    for kinds that a module of their own reads.
    """

    family: str
    candidate: str
    champion_version: str | None
    dataset_sha256: str
    created: str
    scores: tuple[Score, ...] = ()
    others: Mapping[str, Any] = field(default_factory=dict)

    @property
    def kinds(self) -> frozenset[str]:
        return frozenset(self.others) | ({METRICS} if self.scores else frozenset())

    def figure(self, subject: str, attribute: str, metric: str) -> Score | None:
        matches = (s for s in self.scores if (s.subject, s.attribute, s.metric) == (subject, attribute, metric))
        return next(matches, None)

    def support(self, subject: str, attribute: str, metric: str) -> int:
        """The test rows behind a figure; 0 where it is missing."""
        figure = self.figure(subject, attribute, metric)
        return figure.support if figure else 0

    def attributes(self, subject: str, metric: str) -> set[str]:
        """The attributes a subject has a row for, the mean not among them."""
        return {s.attribute for s in self.scores if s.subject == subject and s.metric == metric} - {MEAN}

    @property
    def sha256(self) -> str:
        """Hash of the content: what a promotion record names."""
        return json_sha256(self._content(), allow_nan=False)

    def to_json(self) -> str:
        """The evidence as text, with the hash of its content."""
        content = self._content()
        return json.dumps(
            {"content": content, "sha256": json_sha256(content, allow_nan=False)}, indent=1, allow_nan=False
        )

    def _content(self) -> dict[str, Any]:
        content = {"format": FORMAT, **asdict(self)}
        for score in content["scores"]:
            # JSON has no NaN; a figure that is missing comes back as one.
            score |= {key: None for key in ("value", "low", "high") if not math.isfinite(score[key])}
        return content

    @classmethod
    def from_json(cls, text: str) -> "Evidence":
        """Read what `to_json` wrote.

        Raises:
            SelvedgeError: not evidence, of a format this version does not know, or changed since it was written.
        """
        try:
            document = json.loads(text)
            content = dict(document["content"])
            if document["sha256"] != json_sha256(content, allow_nan=False):
                raise SelvedgeError("the evidence was changed after it was written; score the candidate again.")
            if (stored_format := content.pop("format")) != FORMAT:
                raise SelvedgeError(
                    f"the evidence has format {stored_format}, this version reads {FORMAT}; score again."
                )
            scores = tuple(map(_score, content.pop("scores")))
            return cls(**content, scores=scores)
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise SelvedgeError(f"this is no evidence ({error}); score the candidate again.") from error


def _score(row: Mapping[str, Any]) -> Score:
    fields: dict[str, Any] = {key: math.nan if value is None else value for key, value in row.items()}
    return Score(**fields)


def metrics_evidence(
    scores: pd.DataFrame, champion_version: str | None, dataset_sha256: str, created: datetime | None = None
) -> Evidence:
    """Evidence of kind `metrics` from a table `scores` of one candidate; slices stay behind.

    Raises:
        SelvedgeError: the table is empty or speaks of more than one candidate.
    """
    names = scores[["family", "candidate"]].drop_duplicates()
    if len(names) != 1:
        raise SelvedgeError(f"the scores speak of {len(names)} candidates; evidence is about exactly one.")
    family, candidate = names.iloc[0]
    rows = scores[scores["slice"] == ALL].sort_values(["subject", "attribute", "metric"])
    columns = ["subject", "attribute", "metric", "value", "low", "high", "support"]
    figures = tuple(
        Score(subject, attribute, metric, float(value), float(low), float(high), int(support))
        for subject, attribute, metric, value, low, high, support in rows[columns].itertuples(index=False, name=None)
    )
    moment = (created or datetime.now(UTC)).astimezone(UTC).isoformat(timespec="seconds")
    return Evidence(str(family), str(candidate), champion_version, dataset_sha256, moment, figures)
