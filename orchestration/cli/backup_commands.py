"""`selvedge backup` and `selvedge restore`: a home kept safe while it runs, and put back.

Belongs here: options, results and the lines for people. Not here: copying (jobs/backup.py), putting back
(jobs/restore.py).
"""

import time
from pathlib import Path
from typing import Annotated

import typer

from orchestration.cli.results import JsonFlag, emit
from orchestration.cli.terminal import reporting, say


def add_to(app: typer.Typer) -> None:
    app.command("backup")(backup)
    app.command("restore")(restore)


def backup(
    target: Annotated[Path, typer.Argument(metavar="TO", help="A new folder, or a file whose name ends with .tar.")],
    as_json: JsonFlag = False,
) -> None:
    """Copy the home, while it runs, with the hash of every file; secrets are in it."""
    from orchestration.families import FAMILIES
    from orchestration.families.settings import load_settings
    from orchestration.jobs.backup import make_backup

    settings = load_settings()
    began = time.monotonic()
    with reporting() as reporter:
        made = make_backup(settings, target, [family.name for family in FAMILIES], reporter.progress)
    for sentence in made.manifest.elsewhere:
        say(f"selvedge: not in the backup: {sentence}")
    say(f"selvedge: credentials and keys are in it ({made.secrets} files): only you can read it; keep it so.")
    values = {
        "path": str(made.path),
        "files": len(made.manifest.files),
        "bytes": sum(file.bytes for file in made.manifest.files),
        "databases": made.databases,
        "secrets": made.secrets,
        "elsewhere": list(made.manifest.elsewhere),
        "sha256": made.manifest.sha256,
        "seconds": time.monotonic() - began,
    }
    emit("backup", as_json, values)


def restore(
    source: Annotated[Path, typer.Argument(metavar="FROM", help="What `selvedge backup` wrote.")],
    into: Annotated[
        Path | None, typer.Option(help="A folder that is empty, or not there; SELVEDGE_HOME by default.")
    ] = None,
    as_json: JsonFlag = False,
) -> None:
    """Make a home of a backup, in an empty folder, and hold every file to its hash."""
    from orchestration.families.settings import load_settings
    from orchestration.jobs.restore import restore_backup

    settings = load_settings()
    began = time.monotonic()
    with reporting() as reporter:
        restored = restore_backup(settings, source, into or settings.home, reporter.progress)
    for sentence in restored.manifest.elsewhere:
        say(f"selvedge: not in the backup: {sentence}")
    values = {
        "home": str(restored.home),
        "made": restored.manifest.made,
        "files": len(restored.manifest.files),
        "bytes": sum(file.bytes for file in restored.manifest.files),
        "closed_runs": restored.closed,
        "elsewhere": list(restored.manifest.elsewhere),
        "sha256": restored.manifest.sha256,
        "seconds": time.monotonic() - began,
    }
    emit("restore", as_json, values)
