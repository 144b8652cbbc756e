"""The runs behind the ReStGAN ladder: data sets, judges, every training, and what each of them draws.

Belongs here: the long part, done once and kept in OUT; a killed run goes on where it was. Not here: the figures made of
it and their table (restgan_ladder.py).

Same for all rungs: data, images seen, batch, rates, losses' weights, noise, queries. No rung was tuned; the settings
are the defaults of training/restgan/settings.py, in bf16. Trainings go in legs, so that the distance to real pictures
is known on the way; two trainings run side by side with one thread each. `--gpu` makes the largest pictures instead.

Run: `python -m benchmarks.restgan_runs --out DIR [--photographs | --gpu]`; the photographs of SELVEDGE_PHOTOGRAPHS
never enter the project, and neither do pictures made from them.
"""

import argparse
import json
import os
import sys
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass, replace
from itertools import zip_longest
from multiprocessing import get_context
from pathlib import Path

import numpy as np
import torch
from safetensors.numpy import load_file, save

from catalog.tables import publish_bytes
from catalog.workspace import read_into
from evaluation.generation import kernel_distance
from training.attribute_judge import AttributeJudge, load_judge
from training.restgan import pretraining
from training.restgan.dataset import Bottoms, read_bottoms
from training.restgan.loop import train_restgan
from training.restgan.pretraining import SETTINGS, ProgressLines, bottoms_and_judge, draw_bottoms
from training.restgan.samples import Queries, choose_queries, draw_samples
from training.restgan.sampling import RestganModel, load_artefact
from training.restgan.settings import VARIANTS, RestganSettings

PHOTOGRAPHS = Path(os.environ.get("SELVEDGE_PHOTOGRAPHS", Path(__file__).resolve().parents[2] / "shared" / "data"))
DRAWN, REAL = "drawn", "photographs"
SHARES = {DRAWN: pretraining.SHARES, REAL: (0.5, 0.25, 0.25)}  # of groups: train, judge, test
STAGE_TWO = ("restgan", "stackgan")
SAMPLES, COSTS = "samples.safetensors", "costs.json"


@dataclass(frozen=True)
class Scale:
    """One size of the ladder.

    Attributes:
        stages: as in `RestganSettings`. legs: images seen, in all, after each leg of a training.
        rungs: that are trained. seeds: how many of each, by data set.
        device: of the training. On a GPU a leg costs seconds by the wall, on a CPU of this process's core.
    """

    stages: int
    legs: tuple[int, ...]
    rungs: tuple[str, ...]
    seeds: Mapping[str, int]
    device: str = "cpu"


SCALES = {  # by the side of the last stage's pictures, pixels
    32: Scale(1, (20_000, 40_000, 60_000, 80_000, 100_000), tuple(VARIANTS), {DRAWN: 5, REAL: 3}),
    64: Scale(2, (50_000, 100_000), STAGE_TWO, {DRAWN: 1, REAL: 1}),
    128: Scale(2, (50_000, 100_000, 150_000), tuple(VARIANTS), {DRAWN: 1}, device="cuda"),
}


@dataclass(frozen=True)
class Run:
    """One training of the ladder. side: of the last stage's pictures, a key of SCALES."""

    data: str
    variant: str
    seed: int
    side: int = 32

    @property
    def name(self) -> str:
        return f"{self.data}-{self.variant}-{self.side}-{self.seed}"

    @property
    def scale(self) -> Scale:
        return SCALES[self.side]

    @property
    def settings(self) -> RestganSettings:
        own = self.scale
        size = self.side >> (own.stages - 1)
        base = replace(SETTINGS, size=size, stages=own.stages, device=own.device, seed=self.seed)
        return replace(base, variant=self.variant)  # type: ignore[arg-type]


def runs(data: str, side: int) -> list[Run]:
    """All runs on one data set at one side, a whole ladder before the next seed begins."""
    scale = SCALES[side]
    return [Run(data, variant, seed, side) for seed in range(scale.seeds.get(data, 0)) for variant in scale.rungs]


