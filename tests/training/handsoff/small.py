"""Small runs for the tests: coloured shapes on white, and settings that train in a blink."""

from pathlib import Path
from typing import Any

import numpy as np

from training.handsoff.loop import Result, train_generator
from training.handsoff.pictures import Pictures, pictures_of
from training.handsoff.settings import GeneratorSettings
from training.reporting import Silent

SIZE = 16


def shapes(n: int = 24, size: int = SIZE, seed: int = 0) -> Pictures:
    rng = np.random.default_rng(seed)
    array = np.full((n, size, size, 3), 255, np.uint8)
    for picture in array:
        top, left = rng.integers(1, size // 3, 2)
        picture[top:-top, left:-left] = rng.integers(0, 200, 3)
    return pictures_of(array, [str(row) for row in range(n)])


def settings(**changes: Any) -> GeneratorSettings:
    small = {
        "size": SIZE, "latent": 8, "generator_width": 8, "discriminator_width": 8, "images": 48, "batch_size": 8,
        "precision": "fp32", "device": "cpu", "penalty_every": 2, "report_every": 2, "sample_every": 0, "samples": 4,
        "checkpoint_every": 100,
    }  # fmt: skip
    return GeneratorSettings(**(small | changes))


def train(out: Path, pictures: Pictures | None = None, reporter: Any = None, **changes: Any) -> Result:
    return train_generator(pictures or shapes(), settings(**changes), out, reporter or Silent())
