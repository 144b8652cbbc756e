"""The gate: may this candidate become the champion? A rule and evidence in, a decision with its reasons out.

Belongs here: the decision, and what refuses scores and a verdict of people. Not here: the rule and the evidence as data
(evidence.py), gathering it (scores.py, labeling/), reaching a verdict (preference.py), proving that the ledger holds it
(labeling/), moving an alias (orchestration/), which reads its evidence again and asks this gate itself.

The default is refusal. A missing kind of evidence, a figure that is missing or not a number, evidence about another
family or gathered against a champion that is no longer one: each refuses with its own sentence.

How noise is treated. On the mean over attributes a candidate must be *clearly* better: the 95 % interval of the paired
difference lies above `minimum_gain`, so uncertainty refuses and never excuses. A single attribute blocks where the loss
exceeds its limit *and* is no noise: where the paired interval of the difference lies below 0. Asked of a point estimate
alone, fifteen attributes of which the rarest have twenty rows turn away most candidates that are better everywhere.
What an attribute with few rows can lose unseen is bounded by nothing but the mean. Rates of both, by size of the gain:
`python -m benchmarks.gate_power`.

Of verdicts only `preferred` passes. A round that ended otherwise, was judged by another plan than the registered one,
or was held against somebody who is not the champion any more says nothing about this promotion.
"""

import math
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any

from catalog.errors import SelvedgeError
from evaluation.evidence import BEST_FLOORS, METRICS, Evidence, GateRule
from evaluation.preference_plan import INCONCLUSIVE, NO_DIFFERENCE, NOT_PREFERRED, PREFERRED, accepted_plans
from evaluation.scores import BASE, CANDIDATE, CHAMPION, FLOOR, MEAN

VERDICT = "verdict"
PICKS = "picks"  # whose picks the scores were gathered on, where they rest on picks: `answers`, `simulated`
MEANINGS = {
    NOT_PREFERRED: "people preferred the other version",
    NO_DIFFERENCE: "people saw no difference that matters",
    INCONCLUSIVE: "the ballots decide nothing",
}


@dataclass(frozen=True)
class Decision:
    """promote: whether the alias may move. reasons: one sentence each, refusals where it may not."""

    promote: bool
    reasons: tuple[str, ...]


@dataclass(frozen=True)
class VerdictEvidence:
    """What a round says about a candidate: `Evidence.others["verdict"]`, as plain data.

    champion_version: who it was compared with, None where the family's base stood in. registered_plan_sha256: of the
    preference plan that was stored before the first ballot; judged_plan_sha256: of the one that the verdict was
    computed by. round_plan_sha256: of the whole plan of the round. verdict_sha256, ballots_sha256: as the ledger holds
    them. simulated: ballots of scripted annotators count in it.
    """

    round_id: str
    family: str
    candidate: str
    champion_version: str | None
    outcome: str
    simulated: bool
    registered_plan_sha256: str
    judged_plan_sha256: str
    round_plan_sha256: str
    verdict_sha256: str
    ballots_sha256: str

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def from_dict(cls, content: Any) -> "VerdictEvidence":
        """Raises: SelvedgeError: a field is missing, unknown or of another type."""
        names = {field.name for field in fields(cls)}
        if not isinstance(content, Mapping) or set(content) != names:
            raise SelvedgeError("the evidence of kind verdict is incomplete; judge the round again.")
        texts = names - {"champion_version", "simulated"}
        if not all(isinstance(content[name], str) and content[name] for name in texts):
            raise SelvedgeError("the evidence of kind verdict has an empty field; judge the round again.")
        version = content["champion_version"]
        if not isinstance(content["simulated"], bool) or not (version is None or isinstance(version, str)):
            raise SelvedgeError("the evidence of kind verdict has a field of a wrong type; judge the round again.")
        return cls(**content)


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
    if _is_simulated(evidence, PICKS) and not rule.simulated_ballots:
        refusals.append(
            f"the scores of {evidence.candidate} rest on scripted annotators' picks, which promote in the demo alone; "
            "let people pick."
        )
    if refusals:
        return Decision(False, tuple(refusals))
    return Decision(True, tuple(_why(rule, evidence)))


