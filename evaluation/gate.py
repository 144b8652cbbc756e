"""The gate: may this candidate become the champion? A rule and evidence in, a decision with its reasons out.

Belongs here: the rule as data, the evidence as data, and the judgement. Not here: gathering evidence (scores.py),
moving an alias (orchestration/), which reads its evidence again and asks this gate itself.

The default is refusal. A missing kind of evidence, a figure that is missing or not a number, evidence about another
family or gathered against a champion that is no longer one: each refuses with its own sentence.

How noise is treated. On the mean over attributes a candidate must be *clearly* better: the 95 % interval of the paired
difference lies above `minimum_gain`. On every attribute it may lose at most `delta` by the point estimate, however
wide the interval: uncertainty can refuse, it never excuses, so a smaller test set does not make a promotion easier.
Simulated with 10 attributes, 400 test products and delta 0.03: an equally good candidate passes 2 % of the time (34 %
if the mean had only to be higher), one that is 0.02 better everywhere 82 %, 0.04 better 100 %; one that is 0.02 better
but 0.12 worse on one attribute 0 %. With 1,000 test products the second figure is 100 %.
"""

import json
import math
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from typing import Any

import pandas as pd

from catalog.errors import SelvedgeError
from catalog.files import json_sha256
from evaluation.scores import ALL, BASE, CANDIDATE, CHAMPION, FLOOR, MEAN
from evaluation.verdict_gate import VERDICT, judge_verdict, verdict_of, why_preferred

FORMAT = 1
METRICS = "metrics"


@dataclass(frozen=True)
class GateRule:
    """What a family's candidate has to show.

    required: kinds of evidence. metric: of the scores that decides. delta: the largest loss against the champion on any
    attribute; deltas: other limits for single attributes. minimum_gain: the mean must be better by more than this.
    clear_gain: the lower end of the paired interval must be, not just the point. tolerance: what the mean may be worse
    by than the incumbent's, where other evidence decides who is better. beats: subjects that the candidate's mean must
    exceed whether or not there is a champion; a floor clearly. plan_sha256: of the preference plan that a verdict must
    have been reached by, None for any registered one. simulated_ballots: a verdict may rest on scripted annotators.
    """

    family: str
    required: tuple[str, ...] = (METRICS,)
    metric: str = "macro_f1"
    delta: float = 0.03
    deltas: Mapping[str, float] = field(default_factory=dict)
    minimum_gain: float = 0.0
    clear_gain: bool = True
    tolerance: float = 0.0
    beats: tuple[str, ...] = (BASE,)
    plan_sha256: str | None = None
    simulated_ballots: bool = False

    def __post_init__(self) -> None:
        if not self.required:
            raise SelvedgeError(f"the gate rule of {self.family} requires no evidence; name at least `{METRICS}`.")

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
    for kinds with judges of their own.
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
        found = (s for s in self.scores if (s.subject, s.attribute, s.metric) == (subject, attribute, metric))
        return next(found, None)

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
            if (found := content.pop("format")) != FORMAT:
                raise SelvedgeError(f"the evidence has format {found}, this version reads {FORMAT}; score again.")
            scores = tuple(map(_score, content.pop("scores")))
            return cls(**content, scores=scores)
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise SelvedgeError(f"this is no evidence ({error}); score the candidate again.") from error


def _score(row: Mapping[str, Any]) -> Score:
    fields: dict[str, Any] = {key: math.nan if value is None else value for key, value in row.items()}
    return Score(**fields)


@dataclass(frozen=True)
class Decision:
    """promote: whether the alias may move. reasons: one sentence each, refusals where it may not."""

    promote: bool
    reasons: tuple[str, ...]


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


def decide(rule: GateRule, evidence: Evidence, champion_version: str | None) -> Decision:
    """Whether the candidate may be promoted.

    Args:
        champion_version: the champion at this moment, read from the registry by whoever is about to promote.
    """
    refusals = _refuse_unfit(rule, evidence, champion_version)
    for kind in rule.required:
        if kind not in evidence.kinds:
            refusals.append(f"evidence of kind {kind} is missing; {rule.family} may not be promoted without it.")
        elif kind not in JUDGES:
            refusals.append(f"this version cannot judge evidence of kind {kind}; take it from the rule or upgrade.")
        else:
            refusals += JUDGES[kind](rule, evidence)
    if VERDICT in evidence.kinds and VERDICT not in rule.required:
        # Nobody had to ask people, but somebody did: their no is not overlooked.
        refusals += judge_verdict(rule, evidence)
    if refusals:
        return Decision(False, tuple(refusals))
    return Decision(True, tuple(_why(rule, evidence)))


