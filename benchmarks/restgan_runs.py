"""The runs behind the ReStGAN ladder: data sets, judges, every training, and what each of them draws.

Belongs here: the long part, done once and kept in OUT; a killed run goes on where it was. Not here: the figures made of
it and their table (restgan_ladder.py).

Same for all rungs: data, images seen, batch, rates, losses' weights, noise, queries. No rung was tuned; the settings
are the defaults of training/restgan/settings.py, in bf16. Trainings go in legs, so that the distance to real pictures
is known on the way; two trainings run side by side with one thread each.

Run: `python -m benchmarks.restgan_runs --out DIR [--photographs]`; the photographs of SELVEDGE_PHOTOGRAPHS never enter
the project, and neither do pictures made from them.
"""

import argparse
import json
import os
import sys
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass, replace
from multiprocessing import get_context
from pathlib import Path

import numpy as np
import torch
from safetensors.numpy import load_file, save

from catalog.tables import publish_bytes
from catalog.workspace import read_into
from evaluation.generation import kernel_distance
from training.restgan import pretraining
from training.restgan.dataset import Bottoms, read_bottoms
from training.restgan.judge import Judge, load_judge
from training.restgan.loop import train_restgan
from training.restgan.pretraining import SETTINGS, Lines, bottoms_and_judge, draw_bottoms
from training.restgan.samples import Queries, choose_queries, draw_samples
from training.restgan.sampling import RestganModel, load_artefact
from training.restgan.settings import VARIANTS, RestganSettings

PHOTOGRAPHS = Path(os.environ.get("SELVEDGE_PHOTOGRAPHS", Path(__file__).resolve().parents[2] / "shared" / "data"))
DRAWN, REAL = "drawn", "photographs"
SHARES = {DRAWN: pretraining.SHARES, REAL: (0.5, 0.25, 0.25)}  # of groups: train, judge, test
SEEDS = {DRAWN: 5, REAL: 3}
LEGS = (20_000, 40_000, 60_000, 80_000, 100_000)
STAGE_TWO = ("restgan", "stackgan")
STAGE_TWO_LEGS = (50_000, 100_000)
SAMPLES, COSTS = "samples.safetensors", "costs.json"


@dataclass(frozen=True)
class Run:
    """One training of the ladder. stages: 1 draws at 32 pixels; 2 adds 64 pixels on the same data."""

    data: str
    variant: str
    seed: int
    stages: int = 1

    @property
    def name(self) -> str:
        return f"{self.data}-{self.variant}-{self.stages}-{self.seed}"

    @property
    def settings(self) -> RestganSettings:
        return replace(SETTINGS, variant=self.variant, stages=self.stages, seed=self.seed)  # type: ignore[arg-type]


def runs(data: str) -> list[Run]:
    """All runs on one data set, a whole ladder before the next seed begins; the longest, with two stages, around it."""
    ladder = [Run(data, variant, seed) for seed in range(SEEDS[data]) for variant in VARIANTS]
    first, *others = [Run(data, variant, 0, stages=2) for variant in STAGE_TWO]
    return [first, *ladder, *others]


def prepare(data: str, out: Path) -> None:
    """Catalogue, data sets at 32 and 64 pixels and their judges, what of it is not there yet."""
    torch.set_num_threads(2)
    work = out / data
    tables = work / "catalogue"
    if data == DRAWN:
        draw_bottoms(work)
    elif not (tables / "products.parquet").exists():
        read_into(str(PHOTOGRAPHS / "kaggle-bottoms-60x80"), "drop-1", tables)
    for size in (32, 64):
        bottoms_and_judge(tables, size, SHARES[data], work)


def ground(data: str, stages: int, out: Path) -> tuple[Bottoms, Judge, Queries]:
    """The data set of a run, the judge of its pictures, and what models are asked."""
    size = 32 << (stages - 1)
    bottoms = read_bottoms(out / data / f"bottoms-{size}")
    return bottoms, load_judge(out / data / f"judge-{size}.safetensors"), choose_queries(bottoms.of("test"))


def finish(run: Run, out: Path) -> str:
    """Train in legs, note KID and CPU seconds after each, draw and keep the samples. Nothing where all is there."""
    folder = out / "runs" / run.name
    if (folder / SAMPLES).exists():
        return run.name
    torch.set_num_threads(1)
    bottoms, judge, queries = ground(run.data, run.stages, out)
    costs = json.loads((folder / COSTS).read_text()) if (folder / COSTS).exists() else []
    legs = LEGS if run.stages == 1 else STAGE_TWO_LEGS
    for images in legs[len(costs) :]:
        result = train_restgan(bottoms, replace(run.settings, images=images), folder, Lines(run.name))
        seconds = result.cpu_seconds - sum(leg["cpu_seconds"] for leg in costs)
        costs.append(
            {"images": images, "cpu_seconds": round(seconds, 1), "kid": _distance(result.load(), judge, queries)}
        )
        publish_bytes(json.dumps(costs).encode(), folder / COSTS)
    samples = draw_samples(load_artefact(folder / "model"), judge, queries)
    publish_bytes(save({name: np.ascontiguousarray(one) for name, one in samples.items()}), folder / SAMPLES)
    return run.name


def kept_samples(run: Run, out: Path) -> dict[str, np.ndarray] | None:
    """What `finish` drew; None for a run that is not finished."""
    place = out / "runs" / run.name / SAMPLES
    return load_file(place) if place.exists() else None


def _distance(model: RestganModel, judge: Judge, queries: Queries) -> float:
    some = queries.held_out
    real = judge.features(some.pictures)
    drawn = model.draw_last(some.words, some.colour_words, some.lengths, model.noise(len(some), 0))
    return kernel_distance(real, judge.features(drawn))


def all_runs(data: list[str]) -> Iterator[Run]:
    """Runs of several data sets in turns, so that a ladder that is stopped early has whole rows of each."""
    left = [runs(name) for name in data]
    for place in range(max(map(len, left))):
        yield from (some[place] for some in left if place < len(some))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=Path(".selvedge/restgan-ladder"), help="where everything is kept")
    parser.add_argument("--photographs", action="store_true", help="also on the photographs of SELVEDGE_PHOTOGRAPHS")
    parser.add_argument("--workers", type=int, default=2, help="trainings side by side, one thread each")
    arguments = parser.parse_args()
    data = [DRAWN, *([REAL] if arguments.photographs else [])]
    for name in data:
        prepare(name, arguments.out)
    with ProcessPoolExecutor(arguments.workers, mp_context=get_context("spawn")) as pool:
        waiting = [pool.submit(finish, run, arguments.out) for run in all_runs(data)]
        for done, future in enumerate(as_completed(waiting), 1):
            print(f"{done} of {len(waiting)}: {future.result()}", file=sys.stderr, flush=True)


if __name__ == "__main__":
    main()
