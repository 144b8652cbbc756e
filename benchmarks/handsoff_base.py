"""The base that ships, `models/handsoff-tiny`: generators of drawn product pictures at 64 and 128 pixels.

Belongs here: training both within a wall-clock budget on a GPU, choosing the snapshot, recipe and card. Not here: the
pictures and the judge (handsoff_data.py, to be run first where the drawing library is), the training
(training/handsoff/loop.py), coverage (handsoff.py).

Run: `python -m benchmarks.handsoff_base --work DIR --out OUT [--sides 64 128] [--minutes 4]` with the two files of
`python -m benchmarks.handsoff_data --out DIR` in DIR; `--trial` instead trains three weights of the penalties side by
side for `--minutes` each, to see that the machine does it and which weight is best. Needs torch, numpy, scipy,
pillow, safetensors.

The number of images follows from the pace of a warm machine, so that the rate has come down when the time is over. 128
pixels begin from the base of 64, whose levels they share; the two may be made in two calls, after which `--card
FOLDER` writes the card of both. Snapshot: after each of twelve parts of the training KID of 1,000 samples against 1,000
training pictures is taken on the judge's features; of the second half the least one is the base. All figures are of
weights rounded as they are stored; those of the card are on pictures held out.
"""

import argparse
import contextlib
import json
import shutil
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

from benchmarks.handsoff import JUDGE, PACK, prepared, sample_distance
from catalog.errors import SelvedgeError
from evaluation.generation import kernel_distance
from training.attribute_judge import AttributeJudge, load_judge
from training.handsoff.discriminator import Discriminator
from training.handsoff.drawn import PARTS, SEED
from training.handsoff.frozen import FrozenGenerator, load_generator, save_generator
from training.handsoff.loop import Result, sample_grid, train_generator
from training.handsoff.pictures import Pictures
from training.handsoff.settings import GeneratorSettings
from training.handsoff.start import Start, read_start
from training.reporting import Silent, TimeLeft

SETTINGS = GeneratorSettings(
    batch_size=64,
    report_every=97,  # a GPU's values are looked at there alone; of 100 none would be a step with penalties
    sample_every=0,
    checkpoint_every=10**6,
    average_half_life=20_000,
    samples=100,
)
KID_PICTURES = 1000
SNAPSHOTS = 12
BASES = "bases"  # of the pack's folder: what larger sides begin from, also in a later call
COMMAND = (sys.executable, "-m", "benchmarks.handsoff_base")
PACE_SECONDS = (6.0, 12.0)  # from the first step; the pace is taken between. Before, kernels are chosen and clocks rise
PACE_EVERY = 20  # steps between two looks at the clock
RESERVE = 0.9  # of the budget; the rest is for snapshots
TRIAL_PENALTIES = (0.1, 0.5, 2.0)  # at 64 pixels
CARD = """# handsoff-tiny

Generators of product pictures at 64 and 128 pixels, one folder each: HandsOff's frozen generator, and what a training
on a catalogue begins from. Made by Selvedge's own code on drawn pictures only; no photograph was used. Apache-2.0.

- Half-precision safetensors, used in single precision; the discriminator that a training goes on with lies beside.
- `judge.safetensors`: an attribute classifier of drawn garments, trained on pictures that no generator saw. Its
  features carry the KID below and the choice of the snapshot.
- Seen: {products:,} drawn products of every article type (style `studio`, a seed that no catalogue may have).
- `recipe.yaml` of each folder holds the command, the settings, the digests and the figures.

## Measured on {held_out:,} drawn products of other items

| side | parameters | images seen | KID of samples | real against real |
|---|---|---|---|---|
{rows}

"""
LIMITS = """## Limits

It draws the drawn catalogue's garments and their backdrops. It has seen no photograph, and no second drawing style.
Nobody has looked at its samples yet: do, and write here what they lack, before anything is built on it.
"""


class Lines(Silent):
    """Progress and losses on stderr every ten seconds, with the time left."""

    def __init__(self, name: str) -> None:
        self.name, self.left, self.last = name, TimeLeft(), 0.0

    def metrics(self, step: int, values: Any) -> None:
        self.said = " ".join(f"{name.removeprefix('train/')} {value:.3g}" for name, value in values.items())

    def progress(self, done: int, total: int, what: str) -> None:
        left = self.left.words(done, total, what)
        if time.monotonic() - self.last > 10 or done == total:
            self.last = time.monotonic()
            print(f"{self.name}: {what} {done}/{total} {left} {self.said}", file=sys.stderr, flush=True)


