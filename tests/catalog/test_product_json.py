"""The JSON of a product: what is cleaned, what is rejected, and that no markup hangs the reader."""

import json
import time

import pytest

from catalog.product_json import parse_product_json, strip_html
from catalog.quarantine import Reason, Rejection
from tests.catalog.shops import product_json


def test_attributes_brand_and_descriptors() -> None:
    content = product_json(
        7,
        brandName=" Inkfruit ",
        variantName="NA",
        articleAttributes={"Fit": "Regular Fit", "Closure": "NA", "Lining": "", "Neck": "Round&nbsp;Neck", "Pack": 2},
        productDescriptors={
            "description": {"descriptorType": "description", "value": "<p><b>Yel</b>low tee<br />100% cotton</p>"},
            "style_note": {"descriptorType": "style_note", "value": "<p> </p>"},
        },
    )
    details = parse_product_json(content, 7)
    assert (details.brand, details.variant) == ("Inkfruit", None)
    assert details.attributes == {"Fit": "Regular Fit", "Neck": "Round Neck", "Pack": "2"}
    assert details.missing_attributes == ["Closure", "Lining"]
    assert details.descriptors == {"description": "Yellow tee 100% cotton"}


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", Reason.BROKEN_JSON),
        (b'{"data": {"id": 7', Reason.BROKEN_JSON),
        (b"[1, 2]", Reason.BROKEN_JSON),
        (b'{"data": []}', Reason.BROKEN_JSON),
        (b"[" * 200_000, Reason.BROKEN_JSON),
        (product_json(7, articleAttributes="Fit"), Reason.BROKEN_JSON),
        (product_json(8), Reason.JSON_ID_MISMATCH),
        (b'{"data": {}}', Reason.JSON_ID_MISMATCH),
        (b'{"data": {"id": true}}', Reason.JSON_ID_MISMATCH),
    ],
)
def test_json_that_is_rejected(content: bytes, reason: Reason) -> None:
    with pytest.raises(Rejection) as caught:
        parse_product_json(content, 7)
    assert caught.value.reason is reason


def test_empty_attributes_ids_as_text_and_other_encodings_are_borne() -> None:
    assert parse_product_json(product_json(7, articleAttributes=[]), 7).attributes == {}
    assert parse_product_json(b'{"data": {"id": "7"}}', 7).brand is None
    latin = json.dumps({"data": {"id": 7, "brandName": "Café"}}, ensure_ascii=False).encode("cp1252")
    assert parse_product_json(latin, 7).brand == "Café"


@pytest.mark.parametrize(
    ("markup", "text"),
    [
        ("<ul><li>one</li><li>two</li></ul>", "one two"),
        ("a <strong>b</strong>old word", "a bold word"),
        ("size < 40 and > 30", "size < 40 and > 30"),
        ("<script>alert('x')</script>seen<style>p{}</style>", "seen"),
        ("5&#39;7&quot; &amp; tall", "5'7\" & tall"),
        ("cut <a href='never closed", "cut"),
    ],
)
def test_html_becomes_what_a_reader_sees(markup: str, text: str) -> None:
    assert strip_html(markup) == text


def test_hostile_markup_takes_linear_time() -> None:
    started = time.perf_counter()
    strip_html("<script" * 100_000)
    strip_html("<script>" * 100_000)
    strip_html("<" * 500_000)
    assert time.perf_counter() - started < 5


@pytest.mark.parametrize(
    ("delivered", "text"),
    [
        ({"id": 7, "name": "Fenwick Lodge"}, "Fenwick Lodge"),
        ({"value": {"name": ["Fenwick Lodge"]}}, "Fenwick Lodge"),
        (["Fenwick Lodge"], "Fenwick Lodge"),
        (["Fenwick", "Lodge"], None),
        ({"id": 7}, None),
        ([], None),
        (True, None),
        (7.0, "7"),
        (None, None),
        ("null", None),
        ("NA Sports", "NA Sports"),
        ("Fenwick \ud83d", "Fenwick \ufffd"),
        ("A\u0000B", "A\ufffdB"),
        ("A\u009b31mB", "A\ufffd31mB"),
    ],
)
def test_a_text_is_never_made_of_an_object_or_of_half_a_character(delivered: object, text: str | None) -> None:
    details = parse_product_json(product_json(7, brandName=delivered, articleAttributes={"Fit": delivered}), 7)
    assert (details.brand, details.attributes.get("Fit")) == (text, text)
    assert details.missing_attributes == ([] if text else ["Fit"])


def test_half_characters_are_replaced_wherever_they_stand() -> None:
    broken = "\udc00"
    content = product_json(
        7, variantName=broken, articleAttributes={broken: "x", broken * 2: None}, productDescriptors={broken: broken}
    )
    details = parse_product_json(content, 7)
    texts = [details.variant, *details.attributes, *details.missing_attributes]
    texts += [text for pair in details.descriptors.items() for text in pair]
    assert "\ufffd" in "".join(texts).encode("utf-8").decode()


def test_ids_and_encodings_of_other_programs() -> None:
    for delivered in (7.0, "7.0", "007", " 7 "):
        assert parse_product_json(product_json(delivered), 7).is_utf8
    assert parse_product_json(product_json(7, brandName="Café").decode().encode("utf-16"), 7).brand == "Café"
    assert not parse_product_json(b'{"data": {"id": 7, "brandName": "Caf\xe9"}}', 7).is_utf8
    assert parse_product_json(product_json(7, articleAttributes={"Pocket": "None", "Fit": "n.a."}), 7).attributes == {
        "Pocket": "None"
    }
