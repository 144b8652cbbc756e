"""One delivered value: as text, as missing, as a product id.

Belongs here: what a cell or a JSON value says, whatever wrote it. Not here: vocabularies (schema.py), rows (rows.py).

A missing value is delivered as an empty cell or as a word. Which words mean it depends on the column: no category is
called "Unknown", but a maker may be, so names (display name, brand, variant) are missing only where the whole name is a
word that programs write for "nothing".

Worker processes import this module, so it stays free of pandas and pyarrow.
"""

import html
import re
import unicodedata
from typing import Any

# What programs write for nothing, compared in lower case and without brackets.
MISSING_NAMES = frozenset({"", "na", "n/a", "#n/a", "nan", "null", "none", "undefined", "\\n"})
# What people write beside them where a category is asked for.
MISSING_CATEGORIES = MISSING_NAMES | {
    "n.a.", "n.a", "#na", "nil", "nill", "nat", "unknown", "unspecified", "not known", "not available",
    "not applicable", "not specified", "not defined", "not set", "no data", "no value", "no info", "missing", "blank",
    "empty", "tbd", "tba", "#value!", "#ref!", "#name?",
}  # fmt: skip
# In a product's JSON "none" may be the answer ("Pocket Type: None"): it is kept as delivered.
MISSING_ATTRIBUTES = MISSING_CATEGORIES - {"none"}

_BRACKETED = re.compile(r"[<(\[{](.*)[>)\]}]")
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f]")
_WHOLE_NUMBER = re.compile(r"0|[1-9][0-9]{0,17}", re.ASCII)
_OTHER_FORM = re.compile(r"0*([0-9]{1,18})(?:[.,]0{0,2})?", re.ASCII)  # 501.0 of pandas, 00501, 501,00
_THOUSANDS = re.compile(r"[1-9][0-9]{0,2}(?:[, \u00a0\u2009\u202f'’][0-9]{3})+(?:\.0{0,2})?")


def clean_text(value: Any, missing: frozenset[str] = MISSING_NAMES) -> str | None:
    """A value as text with single spaces; None for one of the `missing` words, and for punctuation alone."""
    if value is None:
        return None
    text = whole_text(" ".join(html.unescape(str(value)).split()))
    if text.isalnum():
        return None if text.lower() in missing else text
    return None if is_missing(text, missing) else text


def is_missing(text: str, missing: frozenset[str] = MISSING_NAMES) -> bool:
    """Whether a text means that nothing is known: one of the words, bare or in brackets, or nothing but punctuation."""
    word = text.strip().lower()
    bracketed = _BRACKETED.fullmatch(word)
    if word in missing or (bracketed is not None and bracketed.group(1).strip() in missing):
        return True
    return all(unicodedata.category(character)[0] in "PZ" or character in "+=|~^`$" for character in word)


def text_of(value: Any, missing: frozenset[str] = MISSING_NAMES) -> str | None:
    """A JSON value where a text is expected: a text, a number, an object's name, a list's only element; else None.

    A truth value, and a list of several, say no text.
    """
    for _ in range(4):  # {"value": {"name": ["Cotton"]}} is as deep as exporters go
        if isinstance(value, dict):
            value = next(
                (value[key] for key in ("name", "value", "label", "title") if value.get(key) is not None), None
            )
        elif isinstance(value, list):
            value = value[0] if len(value) == 1 else None
        else:
            break
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        return None
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    return clean_text(value, missing)


def whole_text(text: str) -> str:
    """The text as every table, page and database can hold it: half characters and control characters as U+FFFD.

    JSON may hold one half of a surrogate pair (an emoji cut in two), which is no character and cannot be written.
    """
    if text.isprintable():
        return text
    text = text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
    return _CONTROL.sub("\ufffd", text)


def product_id_of(written: str) -> int | None:
    """The product id that a cell means, or None where it is not certain.

    Beside a plain whole number: a fraction of zeros (`501.0`), leading zeros (`00501`), thousands marked by a comma, an
    apostrophe or a space (`1,501`). `1.501` is refused: it may be a decimal or a thousand.
    """
    if _WHOLE_NUMBER.fullmatch(written):
        return int(written)
    if _THOUSANDS.fullmatch(written):
        written = re.sub(r"\D", "", written.partition(".")[0])
    other = _OTHER_FORM.fullmatch(written)
    return int(other.group(1)) if other else None


def looks_encoded_twice(text: str) -> bool:
    """Whether a text is UTF-8 that was read as Windows-1252 and saved so ("CafÃ©" for "Café")."""
    try:
        return not text.isascii() and not text.encode("cp1252").decode("utf-8").isascii()
    except UnicodeError:
        return False
