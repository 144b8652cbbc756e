"""The JSON of one product (`styles/<id>.json`): brand, variant, attributes, descriptors.

Belongs here: parsing and cleaning one file's bytes. Not here: which values a question may be answered with (schema.py).

`articleAttributes` is sparse, and a shop writes "NA" where it knows nothing: both mean a missing value. Descriptors are
HTML written by people; they hold the attribute facts too, so they check a model and are never fed to one.
"""

import html
import json
import re
from typing import Any, NamedTuple

from catalog.quarantine import Reason, Rejection

MISSING_SPELLINGS = frozenset({"", "na", "n/a", "nan"})  # compared in lower case

_TAG = re.compile(r"<[a-zA-Z/!?][^>]*>?")
_INLINE_TAG = re.compile(r"</?(?:a|b|big|em|font|i|mark|s|small|span|strong|sub|sup|u)(?:\s[^>]*)?/?>", re.IGNORECASE)
_UNREAD = re.compile(r"(</?(?:script|style)\b[^>]*>?)", re.IGNORECASE)


class ProductDetails(NamedTuple):
    """What a product's JSON adds to its row."""

    brand: str | None
    variant: str | None
    attributes: dict[str, str]
    descriptors: dict[str, str]
    missing_attributes: list[str]  # named with the value "NA" or a blank


def parse_product_json(content: bytes, product_id: int) -> ProductDetails:
    """The cleaned details of a product.

    Raises:
        Rejection: broken_json (not JSON, or not the known structure) or json_id_mismatch.
    """
    data = _data_of(content)
    _check_id(data.get("id"), product_id)
    attributes: dict[str, str] = {}
    missing: list[str] = []
    for name, value in _mapping(data, "articleAttributes").items():
        text = clean_text(value) if isinstance(value, str | int | float) else None
        if text is None:
            missing.append(name)
        else:
            attributes[name] = text
    descriptors = {}
    for name, descriptor in _mapping(data, "productDescriptors").items():
        value = descriptor.get("value") if isinstance(descriptor, dict) else descriptor
        text = strip_html(value) if isinstance(value, str) else ""
        if text:
            descriptors[name] = text
    return ProductDetails(
        clean_text(data.get("brandName")), clean_text(data.get("variantName")), attributes, descriptors, missing
    )


def clean_text(value: Any) -> str | None:
    """A value as text with single spaces; None for anything that means "not known"."""
    text = " ".join(html.unescape(str(value)).split()) if value is not None else ""
    return None if text.lower() in MISSING_SPELLINGS else text


def strip_html(markup: str) -> str:
    """The text a reader would see, with single spaces. Linear in the length, also for markup that never closes."""
    if "<" in markup:
        # A paragraph or line break parts two words, <b> does not.
        markup = _TAG.sub(" ", _INLINE_TAG.sub("", _without_unread(markup)))
    return " ".join(html.unescape(markup).split())


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


def _data_of(content: bytes) -> dict[str, Any]:
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError:
        text = content.decode("cp1252", errors="replace")
    try:
        document = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise Rejection(Reason.BROKEN_JSON, f"not JSON ({error})") from error
    data = document.get("data") if isinstance(document, dict) else None
    if not isinstance(data, dict):
        raise Rejection(Reason.BROKEN_JSON, "no object named `data`")
    return data


def _check_id(delivered_id: Any, product_id: int) -> None:
    same = (
        not isinstance(delivered_id, bool)
        and isinstance(delivered_id, int | str)
        and str(delivered_id).strip() == str(product_id)
    )
    if not same:
        raise Rejection(Reason.JSON_ID_MISMATCH, f"the JSON's id is {delivered_id!r:.80}, the row's {product_id}")


def _mapping(data: dict[str, Any], name: str) -> dict[str, Any]:
    value = data.get(name)
    if isinstance(value, dict):
        return value
    if value in (None, [], ""):  # some exporters write an empty object so
        return {}
    raise Rejection(Reason.BROKEN_JSON, f"`{name}` is not an object")
