"""What a blind round must have found before its candidate may become champion: evidence of kind `verdict`.

Belongs here: this evidence as data, and the refusals it gives. Not here: reaching a verdict (preference.py), the rule
and the other evidence (evidence.py), the decision (gate.py), proving that the ledger holds this verdict
(orchestration/).

Only `preferred` passes. A round that ended otherwise, was judged by another plan than the registered one, or was held
against somebody who is not the champion any more says nothing about this promotion, whatever its figures are.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any

from catalog.errors import SelvedgeError
from evaluation.evidence import Evidence, GateRule
from evaluation.preference import INCONCLUSIVE, NO_DIFFERENCE, NOT_PREFERRED, PREFERRED
from evaluation.preference_plan import accepted_plans

VERDICT = "verdict"
MEANINGS = {
    NOT_PREFERRED: "people preferred the other version",
    NO_DIFFERENCE: "people saw no difference that matters",
    INCONCLUSIVE: "the ballots decide nothing",
}


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


def verdict_of(evidence: Evidence) -> VerdictEvidence | None:
    """The verdict among a candidate's evidence; None where there is none.

    Raises:
        SelvedgeError: what is there is no verdict.
    """
    return VerdictEvidence.from_dict(evidence.others[VERDICT]) if VERDICT in evidence.others else None


def rests_on_simulation(evidence: Evidence) -> bool:
    """Whether scripted annotators' ballots count in a candidate's evidence: what a promotion record is stamped with.

    A verdict whose field `simulated` is missing or anything but False counts as simulated.
    """
    content = evidence.others.get(VERDICT)
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