def prepare(data: str, sides: Sequence[int], out: Path) -> None:
    """Catalogue, data sets of these sides and their judges, what of it is not there yet."""
    torch.set_num_threads(2)
    work = out / data
    tables = work / "catalogue"
    made = all((work / f"bottoms-{side}").exists() for side in sides)
    if data == DRAWN and not made:
        draw_bottoms(work)
    elif not made and not (tables / "products.parquet").exists():
        read_into(str(PHOTOGRAPHS / "kaggle-bottoms-60x80"), "drop-1", tables)
    for side in sides:
        bottoms_and_judge(tables, side, SHARES[data], work)


def ground(data: str, side: int, out: Path, device: str = "cpu") -> tuple[Bottoms, AttributeJudge, Queries]:
    """The data set of a run, the judge of its pictures, and what models are asked."""
    bottoms = read_bottoms(out / data / f"bottoms-{side}")
    return bottoms, load_judge(out / data / f"judge-{side}.safetensors", device), choose_queries(bottoms.of("test"))


def finish(run: Run, out: Path) -> str:
    """Train in legs, note KID and the cost after each, draw and keep the samples. Nothing where all is there."""
    folder, device = out / "runs" / run.name, run.scale.device
    if (folder / SAMPLES).exists():
        return run.name
    torch.set_num_threads(1)
    bottoms, judge, queries = ground(run.data, run.side, out, device)
    costs = json.loads((folder / COSTS).read_text()) if (folder / COSTS).exists() else []
    for images in run.scale.legs[len(costs) :]:
        result = train_restgan(bottoms, replace(run.settings, images=images), folder, ProgressLines(run.name))
        spent = result.cpu_seconds if device == "cpu" else result.seconds
        kid = _distance(load_artefact(result.artefact, device=device), judge, queries)
        costs.append({"images": images, "seconds": round(spent - sum(leg["seconds"] for leg in costs), 1), "kid": kid})
        publish_bytes(json.dumps(costs).encode(), folder / COSTS)
    samples = draw_samples(load_artefact(folder / "model", device=device), judge, queries)
    publish_bytes(save({name: np.ascontiguousarray(one) for name, one in samples.items()}), folder / SAMPLES)
    return run.name


def kept_samples(run: Run, out: Path) -> dict[str, np.ndarray] | None:
    """What `finish` drew; None for a run that is not finished."""
    place = out / "runs" / run.name / SAMPLES
    return load_file(place) if place.exists() else None


def _distance(model: RestganModel, judge: AttributeJudge, queries: Queries) -> float:
    """KID of what a model draws for all held-out queries, on the judge's features."""
    some = queries.held_out
    real = judge.features(some.pictures)
    drawn = model.draw_last(some.words, some.colour_words, some.lengths, model.noise(len(some), 0))
    return kernel_distance(real, judge.features(drawn))


def all_runs(data: Sequence[str], sides: Sequence[int]) -> Iterator[Run]:
    """Runs in turns, so that a ladder that is stopped early has whole rows; the longest begin first."""
    queues = [runs(name, side) for side in sorted(sides, reverse=True) for name in data]
    for turn in zip_longest(*queues):
        yield from (run for run in turn if run is not None)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=Path(".selvedge/restgan-ladder"), help="where everything is kept")
    parser.add_argument("--photographs", action="store_true", help="also on the photographs of SELVEDGE_PHOTOGRAPHS")
    parser.add_argument("--gpu", action="store_true", help="the runs at 128 pixels, on a GPU, instead of the others")
    parser.add_argument("--workers", type=int, default=2, help="trainings side by side, one thread each")
    arguments = parser.parse_args()
    sides = [side for side, scale in SCALES.items() if (scale.device != "cpu") == arguments.gpu]
    if arguments.gpu and not torch.cuda.is_available():
        raise SystemExit("restgan_runs: --gpu needs a CUDA device, and torch sees none on this machine.")
    data = [DRAWN, *([REAL] if arguments.photographs else [])]
    for name in data:
        if some := [side for side in sides if runs(name, side)]:
            prepare(name, some, arguments.out)
    with ProcessPoolExecutor(arguments.workers, mp_context=get_context("spawn")) as pool:
        waiting = [pool.submit(finish, run, arguments.out) for run in all_runs(data, sides)]
        for done, future in enumerate(as_completed(waiting), 1):
            print(f"{done} of {len(waiting)}: {future.result()}", file=sys.stderr, flush=True)


if __name__ == "__main__":
    main()
