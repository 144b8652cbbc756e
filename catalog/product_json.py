"""The JSON of one product (`styles/<id>.json`): brand, variant, attributes, descriptors.

Belongs here: parsing and cleaning one file's bytes. Not here: what a value says (values.py), which values a question
may be answered with (schema.py).

`articleAttributes` is sparse, and a shop writes "NA" where it knows nothing: both mean a missing value. Descriptors are
HTML written by people; they hold the attribute facts too, so they check a model and are never fed to one. Where a text
is expected and an object stands, its name is the text, or there is none.
"""

import html
import json
import re
from typing import Any, NamedTuple

from catalog.quarantine import Reason, Rejection
from catalog.values import MISSING_ATTRIBUTES, is_missing, product_id_of, text_of, whole_text

_TAG = re.compile(r"<[a-zA-Z/!?][^>]*>?")
_INLINE_TAG = re.compile(r"</?(?:a|b|big|em|font|i|mark|s|small|span|strong|sub|sup|u)(?:\s[^>]*)?/?>", re.IGNORECASE)
_UNREAD = re.compile(r"(</?(?:script|style)\b[^>]*>?)", re.IGNORECASE)


class ProductDetails(NamedTuple):
    """What a product's JSON adds to its row."""

    brand: str | None
    variant: str | None
    attributes: dict[str, str]
    descriptors: dict[str, str]
    missing_attributes: list[str]  # named with the value "NA", a blank, or what says no text
    is_utf8: bool  # else it was read as Windows-1252


def parse_product_json(content: bytes, product_id: int) -> ProductDetails:
    """The cleaned details of a product.

    Raises:
        Rejection: broken_json (not JSON, or not the known structure) or json_id_mismatch.
    """
    data, is_utf8 = _data_of(content)
    _check_id(data.get("id"), product_id)
    attributes: dict[str, str] = {}
    missing: list[str] = []
    for name, value in _mapping(data, "articleAttributes").items():
        text = text_of(value, MISSING_ATTRIBUTES)
        if text is None:
            missing.append(whole_text(name))
        else:
            attributes[whole_text(name)] = text
    descriptors = {}
    for name, descriptor in _mapping(data, "productDescriptors").items():
        value = descriptor.get("value") if isinstance(descriptor, dict) else descriptor
        text = strip_html(value) if isinstance(value, str) else ""
        if not is_missing(text):
            descriptors[whole_text(name)] = text
    brand, variant = text_of(data.get("brandName")), text_of(data.get("variantName"))
    return ProductDetails(brand, variant, attributes, descriptors, missing, is_utf8)


def strip_html(markup: str) -> str:
    """The text a reader would see, with single spaces. Linear in the length, also for markup that never closes."""
    if "<" in markup:
        # A paragraph or line break parts two words, <b> does not.
        markup = _TAG.sub(" ", _INLINE_TAG.sub("", _without_unread(markup)))
    return whole_text(" ".join(html.unescape(markup).split()))


def _without_unread(markup: str) -> str:
    """The markup without scripts and styles; one that never closes hides the rest, as in a browser."""
    pieces = _UNREAD.split(markup)
    kept, inside = pieces[:1], ""
    for tag, text in zip(pieces[1::2], pieces[2::2], strict=True):
        element = tag.strip("</>").split()[0].lower()
        if not inside and not tag.startswith("</"):
            inside = element
        elif inside == element and tag.startswith("</"):
            inside = ""
        if not inside:
            kept.append(text)
    return " ".join(kept)


def _data_of(content: bytes) -> tuple[dict[str, Any], bool]:
    """The object `data`, and whether the file was in one of JSON's own encodings."""
    is_utf8 = True
    try:
        text = content.decode(json.detect_encoding(content))
    except UnicodeDecodeError:
        text, is_utf8 = content.decode("cp1252", errors="replace"), False
    try:
        document = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise Rejection(Reason.BROKEN_JSON, f"not JSON ({error})") from error
    data = document.get("data") if isinstance(document, dict) else None
    if not isinstance(data, dict):
        raise Rejection(Reason.BROKEN_JSON, "no object named `data`")
    return data, is_utf8


def _check_id(delivered_id: Any, product_id: int) -> None:
    written = "" if isinstance(delivered_id, bool | dict | list) else str(delivered_id).strip()
    if product_id_of(written) != product_id:
        raise Rejection(Reason.JSON_ID_MISMATCH, f"the JSON's id is {delivered_id!r:.80}, the row's {product_id}")


def _mapping(data: dict[str, Any], name: str) -> dict[str, Any]:
    value = data.get(name)
    if isinstance(value, dict):
        return value
    if value in (None, []) or (isinstance(value, str) and is_missing(value)):  # some exporters write none so
        return {}
    raise Rejection(Reason.BROKEN_JSON, f"`{name}` is not an object")
