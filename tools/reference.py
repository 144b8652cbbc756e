"""The generated pages of the manual: `python -m tools.reference` writes them, `--check` fails where one is out of date.

Belongs here: how each page is laid out, writing and comparing. Not here: what the pages list (declared.py).

Written whole: docs/reference/*.md and docs/images/house.svg. Written between their marks: docs/cli.md and
docs/how-it-works.md.
"""

import argparse
import re
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path

import dagster as dg
from typer.core import TyperArgument, TyperOption

from tools import declared, house

DOCS = declared.ROOT / "docs"
GENERATED = "<!-- Written by `python -m tools.reference`; do not edit. -->\n\n"


def pages() -> dict[Path, str]:
    """Every generated page with the text that it must have."""
    command_page, house_page = DOCS / "cli.md", DOCS / "how-it-works.md"
    graph = house.read()
    return {
        command_page: commands_page(command_page.read_text(encoding="utf-8")),
        DOCS / "reference" / "options.md": options_page(),
        DOCS / "reference" / "tables.md": tables_page(),
        DOCS / "reference" / "assets.md": assets_page(),
        DOCS / "images" / "house.svg": house.picture(graph),
        house_page: between(house_page.read_text(encoding="utf-8"), "rooms", house.rooms_table(graph)),
    }


def between(page: str, mark: str, text: str) -> str:
    """The page with what stands between `<!-- mark -->` and `<!-- end of mark -->` replaced."""
    begin, end = f"<!-- {mark} -->\n", f"<!-- end of {mark} -->"
    before, found_begin, rest = page.partition(begin)
    _, found_end, after = rest.partition(end)
    if not (found_begin and found_end):
        raise SystemExit(f"the page has lost its marks {begin.strip()} and {end}")
    return f"{before}{begin}{text.rstrip()}\n{end}{after}"


def commands_page(page: str) -> str:
    """docs/cli.md with its settings and result keys as they are declared now."""
    for mark, text in declared.command_tables().items():
        page = between(page, mark, text)
    return page


def options_page() -> str:
    """Every command with its arguments and options, as its `--help` says."""
    parts = [
        "# Options of every command\n\n",
        GENERATED,
        "What each command prints with `--json` is on [Commands, settings, results](../cli.md#keys-of-the-results).\n",
    ]
    for words, command in declared.commands().items():
        rows = [_parameter(each) for each in command.params if isinstance(each, TyperArgument | TyperOption)]
        parts.append(f"\n## `selvedge {words}`\n\n{_sentences(command.help)}\n\n")
        parts.append(table(("argument or option", "what", "default"), rows))
    return "".join(parts)


def tables_page() -> str:
    """Every column of every published table, and of the ledger."""
    remarks = declared.column_remarks()
    parts = [
        "# Tables\n\n",
        GENERATED,
        "Published tables are Parquet, one file a partition, in `tables/<stage>/<name>/` of the home. Each is replaced "
        "whole and carries the hash of its content.\n",
    ]
    for name, schema in declared.parquet_tables().items():
        comments = remarks.get(tuple(schema.names), {})
        rows = [(f"`{field.name}`", f"`{field.type}`", comments.get(field.name, "")) for field in schema]
        parts.append(f"\n## {name}\n\n{table(('column', 'type', 'remark'), rows)}")
    parts.append(
        "\n## The ledger\n\nSQL, in `ledger.db` of the home or where `SELVEDGE_LEDGER` says. The database refuses to "
        "change or delete a row, so whatever changes is a further row.\n"
    )
    for ledger_table in declared.ledger_tables():
        comments = declared.ledger_remarks()[ledger_table.name]
        rows = [
            (f"`{column.name}`", f"`{declared.column_type(ledger_table, column.name)}`", comments.get(column.name, ""))
            for column in ledger_table.columns
        ]
        parts.append(f"\n### {ledger_table.name}\n\n{table(('column', 'type', 'remark'), rows)}")
    return "".join(parts)


