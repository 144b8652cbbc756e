"""The gate: may this candidate become the champion? A rule and evidence in, a decision with its reasons out.

Belongs here: the decision. Not here: the rule and the evidence as data (evidence.py), gathering evidence (scores.py),
what refuses a verdict of people (verdict_gate.py), moving an alias (orchestration/), which reads its evidence again and
asks this gate itself.

The default is refusal. A missing kind of evidence, a figure that is missing or not a number, evidence about another
family or gathered against a champion that is no longer one: each refuses with its own sentence.

How noise is treated. On the mean over attributes a candidate must be *clearly* better: the 95 % interval of the paired
difference lies above `minimum_gain`. On every attribute it may lose at most `delta` by the point estimate, however
wide the interval: uncertainty can refuse, it never excuses, so a smaller test set does not make a promotion easier.
Simulated with 10 attributes, 400 test products and delta 0.03: an equally good candidate passes 2 % of the time (34 %
if the mean had only to be higher), one that is 0.02 better everywhere 82 %, 0.04 better 100 %; one that is 0.02 better
but 0.12 worse on one attribute 0 %. With 1,000 test products the second figure is 100 %.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass

from evaluation.evidence import METRICS, Evidence, GateRule
from evaluation.scores import BASE, CANDIDATE, CHAMPION, FLOOR, MEAN
from evaluation.verdict_gate import VERDICT, named_champion, refuse_verdict, verdict_of, why_preferred


@dataclass(frozen=True)
class Decision:
    """promote: whether the alias may move. reasons: one sentence each, refusals where it may not."""

    promote: bool
    reasons: tuple[str, ...]


def decide(rule: GateRule, evidence: Evidence, champion_version: str | None) -> Decision:
    """Whether the candidate may be promoted.

    Args:
        champion_version: the champion at this moment, read from the registry by whoever is about to promote.
    """
    refusals = _refuse_unfit(rule, evidence, champion_version)
    for kind in rule.required:
        if kind not in evidence.kinds:
            refusals.append(f"evidence of kind {kind} is missing; {rule.family} may not be promoted without it.")
        elif kind not in REFUSALS:
            refusals.append(f"this version cannot judge evidence of kind {kind}; take it from the rule or upgrade.")
        else:
            refusals += REFUSALS[kind](rule, evidence)
    if VERDICT in evidence.kinds and VERDICT not in rule.required:
        # The rule asks for no verdict, but there is one: where people preferred the other version, it counts.
        refusals += refuse_verdict(rule, evidence)
    if refusals:
        return Decision(False, tuple(refusals))
    return Decision(True, tuple(_why(rule, evidence)))


def refuse_metrics(rule: GateRule, evidence: Evidence) -> list[str]:
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


REFUSALS: dict[str, Callable[[GateRule, Evidence], list[str]]] = {METRICS: refuse_metrics, VERDICT: refuse_verdict}


def _refuse_unfit(rule: GateRule, evidence: Evidence, champion_version: str | None) -> list[str]:
    refusals = []
    if rule.family != evidence.family:
        refusals.append(f"the evidence is about family {evidence.family}, the rule about {rule.family}; use its own.")
    if not evidence.dataset_sha256:
        refusals.append("the evidence does not say which rows it was gathered on; score the candidate again.")
    if evidence.champion_version != champion_version:
        then = named_champion(evidence.champion_version)
        now = named_champion(champion_version)
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
    # The scores hold one paired difference to floors: to the best floor of each attribute, which is harder to beat
    # than any single floor.
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
