"""One more word: how long until the new picture is there, against drawing what was typed so far with StackGAN.

Belongs here: the two, timed in turns in one process on the same words and noise, one picture at a time, on the CPU.
ReStGAN keeps the state after every word and adds one; the StackGAN of this repository reads all words again.

Without folders the weights are those of the model that ships, and random ones of the same settings for StackGAN: how
long a picture takes does not depend on them. Run: `python -m benchmarks.refinement_speed`.
"""

import argparse
import time
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import torch

from training.restgan.candidate import base_folder
from training.restgan.sampling import RestganModel, build_networks, load_artefact
from training.restgan.words import stack_queries

QUERIES = (
    ("women", "black", "pants", "striped"), ("men", "navy blue", "jeans", "denim"),
    ("unisex", "red", "shorts", "cotton"),
)  # fmt: skip
SHIPPED = "restgan-tiny"
TARGET_MS = 50.0


def measure(restgan: RestganModel, stackgan: RestganModel, rounds: int) -> dict[str, np.ndarray]:
    """Milliseconds of every further word (the second to the last of each query): ReStGAN's step, StackGAN's sample."""
    taken: dict[str, list[float]] = {"restgan": [], "stackgan": []}
    for turn in range(rounds + 1):
        for words in QUERIES:
            query = restgan.refinement(seed=turn)
            query.add(words[0])
            for count in range(2, len(words) + 1):
                found = {
                    "restgan": _milliseconds(partial(query.add, words[count - 1])),
                    "stackgan": _milliseconds(partial(sample, stackgan, words[:count], turn)),
                }
                if turn:  # the first round is for caches
                    for name, value in found.items():
                        taken[name].append(value)
    return {name: np.array(values) for name, values in taken.items()}


def sample(model: RestganModel, words: tuple[str, ...], seed: int) -> np.ndarray:
    """(side, side, 3) uint8: one picture of all the words, read from the first."""
    batch = stack_queries([model.encode(list(words))])
    return model.draw_last(batch["words"], batch["colour_words"], batch["lengths"], model.noise(1, seed))[0]


def untrained(like: RestganModel, variant: str) -> RestganModel:
    """Random weights of another rung, all other settings and the words the same."""
    settings = replace(like.settings, variant=variant)  # type: ignore[arg-type]
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        networks = build_networks(settings, like.vocabulary, like.colours)
    return RestganModel(settings, *networks, like.vocabulary, like.colours)


def _milliseconds(draw: Callable[[], np.ndarray]) -> float:
    started = time.perf_counter()
    draw()
    return 1000 * (time.perf_counter() - started)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--restgan", type=Path, help="artefact of a ReStGAN; the one that ships otherwise")
    parser.add_argument("--stackgan", type=Path, help="artefact of a StackGAN; random weights otherwise")
    parser.add_argument("--rounds", type=int, default=30)
    arguments = parser.parse_args()
    restgan = load_artefact(arguments.restgan or base_folder(SHIPPED))
    stackgan = load_artefact(arguments.stackgan) if arguments.stackgan else untrained(restgan, "stackgan")
    if restgan.side != stackgan.side:
        raise SystemExit(f"ReStGAN draws {restgan.side} pixels and StackGAN {stackgan.side}; give two of one side.")
    taken = measure(restgan, stackgan, arguments.rounds)
    middle = {name: float(np.median(values)) for name, values in taken.items()}
    print(f"one more word, one picture, {restgan.side} px, CPU, {torch.get_num_threads()} threads, "
          f"{len(taken['restgan'])} words")  # fmt: skip
    for name, what in (("stackgan", "StackGAN, all words anew"), ("restgan", "ReStGAN, one word more")):
        ratio = f"{middle[name] / middle['stackgan']:6.2f}x" if name == "restgan" else ""
        print(f"  {what:26} median {middle[name]:6.1f} ms, p95 {np.quantile(taken[name], 0.95):6.1f} ms {ratio}")
    print(f"target: at most {TARGET_MS:.0f} ms median: {'met' if middle['restgan'] <= TARGET_MS else 'missed'}")


if __name__ == "__main__":
    main()
