"""What is wrong with a caption, whoever wrote it.

Belongs here: the rules and their sentences. Not here: writing one (captions.py), rules for a caller's prompt
(guardrails/).

A caption describes a picture; it orders nothing and denies nothing, since a generator paints what is named. Its parts
come in one order: subject, reference point, environment, then pose, light, camera, style.
"""

import re
from collections.abc import Iterable, Iterator
from functools import cache
from pathlib import Path
from typing import Any

from catalog.yaml_files import read_yaml
from inference.ad_images.guardrails.instructions import hidden_instruction
from inference.ad_images.guardrails.words import person_asked_for, unsafe_category

MOST_CHARACTERS = 1024
LEAST_WORDS = 4
PARTS = ("pose", "light", "camera", "style")
_FOLLOWS = r"(?=\s*(?:$|from|through|along|between|under|at|over|above|behind|of|in|on|and|with|falling|across))"
_LIGHTS = "light|sun|daylight|sunlight|softbox|lighting|backlight|glow|sunset|sunrise|golden hour|blue hour"
_STYLES = "photography|photograph|photo|style|editorial|still life|campaign|aesthetic|mood|look"
_CAMERAS = "camera|lens|\\d+ ?mm|f/?\\d[\\d.]*|eye level|depth of field|close-?up|wide angle|top view|bokeh"
_POSES = "standing|lying|laid|leaning|hanging|upright|facing|turned|folded|propped|resting"
_PART_OF = {
    "style": re.compile(rf"\b(?:{_STYLES})\b"),
    "camera": re.compile(rf"\b(?:{_CAMERAS})\b"),
    "light": re.compile(rf"^(?:(?!\b(?:with|in|on|by|before)\b).)*\b(?:{_LIGHTS}){_FOLLOWS}"),
    "pose": re.compile(rf"^(?:{_POSES})\b"),
}


def check_caption(text: str, subject: str = "") -> list[str]:
    """Faults of a caption, a sentence each; [] for a good one.

    Args:
        subject: what it must speak of; its last word has to be said.
    """
    words = text.lower().split()
    faults = []
    if len(text) > MOST_CHARACTERS:
        faults.append(f"it has {len(text):,} characters; {MOST_CHARACTERS:,} are read")
    if len(words) < LEAST_WORDS:
        faults.append(f"it has {len(words)} words; a caption names at least subject and place")
    if "\n" in text.strip() or "\t" in text or text != text.strip():
        faults.append("it is not one line of plain text")
    if subject and not _says(text.lower(), [subject.lower().split()[-1]]):
        faults.append(f"it does not name the subject ({subject})")
    return [*faults, *_wrong_words(text), *_wrong_order(text)] if words else faults


def _wrong_words(text: str) -> Iterator[str]:
    data, lowered = caption_words(), text.lower()
    for clause in _clauses(lowered):
        first = clause.split()[0] if clause.split() else ""
        if first in data["imperatives"]:
            yield f"'{first}' begins an instruction; a caption describes"
    for kind, remedy in (
        ("addressed", "speaks to somebody; a caption describes"),
        ("negations", "denies something, which a generator paints; leave it out"),
        ("forbidden", "is nothing that the picture of a product may show"),
    ):
        word = _says(lowered, data[kind])
        if word:
            yield f"'{word}' {remedy}"
    person = person_asked_for(text)
    if person:
        yield f"'{person}' is a person; ads show the product alone"
    category = unsafe_category(text)
    if category:
        yield f"it holds unsafe words ({category})"
    hidden = hidden_instruction(text)
    if hidden:
        yield f"it holds {hidden}"


def _wrong_order(text: str) -> Iterator[str]:
    clauses = list(_clauses(text.lower()))
    if not clauses:
        return
    if part_of(clauses[0]) is not None and not placed_pattern().search(clauses[0]):
        yield f"it begins with its {part_of(clauses[0])}; the subject comes first"
    if placed_pattern().match(clauses[0]):
        yield "it begins with the place; the subject comes first"
    places = [clause for clause in clauses if part_of(clause) in (None, "pose")]
    if not any(placed_pattern().search(clause) for clause in [*places, clauses[0]]):
        yield "it names no reference point (on, in, beside what)"
    reached = -1
    for clause in clauses[1:]:
        part = part_of(clause)
        position = PARTS.index(part) if part else -1
        if part is not None and position < reached:
            yield f"{part} stands after {PARTS[reached]}; the order is subject, place, {', '.join(PARTS)}"
            return
        if part is None and reached >= 0 and placed_pattern().match(clause):
            yield f"a place ('{clause:.40}') stands after {PARTS[reached]}"
            return
        reached = max(reached, position)


def part_of(clause: str) -> str | None:
    """The part of a caption that a clause is: one of `PARTS`, or None for subject, reference point and environment."""
    return next((part for part, pattern in _PART_OF.items() if pattern.search(clause)), None)


def _clauses(text: str) -> Iterator[str]:
    for clause in re.split(r"[;:!?]|[,.](?!\d)", text):
        if clause.strip():
            yield clause.strip()


def _says(text: str, phrases: Iterable[str]) -> str | None:
    """The first of the phrases that a text in lower case says in whole words."""
    return next((phrase for phrase in map(str, phrases) if re.search(rf"(?<!\w){re.escape(phrase)}(?!\w)", text)), None)


@cache
def placed_pattern() -> re.Pattern[str]:
    """Any preposition of place, as decomposition.py knows them."""
    placing = read_yaml(Path(__file__).with_name("prompt_words.yaml"), "list of prompt words")["placing"]
    return re.compile(rf"\b(?:{'|'.join(sorted(map(re.escape, placing), key=len, reverse=True))})\b")


@cache
def caption_words() -> dict[str, Any]:
    """captions.yaml."""
    return read_yaml(Path(__file__).with_name("captions.yaml"), "list of caption words")
