"""Blinding: sides near half, names that tell nothing, and nothing without the key."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from labeling.review.pairs.blinding import left_version, new_key, other, public_title, sound_side, task_key

KEY = bytes(range(32))


@given(st.binary(min_size=32, max_size=32))
def test_the_left_side_is_near_half(key: bytes) -> None:
    left = sum(left_version(key, "r", item, "plain") == "candidate" for item in range(1000))
    assert 400 < left < 600  # 6 standard deviations


@given(st.binary(min_size=32, max_size=32), st.integers(0, 10**9))
def test_a_repeat_is_swapped(key: bytes, item: int) -> None:
    assert left_version(key, "r", item, "repeat") == other(left_version(key, "r", item, "plain"))


def test_the_same_key_gives_the_same_and_another_gives_others() -> None:
    sides = [[left_version(key, "r", item, "plain") for item in range(64)] for key in (KEY, KEY, new_key())]
    assert sides[0] == sides[1] != sides[2]
    assert task_key(KEY, "r", 1, "plain") != task_key(new_key(), "r", 1, "plain")


def test_names_are_opaque_and_distinct() -> None:
    names = {task_key(KEY, "r", item, slot) for item in range(500) for slot in ("plain", "gold", "aa", "repeat")}
    assert len(names) == 2000
    assert all(len(name) == 32 and int(name, 16) >= 0 for name in names)
    assert len(public_title(KEY, "blip2-attributes-may")) >= 3
    assert "blip2" not in public_title(KEY, "blip2-attributes-may")


@pytest.mark.parametrize("version", ["candidate", "champion"])
def test_gold_sides_do_not_follow_versions(version: str) -> None:
    items = [item for item in range(1000) if left_version(KEY, "r", item, "gold") == version]
    left = sum(sound_side(KEY, "r", item) == "left" for item in items)
    assert 0.4 < left / len(items) < 0.6
