"""Instructions and markup hidden in prompts.

Belongs here: what speaks to a model, is a role, a script, an address or an encoded text. Not here: the phrases
(instructions.yaml), words that are refused for what they mean (words.py).

A prompt of ours is a description, so nothing of this kind is ever needed in one. The rules are a first fence: they know
the forms that are commonly tried, and a service that judges prompt attacks (aws.py) knows more.
"""

import base64
import binascii
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import unquote

from catalog.yaml_files import read_yaml
from inference.ad_images.guardrails.normalising import hidden_characters, plain, spelled_out

RULES = Path(__file__).with_name("instructions.yaml")
LEAST_BLOB = 16  # letters of base64: a word or two hides nothing worth hiding
BASE64 = re.compile(rf"[A-Za-z0-9+/]{{{LEAST_BLOB},}}={{0,2}}|[A-Za-z0-9+/]{{12,}}={{1,2}}")
HEXADECIMAL = re.compile(r"(?<![0-9a-z])(?:[0-9a-f]{2}[\s:]?){16,}(?![0-9a-z])", re.IGNORECASE)
ESCAPED = re.compile(
    r"(?:\\x[0-9a-f]{2}|\\u[0-9a-f]{4}|%[0-9a-f]{2}|&#x?[0-9a-f]+;){4,}|(?:\\x[0-9a-f]{2}|\\u[0-9a-f]{4})",
    re.IGNORECASE,
)
UNPARTED = re.compile("[\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af]")  # Japanese, Chinese, Korean
MORSE = re.compile(r"(?:[.\-–·]{1,6}[ /]+){6,}")
SPACED_LETTERS = re.compile(r"(?:(?<!\w)\w[ .\-_*]){5,}\w(?!\w)")


def hidden_instruction(prompt: str, of_comment: bool = False) -> str | None:
    """What a prompt hides, in a few words ("a tag", "invisible characters (U+200B)"); None where it hides nothing.

    Args:
        of_comment: a reviewer's, who may give orders ("forget the leaves"), as the rules' `comments` say.
    """
    hidden = hidden_characters(prompt)
    if hidden:
        return f"invisible characters ({', '.join(hidden[:3])})"
    if _is_encoded(prompt):
        return "an encoded text"
    rules = _rules()
    text = plain(unquote(prompt))
    for what, pattern in (rules.markup_of_comments if of_comment else rules.markup).items():
        if pattern.search(text):
            return what
    readings = {_words(text), _words(prompt.casefold()), _words(_joined(text)), _words(spelled_out(text))}
    if of_comment:
        readings = {rules.excused.sub(" ", reading) for reading in readings}
    for what, pattern in rules.instructions.items():
        if any(pattern.search(reading) for reading in readings):
            return f"words to a model: it {what}"
    return None


def _words(text: str) -> str:
    return " ".join(re.sub(r"[^\w\s']+|_", " ", text.replace("’", "'")).split())


def _joined(text: str) -> str:
    """Letters that were spaced apart ("i g n o r e"), joined; words part at wider gaps."""
    return SPACED_LETTERS.sub(lambda run: re.sub(r"[ .\-_*]", "", run.group()), text)


def _is_encoded(prompt: str) -> bool:
    if ESCAPED.search(prompt) or any(_is_hexadecimal(run) for run in HEXADECIMAL.findall(prompt)):
        return True
    if any({"-", "."} <= set(run.replace("–", "-").replace("·", ".")) for run in MORSE.findall(prompt)):
        return True
    return any(_is_base64(blob) for blob in BASE64.findall(prompt))


def _is_hexadecimal(run: str) -> bool:
    return any(character.isdigit() for character in run) and any(character.isalpha() for character in run)


def _is_base64(blob: str) -> bool:
    """Readable text when decoded, or letters and digits as no word mixes them."""
    body = blob.rstrip("=")
    try:
        decoded = base64.b64decode(body + "=" * (-len(body) % 4), validate=True)
    except (binascii.Error, ValueError):
        decoded = b""
    if decoded and sum(32 <= byte < 127 for byte in decoded) >= 0.9 * len(decoded):
        return True
    kinds = (str.isdigit, str.isupper, str.islower)
    return len(body) >= 24 and all(any(kind(character) for character in body) for kind in kinds)


@dataclass(frozen=True)
class _Rules:
    """instructions.yaml, ready to be searched for. excused: words of comments that count for nothing."""

    markup: Mapping[str, re.Pattern[str]]
    instructions: Mapping[str, re.Pattern[str]]
    markup_of_comments: Mapping[str, re.Pattern[str]]
    excused: re.Pattern[str]


@cache
def _rules() -> _Rules:
    data = read_yaml(RULES, "list of hidden instructions")
    comments = data["comments"]
    markup = {what: re.compile(pattern, re.DOTALL) for what, pattern in data["markup"].items()}
    return _Rules(
        markup,
        {what: _pattern(forms) for what, forms in data["instructions"].items()},
        markup | {what: re.compile(pattern, re.DOTALL) for what, pattern in comments["markup"].items()},
        re.compile("|".join(comments["excused"])),
    )


def _pattern(forms: Iterable[Mapping[str, Any]]) -> re.Pattern[str]:
    alternatives = []
    for form in forms:
        if "phrases" in form:
            alternatives.append(_any_of(form["phrases"]))
        else:
            between = rf"(?: [\w']+){{0,{int(form['gap'])}}}? "
            alternatives.append(f"{_any_of(form['verbs'])}{between}{_any_of(form['objects'])}")
    return re.compile("|".join(alternatives))


def _any_of(phrases: Iterable[str]) -> str:
    """Whole phrases; `*` at the end of a word is any ending. Scripts without spaces are found in longer runs."""
    listed = sorted(map(str, phrases), key=len, reverse=True)
    whole = [re.escape(phrase).replace(r"\*", r"[\w']*") for phrase in listed if not UNPARTED.match(phrase)]
    inside = [re.escape(phrase.rstrip("*")) for phrase in listed if UNPARTED.match(phrase)]
    parts = [rf"(?<![\w'])(?:{'|'.join(whole)})(?![\w'])"] if whole else []
    return f"(?:{'|'.join([*parts, *inside])})"
