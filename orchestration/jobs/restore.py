"""Restore: a home made of a backup, held to its hashes, in a folder that holds nothing.

Belongs here: copying files back, ending what was under way. Not here: what a backup is (backup_files.py), making one
(backup.py).
"""

import os
import tarfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import dagster as dg

from catalog.places import not_written
from orchestration.jobs.backup_files import (
    HOME,
    BackedUp,
    Manifest,
    Source,
    copy_hashed,
    not_as_written,
    opened,
    read_manifest,
)
from orchestration.runtime.databases import remembered
from orchestration.runtime.folders import new_folder
from orchestration.runtime.instance import open_instance
from orchestration.runtime.recovery import UNFINISHED, free_slots_of_finished_runs
from orchestration.runtime.settings import Settings


@dataclass(frozen=True)
class Restored:
    """A home that was made of a backup. closed: runs that were under way when it was made."""

    home: Path
    manifest: Manifest
    closed: int


def restore_backup(settings: Settings, backup: Path, home: Path, report: Callable[[int, int, str], None]) -> Restored:
    """Make a home of a backup; nothing is left of one that is damaged.

    Runs that were under way are closed as failed, as after a kill, and are tried again by the rules of the home.

    Args:
        home: a folder that is not there, or is empty. report: done, all, of what.

    Raises:
        SelvedgeError: the folder holds something, the backup is missing, damaged or of another version, or the disk is
            full.
    """
    backup = backup.expanduser().resolve()
    with opened(backup) as source:
        manifest = read_manifest(source, backup)
        try:
            with new_folder(home) as folder:
                folder.chmod(0o700)
                for number, file in enumerate(manifest.files, start=1):
                    _restore(source, backup, file, folder)
                    report(number, len(manifest.files), "files")
                for path, target in manifest.links.items():
                    (folder / path).parent.mkdir(parents=True, exist_ok=True)
                    (folder / path).symlink_to(target)
                closed = _close_runs(settings.model_copy(update={"home": folder}))
        except OSError as error:
            raise not_written(home, error) from error
    return Restored(home.expanduser().resolve(), manifest, closed)


def _restore(source: Source, backup: Path, file: BackedUp, folder: Path) -> None:
    """Raises SelvedgeError: the file is missing from the backup, or is not what was written."""
    try:
        content = source.open(f"{HOME}/{file.path}")
    except (KeyError, OSError, tarfile.TarError) as error:
        raise not_as_written(backup, file) from error
    with content:
        try:
            written = copy_hashed(content, folder / file.path, file.mode)
        except (tarfile.TarError, EOFError) as error:
            raise not_as_written(backup, file) from error
    if written != (file.sha256, file.bytes):
        raise not_as_written(backup, file)
    os.utime(folder / file.path, ns=(file.changed, file.changed))


def _close_runs(settings: Settings) -> int:
    """The processes of these runs are of another home, and may even be alive there: in PostgreSQL they stay."""
    if remembered(settings.home) is not None:
        return 0
    if not (settings.dagster_home / "dagster.yaml").is_file():
        return 0
    with open_instance(settings) as instance:
        runs = instance.get_runs(dg.RunsFilter(statuses=UNFINISHED))
        for run in runs:
            instance.report_run_failed(run, "this run was under way when the home was backed up.")
        free_slots_of_finished_runs(instance)
    return len(runs)
