"""Results: what each command prints, declared once.

Belongs here: the keys of every command's result, printing them for people and for programs, and their part of the
manual. Not here: progress and errors (terminal.py); they go to stderr, a result is all that stdout ever carries.

A command prints exactly the declared keys: scripts depend on them, and `docs/cli.md` is written from this file.
"""

import json
import math
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Annotated, Any, TextIO

import typer

JsonFlag = Annotated[bool, typer.Option("--json", help="Print one JSON object and nothing else on stdout.")]

_DURATION = "wall seconds the command took"

RESULTS: dict[str, dict[str, str]] = {
    "catalog draw": {
        "path": "folder of the drawn catalogue",
        "products": "products asked for",
        "rows": "rows of styles.csv; planted duplicates make it more than `products`",
        "seed": "seed of every drawing",
        "style": "drawing style",
        "version": "version of the drawing code",
        "faults": "planted faults, count by quarantine reason",
        "seconds": _DURATION,
    },
    "catalog read": {
        "path": "folder of the written tables",
        "drop": "the drop's name",
        "rows": "rows of the source",
        "products": "readable products",
        "quarantine": "rejected rows",
        "reasons": "rejected rows, count by reason",
        "recovered": "rows with unquoted commas that were put right",
        "groups": "product groups",
        "splits": "products, count by split",
        "leaks": "groups or images shared between splits; 0 or the command fails",
        "question_set": "the questions that fit this catalogue",
        "qa_pairs": "question and answer pairs",
        "unmapped": "values outside the vocabulary, count by attribute",
        "seconds": _DURATION,
    },
    "catalog sheet": {
        "path": "the picture",
        "products": "products on it",
        "width": "pixels",
        "height": "pixels",
    },
    "train": {
        "family": "the family",
        "path": "folder of the candidate's artefact",
        "digest": "sha256 of everything its answers depend on",
        "steps": "optimiser steps made, those before a stop included",
        "best_step": "step of the weights that were kept",
        "monitor": "validation figure that chose them: accuracy or loss",
        "best_value": "that figure at the best step",
        "decoding": "trie or scored, whichever was better on validation",
        "validation_macro_f1": "mean macro-F1 on validation, by decoding",
        "parameters": "numbers trained",
        "seconds": _DURATION,
    },
    "evaluate": {
        "family": "the family",
        "model": "folder of the model",
        "path": "folder of scores, predictions, evidence and plots; null without --out",
        "products": "products of the test split",
        "macro_f1": "mean macro-F1 over attributes: value, low, high (95 % interval)",
        "subjects": "the same mean for every subject: floors, base, champion, candidate, ceilings",
        "attributes": "macro-F1 of the model by attribute",
        "evidence_sha256": "hash of the evidence",
        "seconds": _DURATION,
    },
    "infer": {
        "what": "attributes or descriptions",
        "path": "the published table",
        "rows": "rows of the table",
        "recomputed": "rows computed now",
        "kept": "rows whose inputs had not changed",
        "abstained": "attribute rows below the confidence threshold; null for descriptions",
        "model": "address of the model that answered",
        "seconds": _DURATION,
    },
    "promote": {
        "family": "the family",
        "status": "promoted, already_champion or refused",
        "candidate": "the candidate",
        "version": "its model version",
        "champion": "version that is champion now; null when there is none",
        "old_champion": "version that was champion before; null when there was none",
        "reasons": "why, one sentence each",
        "record": "id of the promotion record; null when nothing moved",
    },
    "rollback": {
        "family": "the family",
        "champion": "version that is champion now",
        "old_champion": "version that was champion before",
        "candidate": "candidate of the version that is champion now",
        "record": "id of the promotion record",
    },
    "status": {
        "home": "folder of local state",
        "services": "name, state and address of every service",
        "families": "per family: aliases, versions and the newest promotion; null when MLflow is down",
        "tables": "published tables, count of files by stage and name",
    },
    "up": {
        "home": "folder of local state",
        "services": "name, state and address of every service",
    },
    "demo": {
        "report": "the HTML report",
        "home": "folder of local state",
        "champion": "address of the champion",
        "products": "products described",
        "seconds": _DURATION,
        "peak_rss_bytes": "largest memory of this process",
    },
}


_stream: ContextVar[TextIO | None] = ContextVar("stream", default=None)


@contextmanager
def printing_to(stream: TextIO) -> Iterator[None]:
    """Results go to `stream`; while a command runs, `sys.stdout` is stderr (main.py)."""
    token = _stream.set(stream)
    try:
        yield
    finally:
        _stream.reset(token)


def emit(command: str, as_json: bool, values: Mapping[str, Any]) -> None:
    """Print a command's result.

    Raises:
        ValueError: the keys are not the declared ones.
    """
    declared = RESULTS[command]
    if set(values) != set(declared):
        raise ValueError(f"result of {command}: keys {sorted(values)} are not the declared {sorted(declared)}")
    stream = _stream.get() or sys.stdout
    ordered = {key: values[key] for key in declared}
    if as_json:
        stream.write(json.dumps(_without_nan(ordered), ensure_ascii=False, allow_nan=False) + "\n")
    else:
        stream.write(_for_people(ordered))
    stream.flush()


def manual() -> str:
    """The part of docs/cli.md that lists every key."""
    parts = []
    for command, keys in RESULTS.items():
        rows = "\n".join(f"| `{key}` | {meaning} |" for key, meaning in keys.items())
        parts.append(f"### `selvedge {command}`\n\n| key | meaning |\n|---|---|\n{rows}\n")
    return "\n".join(parts)


def _without_nan(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {str(name): _without_nan(inner) for name, inner in value.items()}
    if isinstance(value, (list, tuple)):
        return [_without_nan(inner) for inner in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def _for_people(values: Mapping[str, Any]) -> str:
    width = max(len(key) for key in values)
    lines = []
    for key, value in values.items():
        if value in (None, {}, []):
            continue
        label = key.replace("_", " ").ljust(width)
        for number, line in enumerate(_lines(value)):
            lines.append(f"{label if number == 0 else ' ' * width}  {line}")
    return "\n".join(lines) + "\n"


def _lines(value: Any) -> list[str]:
    if isinstance(value, Mapping):
        return [line for name, inner in value.items() for line in _named(str(name), inner)]
    if isinstance(value, (list, tuple)):
        return [_columns(inner) if isinstance(inner, Mapping) else _short(inner) for inner in value]
    return [_short(value)]


def _named(name: str, value: Any) -> list[str]:
    if isinstance(value, Mapping) and (len(value) > 3 or any(isinstance(inner, Mapping) for inner in value.values())):
        return [f"{name}:", *(f"  {line}" for line in _lines({k: v for k, v in value.items() if v is not None}))]
    return [f"{name}: {_short(value)}"]


def _columns(row: Mapping[str, Any]) -> str:
    return "  ".join(_short(cell).ljust(18) for cell in row.values() if cell is not None).rstrip()


def _short(value: Any) -> str:
    if isinstance(value, Mapping):
        return ", ".join(f"{name} {_short(inner)}" for name, inner in value.items() if inner is not None)
    if isinstance(value, (list, tuple)):
        return ", ".join(_short(inner) for inner in value)
    if isinstance(value, float):
        return f"{value:.3f}" if abs(value) < 10 else f"{value:.1f}"
    return str(value)