@dataclass
class Snapshots:
    """KID over time, and the best snapshot of the second half of a training.

    Attributes:
        log: images seen, seconds and KID of each.
    """

    judge: AttributeJudge
    real: np.ndarray
    settings: GeneratorSettings
    folder: Path
    log: list[dict[str, float]] = field(default_factory=list)
    began: float = field(default_factory=time.monotonic)

    def __call__(self, step: int, frozen: FrozenGenerator, discriminator: Discriminator) -> None:
        now = save_generator(self.folder / "now", self.settings, frozen.generator, discriminator)
        rounded = load_generator(self.folder / "now", device=frozen.device)
        kid = kernel_distance(self.real, self.judge.features(rounded.sample(len(self.real), 0).pictures))
        late = [entry["kid"] for entry in self.log if 2 * entry["step"] >= self.settings.steps]
        entry = {"step": step, "images": step * self.settings.batch_size, "kid": kid}
        self.log.append(entry | {"seconds": round(time.monotonic() - self.began, 1)})
        grid(rounded, self.folder / f"samples-{step:06d}.png", 64)
        print(f"step {step}: KID {kid:.4f} ({now[:12]})", file=sys.stderr, flush=True)
        if 2 * step >= self.settings.steps and kid < min(late, default=np.inf):
            shutil.rmtree(self.folder / "best", ignore_errors=True)
            shutil.copytree(self.folder / "now", self.folder / "best")


def grid(frozen: FrozenGenerator, file: Path, n: int) -> None:
    """A sheet of n samples of seed 1."""
    sample_grid(frozen, frozen.latents(n, 1)).save(file)


class PaceTaken(Exception):
    """Ends a training that was begun only for its pace."""


def measured_pace(pictures: Pictures, settings: GeneratorSettings, folder: Path, start: Start | None) -> float:
    """Images a second of a training on this machine, once it has warmed up.

    By the clock and not by a count of steps: the first 120 of a GPU are over in three seconds and half as fast as the
    rest, and a training whose length follows from them uses half of its time.
    """
    begun, end = PACE_SECONDS
    looks: list[tuple[int, float]] = []

    def note(step: int, frozen: FrozenGenerator, _: Discriminator) -> None:
        if frozen.device.type == "cuda":
            torch.cuda.synchronize()
        looks.append((step, time.monotonic()))
        if looks[-1][1] - looks[0][1] >= end and len(looks) > 2:
            raise PaceTaken

    endless = replace(settings, images=10**12)
    with contextlib.suppress(PaceTaken):
        train_generator(pictures, endless, folder, Silent(), start=start, watch=note, watch_every=PACE_EVERY)
    shutil.rmtree(folder, ignore_errors=True)
    last = looks[-1]
    warm = next(look for look in looks if look[1] - looks[0][1] >= begun or look is looks[-2])
    return (last[0] - warm[0]) * settings.batch_size / (last[1] - warm[1])


def replay_or_not(arguments: argparse.Namespace) -> bool:
    """Whether recorded steps work here: tried in another process, because a failed recording leaves a broken one."""
    if not torch.cuda.is_available():
        return False
    command = [
        sys.executable,
        "-m",
        "benchmarks.handsoff_base",
        "--probe",
        "--work",
        arguments.work,
        "--out",
        arguments.out,
    ]
    tried = subprocess.run(list(map(str, command)), check=False, capture_output=True, text=True)
    print(f"recorded steps: {tried.stdout.strip() or tried.stderr.strip()[-2000:]}", file=sys.stderr, flush=True)
    return tried.returncode == 0


def probe(arguments: argparse.Namespace) -> None:
    """Both ways for some steps; ends with 1 where recorded steps are no faster."""
    pictures = prepared(arguments.work, "training", 64)
    pace = {}
    for replay in (True, False):
        pace[replay] = measured_pace(pictures, replace(SETTINGS, replay=replay), arguments.work / "probe", None)
    print(f"{pace[True]:.0f} images/s recorded, {pace[False]:.0f} not")
    if pace[True] < pace[False]:
        raise SystemExit(1)


