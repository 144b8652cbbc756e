"""Feedback: what to try next when no picture passes, and when a reviewer has a comment.

Belongs here: from failed guidelines to the next attempt, the order of giving up, the refusal at the end. Not here: the
words of comments (comments.py), carrying a change out (pipeline.py).
"""

from collections import Counter
from collections.abc import Sequence

from inference.ad_images.adjustments import Adjustment, Stage
from inference.ad_images.comments import route_comment
from inference.ad_images.finding import Change, Finding, Strictness
from inference.ad_images.refusal import AdRefused, RefusalCode

__all__ = ["Adjustment", "Stage", "next_attempt", "nothing_passed", "route_comment"]

RETRIES = 2
NEW_SCENE = 1009  # added to a seed, times the attempt
BRIGHTER, DIMMER = ("bright daylight",), ("soft even light",)
WORDS = {
    "object_expansion": (("clear space around the product",), ()),
    "duplicates": (("a single product",), ("a second product",)),
    "text_area": ((), ("text", "signs")),
    "overlay_area": ((), ("logos", "buttons")),
    "unasked_person": ((), ("people",)),
    "second_product": (("a single product",), ("a second product",)),
}
LIGHTS = {
    "contact_shadow": Adjustment(softness=-0.3, elevation=-15),
    "shadow_side": Adjustment(softness=-0.2, elevation=-15),
    "highlights": Adjustment(softness=0.2, elevation=-10, words=DIMMER),
    "blacks": Adjustment(softness=0.2, elevation=15, words=BRIGHTER),
    "brightness": Adjustment(elevation=15, words=BRIGHTER),
}
EXPOSURE = ("highlights", "blacks", "brightness")  # a scene's own lamps and walls decide them more than the key light


def holds_back(finding: Finding, relaxed: Sequence[str] = ()) -> bool:
    """Whether a finding keeps its picture from being shown."""
    return not finding.passed and finding.strictness is not Strictness.WEIGHTED and finding.guideline not in relaxed


def next_attempt(
    findings_of_all_plans: Sequence[Sequence[Finding]], attempt: int, relaxing: Sequence[str] = ()
) -> Adjustment | None:
    """What to change after an attempt of which no plan passed.

    The plans nearest to passing decide: every guideline that they fail asks for the change that is most promising (at
    the second retry: for its second one). After two retries, or where nothing can be changed, flexible guidelines are
    let go in their order, only as many as let a plan pass.

    Args:
        findings_of_all_plans: of the attempt. attempt: its number, from 0.
        relaxing: names in the order of giving up (`Brand.relaxing`); without it, as the findings stand.

    Returns:
        None where a plan passes already, or where nothing is left to try (see `nothing_passed`).
    """
    failed = [[finding for finding in findings if holds_back(finding)] for findings in findings_of_all_plans]
    if not failed or not all(failed):
        return None
    if attempt < RETRIES:
        change = _mended(failed, attempt)
        if change.stages:
            return change
    return _relaxed(failed, relaxing)


def _mended(failed: Sequence[Sequence[Finding]], attempt: int) -> Adjustment:
    fewest = min(len(findings) for findings in failed)
    nearest = [finding for findings in failed if len(findings) == fewest for finding in findings]
    counts = Counter(finding.guideline for finding in nearest)
    change = Adjustment()
    for guideline, _ in sorted(counts.items(), key=lambda item: (-item[1], item[0])):
        worst = max((f for f in nearest if f.guideline == guideline), key=lambda f: abs(f.value - f.limit))
        if worst.may_change:
            kind = worst.may_change[min(attempt, len(worst.may_change) - 1)]
            change = change.then(_remedy(kind, worst, attempt))
    return change


def _remedy(kind: Change, finding: Finding, attempt: int) -> Adjustment:
    """One change, as large as the finding asks."""
    words, without = WORDS.get(finding.guideline, ((), ()))
    another = Adjustment(scene_seed=NEW_SCENE * (attempt + 1))
    light = LIGHTS.get(finding.guideline, Adjustment(softness=0.2))
    retheme = Adjustment(next_theme=True).then(another)  # where the theme is the request's own, at least another scene
    remedies = {
        Change.SCALE_UP: Adjustment(scale=_larger(finding)),
        Change.SCALE_DOWN: Adjustment(scale=0.85),
        Change.POSITION: _moved(finding),
        Change.ROTATION: Adjustment(straighten=True),
        Change.LIGHT: light.then(another) if finding.guideline in EXPOSURE else light,
        Change.CAPTION: Adjustment(words=words, without=without).then(another),
        Change.SCENE_SEED: another,
        Change.THEME: Adjustment(palette=True) if finding.guideline == "palette" else retheme,
        Change.STRENGTH: Adjustment(strength=1.0).then(another),
    }
    return remedies[kind]


def _larger(finding: Finding) -> float:
    if finding.unit == "% of frame" and finding.value > 0:
        return min(2.5, max(1.05, 1.06 * finding.limit / finding.value))
    return 1.2


def _moved(finding: Finding) -> Adjustment:
    if finding.guideline == "horizon":
        return Adjustment(down=min(0.4, (finding.limit - finding.value) / 100 + 0.03))
    if finding.guideline == "thirds":  # sections stand near the upright lines already; the lying one below is left
        return Adjustment(down=min(0.2, 1.5 * (finding.value - finding.limit) / 100 + 0.02))
    return Adjustment(center=True)


def _relaxed(failed: Sequence[Sequence[Finding]], relaxing: Sequence[str]) -> Adjustment | None:
    names = [{finding.guideline for finding in findings} for findings in failed]
    flexible = {f.guideline for findings in failed for f in findings if f.strictness is Strictness.FLEXIBLE}
    order = [name for name in relaxing if name in flexible] + sorted(flexible - set(relaxing))
    for count in range(1, len(order) + 1):
        given_up = set(order[:count])
        nearest = [failing for failing in names if failing <= given_up]
        if nearest:
            needed = min(nearest, key=lambda failing: (len(failing), sorted(failing)))
            return Adjustment(relaxed=tuple(name for name in order[:count] if name in needed))
    return None


def nothing_passed(findings_of_all_plans: Sequence[Sequence[Finding]]) -> AdRefused:
    """The refusal after all retries: what failed in how many plans, the commonest first, with one example."""
    failed = [finding for findings in findings_of_all_plans for finding in findings if holds_back(finding)]
    counts = Counter(finding.guideline for finding in failed)
    reasons = []
    for guideline, count in sorted(counts.items(), key=lambda item: (-item[1], item[0]))[:4]:
        example = next(finding for finding in failed if finding.guideline == guideline)
        reasons.append(f"{guideline} in {count} of {len(findings_of_all_plans)} plans ({example.sentence})")
    why = "; ".join(reasons) if reasons else "there was no picture"
    return AdRefused(
        RefusalCode.NOTHING_PASSED,
        f"no picture passed quality control after {RETRIES} retries: {why}; try another theme, or make a guideline "
        "flexible in the brand file.",
    )
