"""A few of the planted faults and the count of mended requests, as `python -m benchmarks.ad_*` has them."""

import pytest

from benchmarks.ad_faults import PRODUCTS
from benchmarks.ad_quality import alarms_on, clean_pictures, plant_all, product_of
from benchmarks.ad_ranking import mended
from benchmarks.ad_retries import difference, line
from inference.ad_images.finding import Finding, Strictness
from inference.ad_images.quality.guidelines import GUIDELINES

KINDS = ("overlay_area", "contact_shadow")


@pytest.mark.parametrize("name", KINDS)
def test_planted_faults_of_severities_that_count_are_found(name):
    count = plant_all(name, 3)
    assert count.found >= count.planted - 1


def test_clean_pictures_raise_no_alarm():
    assert {name: alarms for name, (alarms, _) in alarms_on(clean_pictures(2)).items() if alarms} == {}


def answered(scale):
    kind = GUIDELINES["frame_share"]
    value = 20.0 * scale
    passed = value >= kind.limit
    return [
        (None, [Finding("frame_share", passed, Strictness.STRICT, value, kind.limit, kind.unit, "", kind.may_change)])
    ]


def test_the_routed_retry_and_the_blind_one_are_counted_on_the_same_failed_requests():
    def make(request, change, seed):
        if request == 0:
            return answered(2)  # passes at once
        return answered(change.scale if request == 1 else 1 + seed)  # size mends 1, another seed mends 2

    outcome = mended([0, 1, 2], make)
    assert (outcome.failed, outcome.routed, outcome.blind) == (2, 1, 1)
    assert (outcome.only_routed, outcome.only_blind) == (1, 1)
    assert "p = 1" in outcome.sentence()


def test_another_start_takes_other_products_and_the_first_is_as_it_was():
    assert [product_of(1_000, 43), product_of(60_000, 3)] == [3, 59 * PRODUCTS + 3]


def test_mended_pairs_are_counted_by_request_and_the_shipped_brand_apart():
    outcomes = [{"as shipped": (True, False), "thirds": (True, False), "halo": None}, {"thirds": (True, True)}] * 5
    share, low, high = difference(outcomes)
    assert (share, low > 0, high <= 1) == (0.5, True, True)
    assert line("thirds", [(True, False), (True, True)], 2).split()[1:5] == ["2", "of", "2", "1.00"]
