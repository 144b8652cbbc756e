"""What the code declares, gathered for the reference pages.

Belongs here: every import of a room that the pages need, so that a module that moves is named in one place. Not here:
how a page looks (reference.py), the imports between rooms (house.py).
"""

import ast
import inspect
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import dagster as dg
import pyarrow as pa
import typer
from sqlalchemy import Table
from sqlalchemy.dialects import postgresql
from typer.core import TyperCommand, TyperGroup

import labeling.tables  # noqa: F401  declares its room's tables
import orchestration.assets.run_costs  # noqa: F401  declares one, too
from catalog.tables import declared_tables
from labeling.review.ledger.tables import METADATA
from orchestration.cli import results
from orchestration.cli.main import application
from orchestration.families import settings
from orchestration.families.settings import load_settings
from orchestration.graph.build import build_defs

ROOT = Path(__file__).resolve().parents[1]
ROOMS = ("catalog", "evaluation", "training", "labeling", "inference", "infra", "orchestration")


def command_tables() -> dict[str, str]:
    """The parts of docs/cli.md that are written from declarations, by their mark: settings, keys of results."""
    return {"settings": settings.manual(), "keys": results.manual()}


def commands() -> dict[str, TyperCommand | TyperGroup]:
    """Every command by its words, in the order in which their results are declared; hidden ones left out."""

    def walk(command: Any, words: tuple[str, ...]) -> Iterator[tuple[str, TyperCommand | TyperGroup]]:
        children = getattr(command, "commands", None)
        if children is None or command.invoke_without_command:
            yield " ".join(words), command
        for name, child in (children or {}).items():
            if not child.hidden:
                yield from walk(child, (*words, name))

    order = list(results.declared())
    return dict(sorted(walk(typer.main.get_command(application()), ()), key=lambda pair: order.index(pair[0])))


def definitions() -> dg.Definitions:
    """The graph with its default settings."""
    with tempfile.TemporaryDirectory() as home:
        return build_defs(load_settings(home=Path(home)))


def parquet_tables() -> Mapping[str, pa.Schema]:
    """Published tables by name."""
    return declared_tables()


def column_remarks() -> dict[tuple[str, ...], dict[str, str]]:
    """The comments beside the columns of every schema in the rooms' source, by the schema's column names."""
    remarks: dict[tuple[str, ...], dict[str, str]] = {}
    for room in ROOMS:
        for path in sorted((ROOT / room).rglob("*.py")):
            text = path.read_text(encoding="utf-8")
            if "pa.schema(" in text:
                remarks.update(_schema_remarks(text))
    return remarks


def ledger_tables() -> list[Table]:
    """Tables of the ledger of reviews, in the order of their declaration."""
    return list(METADATA.tables.values())


def ledger_remarks() -> dict[str, dict[str, str]]:
    """The comments beside the columns of the ledger, by table."""
    import labeling.review.ledger.tables as source

    text = inspect.getsource(source)
    lines = text.splitlines()
    remarks: dict[str, dict[str, str]] = {}
    for call in _calls(text, "Table"):
        name = _constant(call.args[0])
        columns = [node for node in call.args if isinstance(node, ast.Call) and node.args]
        remarks[name] = {_constant(node.args[0]): _remark(lines, node) for node in columns}
    return remarks


def column_type(table: Table, column: str) -> str:
    """The type of a ledger column as PostgreSQL spells it."""
    return table.columns[column].type.compile(postgresql.dialect())


def _schema_remarks(text: str) -> Iterator[tuple[tuple[str, ...], dict[str, str]]]:
    lines = text.splitlines()
    for call in _calls(text, "schema"):
        if call.args and isinstance(call.args[0], ast.List):
            columns = [node for node in call.args[0].elts if isinstance(node, ast.Tuple)]
            yield (
                tuple(_constant(node.elts[0]) for node in columns),
                {_constant(node.elts[0]): _remark(lines, node) for node in columns},
            )


def _calls(text: str, name: str) -> Iterator[ast.Call]:
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Call) and getattr(node.func, "attr", getattr(node.func, "id", "")) == name:
            yield node


def _constant(node: ast.expr) -> str:
    return str(node.value) if isinstance(node, ast.Constant) else ""


def _remark(lines: list[str], node: ast.expr) -> str:
    """The comment that ends the line on which a column is declared; empty where several share the line."""
    before, mark, comment = lines[(node.end_lineno or 1) - 1].partition("  # ")
    return comment.strip() if mark and before.strip().startswith(("(", "Column(", "_")) else ""
