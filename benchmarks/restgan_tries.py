"""What was tried against (e)'s distance to real pictures: ReStGAN at 32 pixels with one setting changed.

Belongs here: the changes and their table. Not here: the ladder, which no outcome of this changed.

Run: `python -m benchmarks.restgan_tries --out DIR` after the ladder's drawn runs in the same DIR; 3.5 minutes of one
core a training, and a killed one goes on where it was.
"""

import argparse
import json
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from itertools import product
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np
import torch

from benchmarks.restgan_runs import COSTS, DRAWN, Run, distance, finish, ground
from training.restgan.loop import train_restgan
from training.restgan.pretraining import Lines

SEEDS = (1, 2, 3)
TRIES: dict[str, dict[str, Any]] = {
    "as it is": {},
    "text encoder learns four times as fast": {"text_rate": 2e-3},
    "words always in title order": {"shuffled": 0.0},
}


def last_distance(what: str, seed: int, out: Path) -> float:
    """KID of one training at its end; of the ladder's own where nothing is changed."""
    torch.set_num_threads(1)
    run = Run(DRAWN, "restgan", seed)
    if not TRIES[what]:
        finish(run, out)
        return float(json.loads((out / "runs" / run.name / COSTS).read_text())[-1]["kid"])
    folder = out / "tries" / f"{what.replace(' ', '-')}-{seed}"
    bottoms, judge, queries = ground(DRAWN, run.side, out)
    settings = replace(run.settings, images=run.scale.legs[-1], **TRIES[what])
    return distance(train_restgan(bottoms, settings, folder, Lines(folder.name)).load(), judge, queries)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=Path(".selvedge/restgan-ladder"), help="folder of restgan_runs")
    parser.add_argument("--workers", type=int, default=2, help="trainings side by side, one thread each")
    arguments = parser.parse_args()
    with ProcessPoolExecutor(arguments.workers, mp_context=get_context("spawn")) as pool:
        waiting = {(what, seed): pool.submit(last_distance, what, seed, arguments.out)
                   for what, seed in product(TRIES, SEEDS)}  # fmt: skip
        found = {key: 1000 * future.result() for key, future in waiting.items()}
    print(f"| KID ×1000 after the last leg | mean | {' | '.join(f'seed {seed}' for seed in SEEDS)} |")
    print("|---" * (2 + len(SEEDS)) + "|")
    for what in TRIES:
        values = [found[what, seed] for seed in SEEDS]
        print(f"| {what} | {np.mean(values):.1f} | {' | '.join(f'{value:.1f}' for value in values)} |")


if __name__ == "__main__":
    main()