def train_side(arguments: argparse.Namespace, side: int, penalty: float | None, name: str) -> Result:
    """One base within the budget; its folder holds `best`, sheets of samples and `log.json`."""
    work, out = arguments.work, arguments.out
    folder, run = out / name, work / "runs" / name  # a run's checkpoint and last weights are nobody's business
    folder.mkdir(parents=True, exist_ok=True)
    pictures = prepared(work, "training", side)
    settings = replace(SETTINGS, size=side, replay=arguments.replay, seed=arguments.seed, penalty=penalty)
    settings = replace(settings, batch_size=arguments.batch or settings.batch_size)
    smaller = work / BASES / str(side // 2)
    start = read_start(smaller, settings) if (smaller / "selvedge.json").is_file() else None
    pace = measured_pace(pictures, settings, run, start)
    settings = replace(settings, images=int(pace * arguments.minutes * 60 * RESERVE))
    print(f"{name}: {pace:.0f} images/s, so {settings.images:,} images", file=sys.stderr, flush=True)
    judge = load_judge(work / JUDGE, "cuda" if torch.cuda.is_available() else "cpu")
    chosen = np.random.default_rng(0).permutation(len(pictures))[: arguments.kid_pictures]
    watch = Snapshots(judge, judge.features(np.ascontiguousarray(pictures.array[chosen])), settings, folder)
    every = max(1, settings.steps // SNAPSHOTS)
    result = train_generator(pictures, settings, run, Lines(name), start=start, watch=watch, watch_every=every)
    log = {
        "start": start.digest if start else "",
        "pace": round(pace),
        "seconds": result.seconds,
        "skipped": result.skipped,
        "kid": watch.log,
    }
    if name == str(side):
        shutil.rmtree(work / BASES / name, ignore_errors=True)
        shutil.copytree(folder / "best", work / BASES / name)
    (folder / "log.json").write_text(json.dumps(log | {"history": result.history}, indent=1), encoding="utf-8")
    return result


def publish(arguments: argparse.Namespace, side: int) -> None:
    """Recipe and figures beside the best snapshot of a side, as `OUT/handsoff-tiny/<side>`."""
    out, model = arguments.out, arguments.out / "handsoff-tiny" / str(side)
    model.parent.mkdir(exist_ok=True)
    shutil.rmtree(model, ignore_errors=True)
    shutil.copytree(out / str(side) / "best", model)
    frozen = load_generator(model)
    training, held_out = (prepared(arguments.work, part, side) for part in ("training", "held-out"))
    judge = load_judge(arguments.work / JUDGE)
    distance = sample_distance(frozen, judge, training, held_out)
    log = json.loads((out / str(side) / "log.json").read_text(encoding="utf-8"))
    second_half = [entry for entry in log["kid"] if 2 * entry["step"] >= frozen.settings.steps]
    seen = min(second_half, key=lambda entry: entry["kid"])["images"]
    recipe = {
        "what": "HandsOff base of Selvedge, trained on drawn product pictures only",
        "command": "python -m benchmarks.handsoff_data --out DIR; "
        f"python -m benchmarks.handsoff_base --work DIR --out OUT {_given(arguments)}",
        "drawn": {"seed": SEED, "style": "studio", "ids": {name: [ids[0], ids[-1]] for name, ids in PARTS.items()}},
        "snapshot": "least KID of the second half of the training",
        "begins from": log["start"] or "random weights",
        "device": torch.cuda.get_device_name() if torch.cuda.is_available() else "cpu",
        "settings": frozen.settings.to_dict(),
        "digests": {"model": frozen.digest, "judge": judge.digest, "data": training.digest},
        "figures": {"kid": asdict(distance), "images seen": seen},
        "kid over time": log["kid"],
    }
    # JSON is YAML, and a machine that trains may have no writer of the other kind.
    (model / "recipe.yaml").write_text(json.dumps(recipe, indent=1) + "\n", encoding="utf-8")
    grid(frozen, out / f"samples-{side}.png", SETTINGS.samples)


def _given(arguments: argparse.Namespace) -> str:
    """The options that decide what is trained, as they were typed."""
    words = [f"--sides {' '.join(map(str, arguments.sides))}", f"--minutes {arguments.minutes:g}"]
    for name, usual in (("batch", 0), ("penalty", None), ("seed", 0)):
        value = getattr(arguments, name)
        words += [] if value == usual else [f"--{name} {value}"]
    return " ".join(words)


def write_card(tiny: Path) -> None:
    """README.md of the folder, from the recipes in it; the limits of an earlier card, written by a person, stay."""
    rows = []
    for file in sorted(tiny.glob("*/recipe.yaml"), key=lambda file: int(file.parent.name)):
        recipe = json.loads(file.read_text(encoding="utf-8"))
        figures, kid = recipe["figures"], recipe["figures"]["kid"]
        parameters = sum(p.numel() for p in load_generator(file.parent).generator.parameters()) / 1e6
        rows.append(
            f"| {file.parent.name} | {parameters:.2f} M | {figures['images seen']:,.0f} | {kid['samples']:.4f} "
            f"| {kid['floor']:.4f} |"
        )
    numbers = {"products": len(PARTS["training"]), "held_out": len(PARTS["held-out"])}
    card = tiny / "README.md"
    _, heading, limits = card.read_text(encoding="utf-8").partition("## Limits") if card.exists() else ("", "", "")
    text = CARD.format(rows="\n".join(rows), **numbers) + (heading + limits or LIMITS)
    card.write_text(text, encoding="utf-8")
    print("\n".join(rows), flush=True)


def trial(arguments: argparse.Namespace) -> None:
    """Three weights of the penalties side by side, each in a process of its own, and the last KID of each."""
    command = [*COMMAND, "--work", str(arguments.work), "--out",
               str(arguments.out), "--minutes", str(arguments.minutes), "--batch", str(arguments.batch or 0),
               *(["--no-replay"] if not arguments.replay else [])]  # fmt: skip
    runs = [subprocess.Popen([*command, "--trial-penalty", str(penalty)]) for penalty in TRIAL_PENALTIES]
    for run in runs:
        run.wait()
    for penalty in TRIAL_PENALTIES:
        file = arguments.out / f"trial-{penalty}" / "log.json"
        log = json.loads(file.read_text(encoding="utf-8")) if file.exists() else None
        print(f"penalty {penalty}:", "no result" if log is None else
              [(entry["images"], round(entry["kid"], 4)) for entry in log["kid"]], flush=True)  # fmt: skip


def make(arguments: argparse.Namespace) -> None:
    """Both bases, each published as soon as it is trained, so that a machine that is taken away loses one at most."""
    tiny = arguments.out / "handsoff-tiny"
    for side in arguments.sides:
        penalty = None if arguments.penalty is None else arguments.penalty * (side / 64) ** 2
        train_side(arguments, side, penalty, str(side))
        publish(arguments, side)
        shutil.copy(arguments.work / JUDGE, tiny / JUDGE)
        write_card(tiny)
    size = sum(file.stat().st_size for file in tiny.rglob("*") if file.is_file())
    print(f"handsoff-tiny: {size / 1e6:.1f} MB")


def parsed(words: Sequence[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--work", type=Path, default=Path(".cache/handsoff"), help="pack and judge of handsoff_data")
    parser.add_argument("--out", type=Path, default=Path(".selvedge/handsoff"), help="where everything goes")
    parser.add_argument("--card", type=Path, metavar="FOLDER", help="only write the card of the bases in FOLDER")
    parser.add_argument("--sides", type=int, nargs="+", default=[64, 128], help="pixels, in the order of training")
    parser.add_argument("--minutes", type=float, default=4.0, help="of training at each side")
    parser.add_argument("--batch", type=int, default=0, help=f"pictures a step; {SETTINGS.batch_size} by default")
    parser.add_argument("--penalty", type=float, help="weight of R1 and R2 at 64 pixels")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--kid-pictures", type=int, default=KID_PICTURES, help="a side, for the choice of the snapshot")
    parser.add_argument("--trial", action="store_true", help="three weights of the penalties side by side at 64 pixels")
    parser.add_argument("--no-replay", dest="replay", action="store_false", help="do not record steps")
    parser.add_argument("--probe", action="store_true", help=argparse.SUPPRESS)
    parser.add_argument("--trial-penalty", type=float, help=argparse.SUPPRESS)
    return parser.parse_args(words)


def main() -> None:
    arguments = parsed()
    if arguments.card:
        return write_card(arguments.card)
    torch.backends.cudnn.benchmark = True
    torch.set_float32_matmul_precision("high")
    for name in (PACK, JUDGE):
        if not (arguments.work / name).is_file():
            raise SelvedgeError(f"{arguments.work / name} is missing; run `python -m benchmarks.handsoff_data` first.")
    if arguments.probe:
        return probe(arguments)
    if arguments.trial_penalty is not None:
        train_side(arguments, 64, arguments.trial_penalty, f"trial-{arguments.trial_penalty}")
        return None
    arguments.out.mkdir(parents=True, exist_ok=True)
    prepared(arguments.work, "training", 64)
    arguments.replay = arguments.replay and replay_or_not(arguments)
    return trial(arguments) if arguments.trial else make(arguments)


if __name__ == "__main__":
    main()
