"""From failed guidelines to the next attempt, to relaxing, to the refusal."""

import pytest

from inference.ad_images.adjustments import Adjustment, Stage
from inference.ad_images.feedback import next_attempt, nothing_passed
from inference.ad_images.finding import Change, Finding, Strictness
from inference.ad_images.plan import Support
from inference.ad_images.quality.guidelines import GUIDELINES
from inference.ad_images.refusal import RefusalCode
from inference.ad_images.scene import Light
from tests.inference.ad_images.quality.pictures import plan


def failed(name, value, strictness=Strictness.STRICT, passed=False):
    kind = GUIDELINES[name]
    return Finding(name, passed, strictness, value, kind.limit, kind.unit, f"{name} is {value}", kind.may_change)


def test_each_guideline_that_may_change_has_a_remedy_at_both_retries():
    for name, kind in GUIDELINES.items():
        for attempt in (0, 1):
            adjustment = next_attempt([[failed(name, kind.limit - 1 if kind.at_least else kind.limit + 1)]], attempt)
            assert (adjustment is not None) == bool(kind.may_change), name
            if adjustment is not None:
                assert Stage.QUALITY in adjustment.stages
                assert Stage.CUTOUT not in adjustment.stages


@pytest.mark.parametrize(
    ("finding", "change"),
    [
        (failed("frame_share", 12.5), Adjustment(scale=1.06 * 2)),
        (failed("clipping", 3), Adjustment(scale=0.85)),
        (failed("horizon", -4), Adjustment(down=0.08)),
        (failed("contact_shadow", 2), Adjustment(softness=-0.3, elevation=-15)),
        (failed("thirds", 30), Adjustment(down=pytest.approx(0.17))),
        (failed("contrast", 3), Adjustment(next_theme=True, scene_seed=1009)),
        (failed("palette", 30), Adjustment(palette=True)),
        (failed("text_area", 3), Adjustment(scene_seed=1009)),
    ],
)
def test_the_change_is_as_large_as_the_finding_asks(finding, change):
    assert next_attempt([[finding]], 0) == change


def test_the_second_retry_takes_the_second_change():
    assert next_attempt([[failed("clipping", 3)]], 1) == Adjustment(center=True)
    assert next_attempt([[failed("text_area", 3)]], 1) == Adjustment(without=("text", "signs"), scene_seed=2018)


def test_the_plans_nearest_to_passing_decide():
    near, far = [failed("horizon", -1)], [failed("frame_share", 5), failed("text_area", 5)]
    assert next_attempt([far, near, far], 0) == Adjustment(down=pytest.approx(0.05))


def test_nothing_is_changed_where_a_plan_passes_or_only_weighted_guidelines_fail():
    assert next_attempt([[failed("horizon", -1)], [failed("thirds", 40, Strictness.WEIGHTED)]], 0) is None
    assert next_attempt([[failed("horizon", 5, passed=True)]], 0) is None
    assert next_attempt([], 0) is None


def test_after_two_retries_flexible_guidelines_go_in_their_order_and_only_as_many_as_needed():
    flexible = Strictness.FLEXIBLE
    plans = [
        [failed("palette", 30, flexible), failed("contrast", 3, flexible)],
        [failed("brightness", 10, flexible)],
        [failed("horizon", -3), failed("contrast", 3, flexible)],
    ]
    order = ("contrast", "palette", "brightness")
    assert next_attempt(plans, 2, order) == Adjustment(relaxed=("contrast", "palette"))
    assert next_attempt(plans, 2, ("brightness", "contrast", "palette")) == Adjustment(relaxed=("brightness",))
    assert next_attempt(plans, 2, order).stages == (Stage.RANKING,)


def test_a_strict_failure_is_never_let_go_and_the_refusal_says_why():
    plans = [[failed("horizon", -3)], [failed("horizon", -4), failed("text_area", 2)]]
    assert next_attempt(plans, 2, ("contrast",)) is None
    refusal = nothing_passed(plans)
    assert refusal.code is RefusalCode.NOTHING_PASSED
    assert "horizon in 2 of 2 plans (horizon is -3); text_area in 1 of 2 plans" in str(refusal)


def test_a_failure_that_nothing_can_mend_is_not_retried():
    assert next_attempt([[failed("product_identity", 9)]], 0) is None
    finding = failed("longer_side", 512, Strictness.FLEXIBLE)
    assert next_attempt([[finding]], 0) == Adjustment(relaxed=("longer_side",))


def test_changes_add_up_and_are_kept_within_their_ranges():
    both = Adjustment(scale=1.5, shift=0.1, words=("a",)).then(
        Adjustment(scale=2, shift=0.1, words=("a", "b"), softness=0.4)
    )
    assert (both.scale, both.shift, both.words) == (3, 0.2, ("a", "b"))
    assert both.lit(Light(softness=0.8)).softness == 1
    moved = both.placed(plan(scale=0.5, center_x=0.9))
    assert (moved.scale, moved.center_x) == (0.98, 1)


def test_a_light_is_mirrored_and_a_standing_product_is_not_turned():
    assert Adjustment(mirror_light=True).lit(Light(azimuth=120)).azimuth == 60
    assert Adjustment(turn=15).placed(plan(Support.STANDS)).rotation == 0
    assert Adjustment(turn=15).placed(plan(Support.LIES, rotation=15)).rotation == 30
    assert Adjustment(straighten=True).placed(plan(Support.LIES, rotation=15)).rotation == 0


def test_every_change_of_a_finding_is_known_to_the_retries():
    for change in Change:
        finding = Finding("palette", False, Strictness.STRICT, 30.0, 18.0, "ΔE2000", "", (change,))
        assert next_attempt([[finding]], 0) is not None, change