def refuse_metrics(rule: GateRule, evidence: Evidence) -> list[str]:
    """The refusals that the offline scores give; none lets the candidate pass."""
    incumbent = _incumbent(evidence)
    rivals = [*dict.fromkeys([*rule.beats, incumbent])]
    scored = [rival for rival in rivals if rival != BEST_FLOORS]
    attributes = evidence.attributes(CANDIDATE, rule.metric)
    if not attributes:
        return [f"the evidence holds no {rule.metric} of the candidate on any attribute; score it."]
    rows = max(evidence.support(CANDIDATE, attribute, rule.metric) for attribute in attributes)
    if rows < rule.minimum_rows:
        return [
            f"{rows} test rows are too few to tell a better {rule.family} from a worse one ({rule.minimum_rows} are "
            "needed); read more products, then score the candidate again."
        ]
    refusals = []
    for rival in scored:
        for missing in sorted(attributes ^ evidence.attributes(rival, rule.metric)):
            owner = rival if missing in attributes else CANDIDATE
            refusals.append(f"{rule.metric} of the {owner} on {missing} is missing; score both on the same attributes.")
    for subject in (CANDIDATE, *scored):
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


def verdict_of(evidence: Evidence) -> VerdictEvidence | None:
    """The verdict among a candidate's evidence; None where there is none.

    Raises:
        SelvedgeError: what is there is no verdict.
    """
    return VerdictEvidence.from_dict(evidence.others[VERDICT]) if VERDICT in evidence.others else None


def rests_on_simulation(evidence: Evidence) -> bool:
    """Whether scripted annotators' ballots or picks count in a candidate's evidence: what a promotion record is stamped
    with.

    A verdict, or picks, whose field `simulated` is missing or anything but False counts as simulated.
    """
    return any(_is_simulated(evidence, kind) for kind in (VERDICT, PICKS))


def _is_simulated(evidence: Evidence, kind: str) -> bool:
    content = evidence.others.get(kind)
    return content is not None and not (isinstance(content, Mapping) and content.get("simulated") is False)


def refuse_verdict(rule: GateRule, evidence: Evidence) -> list[str]:
    """The refusals that a verdict gives; none lets the candidate pass."""
    try:
        verdict = verdict_of(evidence)
    except SelvedgeError as error:
        return [str(error)]
    if verdict is None:
        return [f"evidence of kind {VERDICT} is missing; open a round for {evidence.candidate}."]
    name, refusals = f"round {verdict.round_id}", []
    if (verdict.family, verdict.candidate) != (evidence.family, evidence.candidate):
        refusals.append(
            f"{name} judged {verdict.candidate} of {verdict.family}, not {evidence.candidate}; open a round for it."
        )
    if verdict.champion_version != evidence.champion_version:
        refusals.append(
            f"{name} was held against {named_champion(verdict.champion_version)}, the scores are against "
            f"{named_champion(evidence.champion_version)}; open a round against the champion of today."
        )
    if verdict.judged_plan_sha256 != verdict.registered_plan_sha256:
        refusals.append(f"{name} was judged by another plan than the registered one; it is void, open another round.")
    if rule.plan_sha256 is not None and verdict.registered_plan_sha256 not in accepted_plans(rule.plan_sha256):
        refusals.append(f"{name} was held by another plan than {rule.family} demands; open a round with its plan.")
    if verdict.outcome != PREFERRED:
        meaning = MEANINGS.get(verdict.outcome, "that is no verdict a promotion can rest on")
        refusals.append(f"the verdict of {name} is {verdict.outcome}: {meaning}.")
    if verdict.simulated and not rule.simulated_ballots:
        refusals.append(
            f"the verdict of {name} rests on simulated ballots, which promote in the demo alone; let people vote."
        )
    return refusals


