"""Garbage: what lies in a home and nothing names any more, and freeing it.

Belongs here: what is stored under which name, what is reachable from the records, removing the rest. Not here: finding
names in records (mentions.py), Dagster's old runs (old_runs.py), options and lines (orchestration/cli/gc_command.py).

Roots are the published tables, the openings of candidates, the ledger, MLflow's database and Dagster's newest events.
From there things reach things: a frozen data set the pictures that it lists, a round those that it showed. Nothing is
counted or remembered in between, so no count can be wrong. Published tables, model versions, rounds that the ledger
knows, deliveries and secrets are never touched.
"""

import re
import shutil
import time
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import dagster as dg

from catalog.errors import SelvedgeError
from catalog.places import parts_of_the_dead
from inference.discovery.index import FOLDER as DISCOVERY
from orchestration.assets.partitions import candidate_partitions, slug
from orchestration.assets.run_costs import TABLE as COSTS
from orchestration.families.contract import Family
from orchestration.jobs.mentions import WHOLE_HASH, Mentions, texts_below, texts_of_dagster, texts_of_database
from orchestration.jobs.serving import old_files, open_jobs
from orchestration.jobs.unfinished_backups import unfinished_backups
from orchestration.runtime.recovery import UNFINISHED
from orchestration.runtime.settings import Settings

DAY_SECONDS = 86_400.0
PICTURES, ADS, ROUNDS = "standard pictures", "pictures of ads", "rounds that were never opened"
INDEXES, DATASETS, BASES = "search indexes", "frozen data sets", "continued bases"
REQUESTS = "files of old requests"
BOTTOMS, PICKS, LABELS = "bottoms", "picks", "label sets"
WORK, PARTS = "work of trainings", "parts of killed commands"
SLOWLY = (INDEXES, WORK)  # kept for as many days as runs are: a rollback or a retry wants them
QUEUED = dg.DagsterRunStatus.QUEUED
BY_HASH = re.compile(r"(bottoms-)?[0-9a-f]{16}")
PICTURE_PREFIX = 2  # digits of a picture's folder


@dataclass(frozen=True)
class Stored:
    """Something that is kept under a name.

    Attributes:
        name: as records name it. paths: its files and folders. content: those whose text names other things.
    """

    kind: str
    name: str
    paths: tuple[Path, ...]
    content: tuple[Path, ...] = ()

    def files(self) -> Iterator[Path]:
        for path in self.paths:
            yield from (file for file in path.rglob("*") if file.is_file()) if path.is_dir() else (path,)

    def size(self) -> int:
        return sum(file.lstat().st_size for file in self.files())

    def changed(self) -> float:
        """When its newest file was written, in seconds since the epoch."""
        return max(path.lstat().st_mtime for path in (*self.paths, *self.files()))


def reachable(roots: Iterable[str], names: Collection[str], follow: Callable[[str], Iterable[str]]) -> set[str]:
    """The names that roots name, directly or through what they name.

    Args:
        names: that may be reached. follow: what a name's content names.
    """
    kept: set[str] = set()
    left = [name for name in roots if name in names]
    while left:
        name = left.pop()
        if name not in kept:
            kept.add(name)
            left += [other for other in follow(name) if other in names and other not in kept]
    return kept


def find_garbage(
    settings: Settings, instance: dg.DagsterInstance, families: Iterable[Family], days: float, now: float | None = None
) -> list[Stored]:
    """What nothing names and nobody changed for a day, or for `days` where it may be wanted again.

    Args:
        days: that runs are kept. now: seconds since the epoch.

    Raises:
        SelvedgeError: a record cannot be read.
        ServiceUnavailable: a database does not answer.
    """
    now = time.time() if now is None else now
    stored = list(_stored(settings))
    by_name: dict[str, list[Stored]] = {}
    for thing in stored:
        by_name.setdefault(thing.name, []).append(thing)

    def follow(name: str) -> Iterable[str]:
        content = [path for thing in by_name[name] for path in thing.content]
        return Mentions(by_name).read_all(text for path in content for text in texts_below(path))

    counted = settings.home / "tables" / COSTS  # it counts runs, and names nothing that is in use
    frozen = [path for thing in stored if thing.kind == DATASETS for path in thing.paths]
    kept = reachable(Mentions(by_name).read_all(_records(settings, instance, [*frozen, counted])), by_name, follow)
    unfinished = _unfinished_candidates(instance, families)
    garbage = [
        thing for thing in stored if (thing.name not in unfinished if thing.kind == WORK else thing.name not in kept)
    ]
    aged = [thing for thing in garbage if now - thing.changed() > (days if thing.kind in SLOWLY else 1.0) * DAY_SECONDS]
    return [*aged, *_of_requests(settings, now, days), *_parts(settings)]


def free(garbage: Iterable[Stored]) -> int:
    """Remove it; the bytes that were freed."""
    freed = 0
    for thing in garbage:
        freed += thing.size()
        for path in thing.paths:
            shutil.rmtree(path) if path.is_dir() else path.unlink(missing_ok=True)
    return freed


