"""YAML files that a person wrote: read in one place, so that whatever is odd about one is told in one sentence.

Belongs here: encoding, syntax, duplicate names, the outermost mapping. Not here: what the names mean
(training/settings.py, schema.py, a round's plan).
"""

from collections.abc import Hashable
from pathlib import Path
from typing import Any

import yaml

from catalog.errors import SelvedgeError

MOST_BYTES = 1_000_000
BYTE_ORDER_MARKS = {b"\xff\xfe": "UTF-16", b"\xfe\xff": "UTF-16"}


class _OneOfEachName(yaml.SafeLoader):
    """YAML lets the last of two equal names win without a word; here the second is refused."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Hashable, Any]:
        names: set[str] = set()
        for name, _ in node.value:
            if isinstance(name, yaml.ScalarNode) and name.tag != "tag:yaml.org,2002:merge":
                if name.value in names:
                    problem = f"the name '{name.value:.60}' stands there twice"
                    raise yaml.constructor.ConstructorError(None, None, problem, name.start_mark)
                names.add(name.value)
        return super().construct_mapping(node, deep)


def read_yaml(file: Path, what: str, remedy: str = "see examples/ for one") -> dict[str, Any]:
    """The mapping of a YAML file; {} for one that says nothing.

    Args:
        what: how sentences name it, e.g. `configuration`. remedy: what to do where it cannot be read.

    Raises:
        SelvedgeError: it cannot be read, is not UTF-8, is not YAML, says a name twice, or is no mapping of names.
    """
    named = f"{what} {file}"
    text = _decoded(_bytes_of(file, named, remedy), named)
    try:
        values = yaml.load(text, Loader=_OneOfEachName)
    except yaml.YAMLError as error:
        raise SelvedgeError(f"{named} cannot be read (it is not YAML{_where(error, text)}); {remedy}.") from error
    except (ValueError, OverflowError, RecursionError) as error:  # a date like 2026-13-45, nesting without end
        reason = "it is nested too deeply" if isinstance(error, RecursionError) else f"{error}"
        raise SelvedgeError(f"{named} cannot be read ({reason:.200}); {remedy}.") from error
    if values is None:
        return {}
    if not isinstance(values, dict):
        raise SelvedgeError(f"{named} is not a mapping; write `name: value` lines, as in examples/.")
    odd = next((name for name in values if not isinstance(name, str)), None)
    if odd is not None:
        raise SelvedgeError(f"{named} holds {odd!r:.60} where a name belongs; write `name: value` lines.")
    return values


def _bytes_of(file: Path, named: str, remedy: str) -> bytes:
    try:
        if file.stat().st_size > MOST_BYTES:
            raise SelvedgeError(f"{named} is larger than {MOST_BYTES:,} bytes; {remedy}.")
        return file.read_bytes()
    except (OSError, ValueError) as error:  # ValueError: a NUL in the name
        reason = error.strerror if isinstance(error, OSError) else str(error)
        raise SelvedgeError(f"{named} cannot be read ({reason}); {remedy}.") from error


def _decoded(content: bytes, named: str) -> str:
    mark = BYTE_ORDER_MARKS.get(content[:2])
    if mark or b"\0" in content[:4]:
        raise SelvedgeError(f"{named} is {mark or 'UTF-16 or UTF-32'} text; save it as UTF-8.")
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content[: error.start].count(b"\n") + 1
        raise SelvedgeError(f"{named} is not UTF-8 text (line {line}); save it as UTF-8.") from error


def _where(error: yaml.YAMLError, text: str) -> str:
    """Line and cause of a syntax error, as far as YAML knows them; a tab is named, because nobody sees it."""
    mark = getattr(error, "problem_mark", None)
    if mark is None:
        return ""
    lines = text.splitlines()
    line = lines[mark.line] if mark.line < len(lines) else ""
    blank = line[: len(line) - len(line.lstrip())]
    if "\t" in blank:
        return f": line {mark.line + 1} begins with a tab, indent it with blanks"
    return f": line {mark.line + 1}, {getattr(error, 'problem', '') or 'unfinished'}"