def why_preferred(verdict: VerdictEvidence) -> str:
    """The sentence for a verdict that passed, with its stamp."""
    stamp = " (SIMULATED: scripted annotators voted)" if verdict.simulated else ""
    return f"people preferred it in round {verdict.round_id}, not knowing which was which{stamp}."


def named_champion(champion_version: str | None) -> str:
    """A champion as the sentences of a refusal name it."""
    return "no champion" if champion_version is None else f"champion version {champion_version}"


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
    clear = rule.clear_gain and (rival in (_incumbent(evidence), BEST_FLOORS) or rival.startswith(FLOOR))
    allowed = f" (at most {-needed:g} worse is allowed)" if needed < 0 else ""
    whose = "the best floors'" if rival == BEST_FLOORS else f"the {rival}'s"
    if not gain > needed:
        by = f" by more than {needed:g}" if needed > 0 else ""
        return [f"mean {rule.metric} is not better than {whose}{by} (difference {gain:+.3f}){allowed}."]
    if clear and not low > needed:
        if math.isnan(low):
            return [f"the interval of the difference to the {rival} on the mean is missing; score with resamples."]
        return [
            f"mean {rule.metric} is not clearly better than {whose}: difference {gain:+.3f}, 95 % interval from "
            f"{low:+.3f}{allowed}; train better or test on more products."
        ]
    return []


def _refuse_losses(rule: GateRule, evidence: Evidence, attributes: set[str]) -> list[str]:
    refusals = []
    for attribute in sorted(attributes):
        ours, theirs = (evidence.figure(subject, attribute, rule.metric) for subject in (CANDIDATE, CHAMPION))
        loss = theirs.value - ours.value if ours and theirs else math.nan
        paired = evidence.figure(CANDIDATE, attribute, f"{rule.metric}_minus_{CHAMPION}")
        noise = paired is not None and paired.high >= 0
        # Rounded, so that a loss of exactly delta is not refused for the last bit of a subtraction.
        if not (round(loss, 9) <= rule.limit(attribute) or noise):
            refusals.append(
                f"{rule.metric} on {attribute} is {loss:.3f} worse than the champion's, and not by chance; at most "
                f"{rule.limit(attribute):g} is allowed."
            )
    return refusals


def _gain(rule: GateRule, evidence: Evidence, rival: str) -> tuple[float, float]:
    """The difference on the mean and the lower end of its paired interval (NaN where it was not made)."""
    ours, theirs = (evidence.figure(subject, MEAN, rule.metric) for subject in (CANDIDATE, rival))
    # The scores hold one paired difference to floors: to the best floor of each attribute, which is harder to beat
    # than any single floor.
    name = BEST_FLOORS if rival.startswith(FLOOR) else rival
    paired = evidence.figure(CANDIDATE, MEAN, f"{rule.metric}_minus_{name}")
    if rival == BEST_FLOORS:
        return (paired.value, paired.low) if paired else (math.nan, math.nan)
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
        reasons.append(
            f"no attribute is worse than the champion's by more than its limit ({rule.delta:g} by default) and noise."
        )
    return reasons + preferred


def without_gain(rule: GateRule, evidence: Evidence) -> str:
    """What a promotion rests on whose scores show no gain; "" where they do.

    A gain is shown where the paired interval of the mean lies above 0. Otherwise the rule let the candidate pass
    because it is not worse by more than its margin, and a preference decided.
    """
    gain = evidence.figure(CANDIDATE, MEAN, f"{rule.metric}_minus_{_incumbent(evidence)}")
    if gain is None or gain.low > 0:
        return ""
    voters = "scripted voters" if rests_on_simulation(evidence) else "people"
    return (
        f"Its scores show no measurable gain ({gain.value:+.3f}): it is non-inferior by rule (margin "
        f"{rule.tolerance:g}) and was preferred by {voters}."
    )


def _incumbent(evidence: Evidence) -> str:
    """Whom the candidate would replace: the champion, or the base where there is none."""
    return BASE if evidence.champion_version is None else CHAMPION
