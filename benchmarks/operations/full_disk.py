"""The disk fills up at a random write, again and again: one sentence, nothing half-written, and a rerun that completes.

A command works on a small real file system (small_disk.py), which is filled before it starts to within a drawn number
of bytes of what the command needed when nothing was short. It must end with one sentence and not with success; every
file that is there then must be whole; with room again, the same command must end in the same tables.
"""

import argparse
import random
import re
import shutil
import subprocess
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks.operations.families import save_quick_base, save_quick_settings
from benchmarks.operations.shop import FIRST_ID, draw_drops, emit, folder_of, selvedge, settings_of
from benchmarks.operations.small_disk import NoMount, SmallDisk, half_written, small_disk
from orchestration.runtime.settings import Settings

MIB = 1024 * 1024
DISK_BYTES = 96 * MIB
SENTENCE = "selvedge: "
TRACEBACK = "Traceback (most recent call last)"
FULL = re.compile(r"No space left on device|disk is full|Free some space", re.IGNORECASE)


@dataclass
class Operation:
    """A command that writes.

    Attributes:
        arguments: as for `selvedge`. before: which operations' results it works on. checked: files whose content must
            be the same in the end, as patterns below the disk.
    """

    name: str
    arguments: tuple[str, ...]
    before: tuple[str, ...] = ()
    checked: tuple[str, ...] = ("**/*.parquet",)
    need: int = 0
    hashes: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Trial:
    """What one full disk came to. wrong: sentences; none where all is as it should be."""

    operation: str
    left: int
    code: int
    sentence: str
    wrong: tuple[str, ...]


def operations(disk: Path, folder: Path, model: Path, home: Path) -> list[Operation]:
    """By hand from a delivery to ads, then a whole home with its services, and its backup."""
    drop, catalogue, inferred = folder / "drops" / "2026-01-01", disk / "catalogue", disk / "inferred"
    to = ("--catalog", str(catalogue), "--out", str(inferred))
    config = folder / "train.yaml"
    return [
        Operation("ingest", ("catalog", "read", str(drop), "--out", str(catalogue), "--drop", "may")),
        Operation(
            "training",
            ("train", "blip2-attributes", "--config", str(config), "--catalog", str(catalogue), "--out", str(model)),
            ("ingest",),
            ("candidate/**/*.safetensors",),
        ),
        Operation("attributes", ("infer", "attributes", "--model", str(model), *to), ("ingest", "training")),
        Operation("descriptions", ("infer", "descriptions", *to), ("ingest", "training", "attributes")),
        Operation(
            "ads",
            ("infer", "ads", "--product", str(FIRST_ID), *to),
            ("ingest", "training", "attributes"),
            ("**/*.parquet", "**/*.png"),
        ),
        Operation("demo", ("demo",)),
        Operation("backup", ("backup", str(disk / "kept.tar")), ("demo",), ()),
        Operation("restore", ("restore", str(home / "kept.tar"), "--into", str(disk / "home")), ("demo",)),
    ]