def judge_metrics(rule: GateRule, evidence: Evidence) -> list[str]:
    """The refusals that the offline scores give; none lets the candidate pass."""
    incumbent = _incumbent(evidence)
    rivals = [*dict.fromkeys([*rule.beats, incumbent])]
    attributes = evidence.attributes(CANDIDATE, rule.metric)
    if not attributes:
        return [f"the evidence holds no {rule.metric} of the candidate on any attribute; score it."]
    refusals = []
    for rival in rivals:
        for missing in sorted(attributes ^ evidence.attributes(rival, rule.metric)):
            owner = rival if missing in attributes else CANDIDATE
            refusals.append(f"{rule.metric} of the {owner} on {missing} is missing; score both on the same attributes.")
    for subject in (CANDIDATE, *rivals):
        for attribute in (*sorted(evidence.attributes(subject, rule.metric)), MEAN):
            figure = evidence.figure(subject, attribute, rule.metric)
            if figure is None or not math.isfinite(figure.value):
                refusals.append(f"{rule.metric} of the {subject} on {attribute} is not a number; score it again.")
    if refusals:
        return refusals
    for rival in rivals:
        refusals += _refuse_mean(rule, evidence, rival, needed=_needed(rule, rival, incumbent))
    if evidence.champion_version is not None:
        refusals += _refuse_losses(rule, evidence, attributes)
    return refusals


JUDGES: dict[str, Callable[[GateRule, Evidence], list[str]]] = {METRICS: judge_metrics, VERDICT: judge_verdict}


def _refuse_unfit(rule: GateRule, evidence: Evidence, champion_version: str | None) -> list[str]:
    refusals = []
    if rule.family != evidence.family:
        refusals.append(f"the evidence is about family {evidence.family}, the rule about {rule.family}; use its own.")
    if not evidence.dataset_sha256:
        refusals.append("the evidence does not say which rows it was gathered on; score the candidate again.")
    if evidence.champion_version != champion_version:
        then = _named(evidence.champion_version)
        now = _named(champion_version)
        refusals.append(f"the evidence was gathered against {then}, but now there is {now}; score the candidate again.")
    return refusals


def _needed(rule: GateRule, rival: str, incumbent: str) -> float:
    """The gain on the mean that a candidate must show."""
    return rule.minimum_gain - (rule.tolerance if rival == incumbent else 0.0)


def _refuse_mean(rule: GateRule, evidence: Evidence, rival: str, needed: float) -> list[str]:
    gain, low = _gain(rule, evidence, rival)
    clear = rule.clear_gain and (rival == _incumbent(evidence) or rival.startswith(FLOOR))
    allowed = f" (at most {-needed:g} worse is allowed)" if needed < 0 else ""
    if not gain > needed:
        by = f" by more than {needed:g}" if needed > 0 else ""
        return [f"mean {rule.metric} is not better than the {rival}'s{by} (difference {gain:+.3f}){allowed}."]
    if clear and not low > needed:
        if math.isnan(low):
            return [f"the interval of the difference to the {rival} on the mean is missing; score with resamples."]
        return [
            f"mean {rule.metric} is not clearly better than the {rival}'s: difference {gain:+.3f}, 95 % interval from "
            f"{low:+.3f}{allowed}; train better or test on more products."
        ]
    return []


def _refuse_losses(rule: GateRule, evidence: Evidence, attributes: set[str]) -> list[str]:
    refusals = []
    for attribute in sorted(attributes):
        ours, theirs = (evidence.figure(subject, attribute, rule.metric) for subject in (CANDIDATE, CHAMPION))
        loss = theirs.value - ours.value if ours and theirs else math.nan
        # Rounded, so that a loss of exactly delta is not refused for the last bit of a subtraction.
        if not round(loss, 9) <= rule.limit(attribute):
            refusals.append(
                f"{rule.metric} on {attribute} is {loss:.3f} worse than the champion's; at most "
                f"{rule.limit(attribute):g} is allowed."
            )
    return refusals


def _gain(rule: GateRule, evidence: Evidence, rival: str) -> tuple[float, float]:
    """The difference on the mean and the lower end of its paired interval (NaN where it was not made)."""
    ours, theirs = (evidence.figure(subject, MEAN, rule.metric) for subject in (CANDIDATE, rival))
    # Of floors there is one difference, to each attribute's best: the harder one.
    name = FLOOR.removesuffix(":") if rival.startswith(FLOOR) else rival
    paired = evidence.figure(CANDIDATE, MEAN, f"{rule.metric}_minus_{name}")
    gain = ours.value - theirs.value if ours and theirs else math.nan
    return gain, paired.low if paired else math.nan


def _why(rule: GateRule, evidence: Evidence) -> list[str]:
    verdict = verdict_of(evidence)
    preferred = [] if verdict is None else [why_preferred(verdict)]
    if METRICS not in rule.required:
        return [f"all required evidence ({', '.join(rule.required)}) speaks for the candidate.", *preferred]
    rival = _incumbent(evidence)
    gain, low = _gain(rule, evidence, rival)
    reasons = [f"mean {rule.metric} is {gain:+.3f} against the {rival} (95 % interval from {low:+.3f})."]
    if rival == CHAMPION:
        reasons.append(f"no attribute is worse than the champion's by more than its limit ({rule.delta:g} by default).")
    return reasons + preferred


def _incumbent(evidence: Evidence) -> str:
    """Whom the candidate would replace: the champion, or the base where there is none."""
    return BASE if evidence.champion_version is None else CHAMPION


def _named(champion_version: str | None) -> str:
    return "no champion" if champion_version is None else f"champion version {champion_version}"