def assets_page() -> str:
    """Every asset with what it is made from, its partitions and its checks; then jobs and sensors."""
    definitions = declared.definitions()
    specs = {spec.key: spec for spec in definitions.resolve_all_asset_specs()}
    repository = definitions.get_repository_def()
    checks: dict[dg.AssetKey, list[str]] = {}
    for check in repository.asset_graph.asset_check_keys:
        checks.setdefault(check.asset_key, []).append(check.name)
    parts = ["# Assets, jobs and sensors\n\n", GENERATED, "The graph as Dagster shows it, stage by stage.\n"]
    for stage in _stages(specs):
        parts.append(f"\n## {stage}/\n\n")
        rows = []
        for key in sorted((key for key in specs if key.path[0] == stage), key=dg.AssetKey.to_user_string):
            spec = specs[key]
            sources = sorted({_code(dep.asset_key) for dep in spec.deps})
            remarks = [f"one partition a {partition_kind(spec.partitions_def)}"] if spec.partitions_def else []
            remarks += [f"checks: {', '.join(f'`{name}`' for name in sorted(checks[key]))}"] if key in checks else []
            text = "<br>".join([_one_line(spec.description), *(["; ".join(remarks)] if remarks else [])])
            rows.append((_code(key), text, "<br>".join(sources)))
        parts.append(table(("asset", "what it is", "made from"), rows))
    jobs = [job for job in repository.get_all_jobs() if not job.name.startswith("__")]
    parts.append("\n## Jobs\n\n")
    parts.append(table(("job", "what"), [(f"`{job.name}`", _one_line(job.description)) for job in jobs]))
    parts.append("\n## Sensors\n\n")
    parts.append(
        table(
            ("sensor", "what"),
            [(f"`{sensor.name}`", _one_line(sensor.description)) for sensor in repository.sensor_defs],
        )
    )
    if repository.schedule_defs:
        parts.append("\n## Schedules\n\n")
        parts.append(
            table(
                ("schedule", "what"),
                [(f"`{schedule.name}`", _one_line(schedule.description)) for schedule in repository.schedule_defs],
            )
        )
    return "".join(parts)


def partition_kind(partitions: dg.PartitionsDefinition[str]) -> str:
    """What one partition is: a drop, or a candidate of a family."""
    name = getattr(partitions, "name", None) or type(partitions).__name__
    return "candidate" if name.endswith("-candidate") else name


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A Markdown table; a `|` inside a cell is escaped."""
    lines = [f"| {' | '.join(head)} |", "|---" * len(head) + "|"]
    lines += ["| " + " | ".join(cell.replace("|", "\\|") for cell in row) + " |" for row in rows]
    return "\n".join(lines) + "\n"


def main(arguments: Sequence[str] | None = None) -> int:
    """Write the pages; with `--check` write nothing and name the pages that differ."""
    parser = argparse.ArgumentParser(prog="python -m tools.reference", description=__doc__.partition("\n")[0])
    parser.add_argument("--check", action="store_true", help="write nothing; exit with 1 where a page is out of date")
    options = parser.parse_args(arguments)
    stale = [
        (path, text) for path, text in pages().items() if not path.is_file() or path.read_text(encoding="utf-8") != text
    ]
    for path, text in stale:
        if not options.check:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")
        verb = "is out of date; run `python -m tools.reference`" if options.check else "was written"
        print(f"{path.relative_to(declared.ROOT)} {verb}", file=sys.stderr)
    return 1 if options.check and stale else 0


def _stages(keys: Iterable[dg.AssetKey]) -> list[str]:
    """Stages in the order of the lifecycle; one that is new here comes last."""
    lifecycle = ("catalog", "training", "labeling", "evaluation", "review", "registry", "inference")
    present = {key.path[0] for key in keys}
    return [stage for stage in lifecycle if stage in present] + sorted(present - set(lifecycle))


def _parameter(parameter: TyperArgument | TyperOption) -> tuple[str, str, str]:
    names = [*parameter.opts, *parameter.secondary_opts]
    if parameter.param_type_name == "argument":
        names = [(parameter.metavar or parameter.name or "").upper()]
    default = getattr(parameter.default, "value", parameter.default)
    shown = "" if default in (None, False) else f"`{default}`"
    text = _one_line(getattr(parameter, "help", ""))
    return ", ".join(f"`{name}`" for name in names), text, "required" if parameter.required else shown


def _code(key: dg.AssetKey) -> str:
    return f"`{key.to_user_string()}`"


def _one_line(text: str | None) -> str:
    return re.sub(r"\s+", " ", (text or "").strip())


def _sentences(text: str | None) -> str:
    """A help text as a paragraph, without the marks that typer uses for its own layout."""
    return _one_line((text or "").partition("\f")[0])


if __name__ == "__main__":
    sys.exit(main())