def require_quiet(instance: dg.DagsterInstance) -> None:
    """Raises SelvedgeError: a run is at work; what it writes is named by nothing yet."""
    at_work = [dg.DagsterRunStatus.STARTED, dg.DagsterRunStatus.CANCELING]  # others have written nothing
    runs = instance.get_runs(dg.RunsFilter(statuses=at_work), limit=1)
    if runs:
        raise SelvedgeError(
            f"run {runs[0].run_id[:8]} of {runs[0].job_name} is under way, and what it writes is named by nothing yet; "
            "let it end, or end it in Dagster, and run again."
        )


def by_kind(garbage: Iterable[Stored]) -> Mapping[str, tuple[int, int]]:
    """Things and bytes of each kind."""
    sums: dict[str, tuple[int, int]] = {}
    for thing in garbage:
        count, size = sums.get(thing.kind, (0, 0))
        sums[thing.kind] = count + 1, size + thing.size()
    return sums


def _records(settings: Settings, instance: dg.DagsterInstance, leaving_out: Collection[Path]) -> Iterator[str]:
    """The text of everything that names what is in use, without folders of tables that must be named themselves."""
    if settings.storage is None:
        yield from texts_below(settings.home / "tables", leaving_out)
    yield from texts_of_database(settings.ledger_uri, "the ledger")
    if settings.tracking_uri is None:
        yield from texts_of_database(settings.mlflow_database_uri, "MLflow's database")
    yield from texts_of_dagster(instance, instance.get_runs(dg.RunsFilter(statuses=[*UNFINISHED, QUEUED])))


def _stored(settings: Settings) -> Iterator[Stored]:
    """Everything that is kept under a name. A bucket may be other homes', too: nothing of it is looked at."""
    home = settings.home
    yield from (Stored(WORK, path.name, (path,)) for path in _entries(home / "work"))
    if settings.storage is not None:
        return
    objects = home / "objects"
    for folder in _entries(objects / "images"):
        if len(folder.name) == PICTURE_PREFIX:
            yield from (
                Stored(PICTURES, file.stem, (file,)) for file in _entries(folder) if WHOLE_HASH.fullmatch(file.stem)
            )
    for request in _entries(objects / "ads"):
        yield from (Stored(ADS, made.name, (made,)) for made in _entries(request))
    yield from (Stored(ROUNDS, path.name, (path,), (path,)) for path in _entries(objects / "rounds"))
    yield from _grouped(INDEXES, objects / DISCOVERY)
    yield from _grouped(DATASETS, home / "tables" / "training" / "datasets")
    for kind, folder in (
        (BOTTOMS, home / "bottoms"),
        (PICKS, home / "picks"),
        (LABELS, home / "label_sets"),
        (BASES, home / "bases"),
    ):
        yield from _grouped(kind, folder)


def _grouped(kind: str, folder: Path) -> Iterator[Stored]:
    """Entries whose names begin with the same hash belong together: an index and its stamps, bottoms and their judge.

    What is named otherwise was put there by somebody else, and is left alone.
    """
    groups: dict[str, list[Path]] = {}
    for path in _entries(folder):
        if named := BY_HASH.match(path.name):
            groups.setdefault(named[0], []).append(path)
    for name, paths in groups.items():
        yield Stored(kind, name, tuple(paths), tuple(path for path in paths if path.is_dir()))


def _entries(folder: Path) -> list[Path]:
    return sorted(path for path in folder.iterdir() if not path.name.startswith(".")) if folder.is_dir() else []


def _of_requests(settings: Settings, now: float, days: float) -> Iterator[Stored]:
    """Photographs and pictures of `selvedge serve`, of requests that ended longer ago than runs are kept."""
    jobs = open_jobs(settings)
    for name, paths in () if jobs is None else old_files(settings, jobs, now - days * DAY_SECONDS):
        thing = Stored(REQUESTS, name, paths)
        if now - thing.changed() > DAY_SECONDS:  # a request that is just being accepted has no row yet
            yield thing


def _parts(settings: Settings) -> Iterator[Stored]:
    """What killed commands left under names of their own, backups beside their targets, too."""
    tops = [path for path in _entries(settings.home) if path.is_dir() and path.name not in ("label-studio", "dagster")]
    folders = {part.parent for top in (settings.home, *tops) for part in _hidden_parts(top, top != settings.home)}
    for folder in sorted(folders):
        yield from (Stored(PARTS, part.name, (part,)) for part in parts_of_the_dead(folder))
    for killed in unfinished_backups(settings.home):
        yield Stored(PARTS, killed.paths[0].name, killed.paths)


def _hidden_parts(folder: Path, deep: bool) -> Iterator[Path]:
    return folder.rglob(".*.part") if deep else folder.glob(".*.part")


def _unfinished_candidates(instance: dg.DagsterInstance, families: Iterable[Family]) -> set[str]:
    """Candidates that were opened and not trained to the end: their checkpoints are what a retry goes on from."""
    unfinished: set[str] = set()
    for family in families:
        trained = instance.get_materialized_partitions(dg.AssetKey(["training", f"{slug(family.name)}_candidate"]))
        opened = instance.get_dynamic_partitions(candidate_partitions(family.name).name or "")
        unfinished |= set(opened) - set(trained)
    return unfinished
