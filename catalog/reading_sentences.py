"""Sentences of reading: where the rows may be instead, why nothing was left, what was guessed or is doubtful.

Belongs here: wording them. Not here: finding what they say (rows.py, reading.py).
"""

from collections.abc import Sequence
from typing import Any

from catalog.quarantine import Rejected
from catalog.rows import StylesFile
from catalog.source import Source, name_of

SHOWN_FOLDERS = 20
SHOWN_CHARACTERS = 60
PACKED = (".zip", ".tar", ".gz", ".tgz", ".7z")
TABLES = (".csv", ".tsv", ".txt", ".xls", ".xlsx")


def where_else(source: Source) -> str:
    """Where the rows of a catalogue without styles.csv may be, in one clause."""
    there = source.listing("")
    nested = [
        folder
        for folder in sorted(there.folders)[:SHOWN_FOLDERS]
        if any(name_of(file).casefold() == "styles.csv" for file in source.listing(folder).files)
    ]
    if nested:
        return f"give the folder {source.root / nested[0]}, which holds one"
    names = sorted(map(name_of, there.files))
    packed = [name for name in names if name.lower().endswith(PACKED)]
    if packed:
        return f"unpack {packed[0]} first"
    tables = [name for name in names if name.lower().endswith(TABLES)]
    return f"a catalogue has its rows in styles.csv{f' (there is {tables[0]})' if tables else ''}"


def nothing_left(styles_name: str, counts: dict[str, Any], rejected: Sequence[Rejected]) -> str:
    """How many rows fell to which fault, with the first row of the most frequent one."""
    faults = ", ".join(f"{reason} {number}" for reason, number in counts["quarantine"].items())
    frequent = max(counts["quarantine"], key=counts["quarantine"].__getitem__)
    first = next(rejection for rejection in rejected if rejection.reason == frequent)
    example = f"line {first.line}: {first.detail}"
    return f"{styles_name}: none of its {counts['rows']} rows became a product ({faults}); {example}"


def doubts(parsed: StylesFile, json_not_utf8: int, shared: Sequence[Sequence[int]]) -> list[str]:
    """What was guessed or is doubtful, one sentence each.

    Args:
        json_not_utf8: files of `styles/` that were read as Windows-1252.
        shared: products on each picture that stands for two items.
    """
    sentences = []
    if parsed.not_utf8:
        line, text, _ = parsed.examples["not_utf8"]
        sentences.append(
            f"{_counted(parsed.not_utf8, 'row')} of styles.csv not in UTF-8, read as Windows-1252, which may be wrong "
            f"(line {line}: {text[-SHOWN_CHARACTERS:]!r}); save the file as UTF-8."
        )
    if parsed.encoded_twice:
        line, text, meant = parsed.examples["encoded_twice"]
        sentences.append(
            f"{_counted(parsed.encoded_twice, 'row')} of styles.csv probably encoded twice "
            f"(line {line}: {text[-SHOWN_CHARACTERS:]!r} for {meant[-SHOWN_CHARACTERS:]!r}); export it again as UTF-8."
        )
    if parsed.other_ids:
        line, written, meant = parsed.examples["other_ids"]
        sentences.append(
            f"{_counted(parsed.other_ids, 'id')} of styles.csv in another form, read as a whole number "
            f"(line {line}: {written!r} is {meant})."
        )
    if json_not_utf8:
        sentences.append(
            f"{_counted(json_not_utf8, 'file')} of styles/ not in UTF-8, read as Windows-1252, which may be wrong; "
            "save them as UTF-8."
        )
    if shared:
        sentences.append(
            f"{_counted(len(shared), 'picture file')} shared by products of two names (first: "
            f"{', '.join(map(str, shared[0]))}); look whether it shows them all."
        )
    return sentences


def _counted(number: int, what: str) -> str:
    return f"{number} {what}{'' if number == 1 else 's'}"
