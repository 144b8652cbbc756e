"""Keys: what is taken, what is refused, and the name a candidate keeps."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from catalog.errors import SelvedgeError
from orchestration.assets.partitions import candidate_key, candidate_partitions, slug, valid_candidate, valid_key

FINGERPRINT = "a1b2c3d4e5f6"


@given(st.from_regex(r"[A-Za-z0-9][A-Za-z0-9_-]{0,99}", fullmatch=True))
def test_plain_names_are_taken_as_they_are(key: str) -> None:
    assert valid_key(key) == key


@given(st.text(max_size=20))
def test_what_is_taken_can_be_a_file_name_and_an_item_of_a_list(key: str) -> None:
    try:
        valid_key(key)
    except SelvedgeError as error:
        assert repr(key) in str(error)
    else:
        assert key and not set(key) & set(",/\\ \n\t*?[]:…") and ".." not in key and not key.startswith(".")


@pytest.mark.parametrize("key", ["", ",", "a,b", "../x", "a/b", "a b", "..", "a..b", ".a", "é", "a\n", "x" * 101])
def test_what_dagster_would_take_is_refused(key: str) -> None:
    with pytest.raises(SelvedgeError, match="is not a usable partition key"):
        valid_key(key)


def test_a_candidate_is_named_by_family_day_and_fingerprint() -> None:
    key = candidate_key("blip2-attributes", FINGERPRINT, "20261120", set())
    assert key == "blip2-attributes-20261120-a1b2c3"
    assert valid_candidate("blip2-attributes", key) == valid_key(key) == key


def test_an_unfinished_candidate_is_found_again_after_midnight() -> None:
    before = candidate_key("blip2-attributes", FINGERPRINT, "20261120", {"blip2-attributes-20261119-ffffff"})
    assert candidate_key("blip2-attributes", FINGERPRINT, "20261121", {before, "x"}) == before
    assert candidate_key("blip2-attributes", "0" * 12, "20261121", {before}) == "blip2-attributes-20261121-000000"


def test_a_candidate_of_another_family_is_not_found() -> None:
    other = candidate_key("restgan", FINGERPRINT, "20261120", set())
    assert candidate_key("blip2-attributes", FINGERPRINT, "20261121", {other}) == "blip2-attributes-20261121-a1b2c3"
    with pytest.raises(SelvedgeError, match="is not of the form blip2-attributes-<yyyymmdd>-"):
        valid_candidate("blip2-attributes", other)


def test_families_have_partition_sets_of_their_own() -> None:
    assert candidate_partitions("restgan").name != candidate_partitions("blip2-attributes").name
    assert slug("blip2-attributes") == "blip2_attributes"