class Proof:
    """The operations on one disk, with the settings of a home that lies on it or, for its backup, beside it."""

    def __init__(self, disk: SmallDisk, folder: Path) -> None:
        self.disk, self.folder = disk, folder
        self.kept = folder / "kept"  # a home with a champion, and what operations start from
        self.model = disk.root / "candidate"
        self.all = {one.name: one for one in operations(disk.root, folder, self.model, self.kept)}
        self.on_disk = self._settings(disk.root / "home")
        self.beside = self._settings(self.kept / "home")

    def _settings(self, home: Path) -> Settings:
        return settings_of(self.folder, home=home)

    def settings(self, operation: Operation) -> Settings:
        return self.beside if operation.name == "backup" else self.on_disk

    def run(self, operation: Operation) -> "subprocess.CompletedProcess[str]":
        return selvedge(self.settings(operation), *operation.arguments, timeout=900)

    def begin(self, operation: Operation) -> None:
        """The disk as it is before an operation."""
        self.disk.make_room()
        self.disk.clear()
        for name in operation.before:
            if name == "demo":  # whose home is used where it is kept
                continue
            shutil.copytree(self.kept / name, self.disk.root, dirs_exist_ok=True, symlinks=True)

    def measure(self, operation: Operation) -> None:
        """Once with room: what it needs, and what it makes. What later ones start from is kept."""
        self.begin(operation)
        with self.disk.measured() as most:
            done = self.run(operation)
        if done.returncode:
            raise SystemExit(f"{operation.name} failed with room: {done.stderr[-2000:]}")
        operation.need, operation.hashes = most[0], self.hashes(operation)
        if operation.name == "demo":
            shutil.copytree(self.disk.root / "home", self.kept / "home", symlinks=True)
            kept = selvedge(self.beside, "backup", str(self.kept / "kept.tar"))
            if kept.returncode:
                raise SystemExit(f"the home could not be backed up: {kept.stderr[-2000:]}")
        else:
            ignored = shutil.ignore_patterns("lost+found")
            shutil.copytree(self.disk.root, self.kept / operation.name, symlinks=True, ignore=ignored)
        print(f"{operation.name}: needs {operation.need / MIB:.1f} MiB", flush=True)

    def hashes(self, operation: Operation) -> dict[str, str]:
        """Content hashes of what an operation made; a candidate's name carries the day and its run's number."""
        import hashlib

        from catalog.tables import content_sha256, read_table

        hashes = {}
        for pattern in operation.checked:
            for path in sorted(self.disk.root.glob(pattern)):
                name = str(path.relative_to(self.disk.root))
                if path.suffix == ".parquet" and "/evaluation/" not in name and "/mlflow/" not in name:
                    hashes[name] = content_sha256(read_table(path).replace_schema_metadata(None))
                elif path.suffix != ".parquet":
                    hashes[name] = hashlib.sha256(path.read_bytes()).hexdigest()
        return hashes

    def trial(self, operation: Operation, left: int) -> Trial:
        """The disk is full after so many bytes; then there is room again."""
        self.begin(operation)
        self.disk.leave(left)
        failed = self.run(operation)
        sentence, wrong = judged(failed)
        self.disk.make_room()  # reading a database takes some, too
        wrong += half_written(self.disk.root)
        again = self.run(operation)
        if again.returncode:
            wrong.append(f"the rerun failed: {again.stderr.strip()[-600:]}")
        elif (hashes := self.hashes(operation)) != operation.hashes:
            names = {*hashes, *operation.hashes}
            differing = sorted(name for name in names if hashes.get(name) != operation.hashes.get(name))
            wrong.append(f"the rerun made others: {', '.join(differing)[:300]}")
        return Trial(operation.name, left, failed.returncode, sentence, tuple(wrong))


def judged(done: "subprocess.CompletedProcess[str]") -> tuple[str, list[str]]:
    """The sentence of a command on a full disk, and what is wrong with how it ended."""
    lines = [line for line in done.stderr.splitlines() if line.startswith(SENTENCE)]
    sentence, wrong = (lines or [""])[-1], []
    if done.returncode == 0:
        return "", []  # what was left was enough after all: what it made is compared as ever
    if TRACEBACK in done.stderr:
        wrong.append(f"a traceback: {done.stderr.strip()[-1200:]}")
    if not FULL.search(sentence):
        wrong.append(f"no sentence of a full disk: {done.stderr.strip()[-600:]!r}")
    return sentence, wrong


def main(arguments: Sequence[str]) -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--small", action="store_true", help="one full disk an operation, without the demo")
    parser.add_argument("--folder", type=Path)
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--trials", type=int, default=3, help="full disks an operation")
    parser.add_argument("--only", nargs="*", help="operations; all by default")
    options = parser.parse_args(arguments)
    folder = folder_of("full_disk", options.folder)
    draw_drops(folder / "drops", 1, 60)
    base = save_quick_base(folder / "base")
    save_quick_settings(folder / "settings.yaml", base, 12)
    shutil.copy(folder / "settings.yaml", folder / "train.yaml")
    drawing, trials, began = random.Random(options.seed), [], time.monotonic()
    try:
        with small_disk(folder, DISK_BYTES) as disk:
            proof = Proof(disk, folder)
            (folder / "kept").mkdir()
            by_hand = {name for name, one in proof.all.items() if "demo" not in (name, *one.before)}
            wanted = set(options.only or (by_hand if options.small else proof.all))
            print(f"a disk of {DISK_BYTES // MIB} MiB, {disk.kind}", flush=True)
            for operation in proof.all.values():
                if operation.name not in wanted | {need for name in wanted for need in proof.all[name].before}:
                    continue
                proof.measure(operation)
                if operation.name not in wanted:
                    continue
                for _ in range(1 if options.small else options.trials):
                    trial = proof.trial(operation, int(drawing.uniform(0, 0.95) * operation.need))
                    trials.append(trial)
                    state = "; ".join(trial.wrong) or "as it should be"
                    print(f"{trial.operation}, {trial.left / MIB:.2f} MiB left, exit {trial.code}: {state}", flush=True)
                    print(f"    {trial.sentence}", flush=True)
    except NoMount as error:
        raise SystemExit(f"{error}; run it where a file system may be mounted, as root.") from error
    wrong = [trial for trial in trials if trial.wrong]
    failed = sum(trial.code != 0 for trial in trials)
    emit("full_disk", trials=len(trials), failed=failed, wrong=len(wrong), seconds=round(time.monotonic() - began))
    if wrong:
        raise SystemExit(1)
