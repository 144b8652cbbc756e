"""Training of `models/person-detector`, the detector that ships.

Belongs here: its recipe, its training and its card. Not here: figures (figures.py), layers (network.py).

Run: `python -m training.person_detector.train --out models/person-detector`; some minutes of one core.
"""

import argparse
import time
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import torch
import yaml
from safetensors.torch import save_file
from torch import Tensor
from torch.nn.functional import binary_cross_entropy_with_logits

from catalog.drawn import VERSION, draw_garment, sample_spec
from catalog.drawn.world import RESERVED_SEEDS
from training.person_detector.figures import SIDE, draw_example, photographed
from training.person_detector.network import FORMAT, PersonNetwork, as_tensor, squared
from training.weights import digest_of, stored_tensors

CARD = """# person-detector

Says whether somebody wears the garment of a product photograph. Trained by Selvedge's own code on drawn figures and
drawn garments only; no photograph was used.

- {parameters:,} parameters, float32 safetensors ({kilobytes:.0f} KB); Apache-2.0.
- Input: {side} x {side} pixels. Output: one logit; a person from {threshold:.3f} on.
- Seen: {examples:,} drawings, half of them with somebody; {minutes:.0f} min of one core.
- On {tests:,} other drawings: recall {recall:.3f}, false alarms {false:.3f}. The threshold is the level that
  {share:.0%} of other drawn people pass.
- `recipe.yaml` holds the command, the settings and the digest.

## Limits

It answers for apparel on a plain or a soft background; a toy, a statue or a printed face may pass for a person.
"""


@dataclass(frozen=True)
class Recipe:
    """What the detector is made from."""

    examples: int = 10000
    tests: int = 2000
    catalogue_share: float = 0.35  # of the drawings without people: garments of the drawn catalogue
    epochs: int = 10
    batch_size: int = 64
    rate: float = 3e-3
    seed: int = RESERVED_SEEDS.start + 31
    recall: float = 0.99  # of drawn people, which sets the threshold


def draw_examples(count: int, recipe: Recipe, offset: int) -> tuple[np.ndarray, np.ndarray]:
    """(count, SIDE, SIDE, 3) uint8 pictures and (count,) float32 labels; example n is the same in every run."""
    pictures = np.empty((count, SIDE, SIDE, 3), np.uint8)
    labels = np.arange(count) % 2 == 0
    for number in range(count):
        rng = np.random.default_rng([recipe.seed, offset + number])
        if not labels[number] and rng.random() < recipe.catalogue_share:
            spec = sample_spec(recipe.seed, 10_000 + offset + number)
            picture = photographed(draw_garment(spec, SIDE, parts=False).image, rng)
        else:
            picture = draw_example(rng, bool(labels[number]))
        if rng.random() < 0.5:  # an upright photograph, as catalogues have them
            cut = SIDE // 8
            picture = squared(picture[:, cut : SIDE - cut])
        pictures[number] = picture
    return pictures, labels.astype(np.float32)


def train(recipe: Recipe, pictures: np.ndarray, labels: np.ndarray) -> PersonNetwork:
    """The network after all epochs; the same for the same examples, on one kind of machine."""
    torch.manual_seed(recipe.seed % 2**31)
    torch.set_num_threads(1)
    network = PersonNetwork()
    optimiser = torch.optim.AdamW(network.parameters(), lr=recipe.rate, weight_decay=1e-2)
    steps = recipe.epochs * (len(labels) // recipe.batch_size)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, recipe.rate, total_steps=steps)
    rng = np.random.default_rng(recipe.seed)
    for epoch in range(recipe.epochs):
        network.train()
        total = 0.0
        order = rng.permutation(len(labels))
        for start in range(0, len(order) - recipe.batch_size + 1, recipe.batch_size):
            chosen = order[start : start + recipe.batch_size]
            batch = _recoloured(as_tensor(pictures[chosen]), rng)
            loss = binary_cross_entropy_with_logits(network(batch), torch.from_numpy(labels[chosen]) * 0.96 + 0.02)
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
            schedule.step()
            total += loss.item()
        print(f"epoch {epoch + 1} of {recipe.epochs}: loss {total / (len(order) // recipe.batch_size):.4f}", flush=True)
    return network.eval()


def _recoloured(batch: Tensor, rng: np.random.Generator) -> Tensor:
    """Brightness, contrast and white balance of other cameras, mirrored half of the time."""
    if rng.random() < 0.5:
        batch = batch.flip(3)
    gain = torch.from_numpy(
        rng.uniform(0.8, 1.2, (len(batch), 1, 1, 1)) * rng.uniform(0.95, 1.05, (len(batch), 3, 1, 1))
    )
    return (batch * gain.float() + torch.from_numpy(rng.normal(0, 0.05, (len(batch), 1, 1, 1))).float()).clamp(-1, 1)


@torch.inference_mode()
def logits(network: PersonNetwork, pictures: np.ndarray) -> np.ndarray:
    """(n,) float32."""
    return np.concatenate([network(as_tensor(pictures[at : at + 256])).numpy() for at in range(0, len(pictures), 256)])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--examples", type=int, default=Recipe.examples)
    arguments = parser.parse_args()
    recipe = Recipe(examples=arguments.examples)
    started = time.monotonic()
    network = train(recipe, *draw_examples(recipe.examples, recipe, 0))
    minutes = (time.monotonic() - started) / 60
    pictures, labels = draw_examples(2 * recipe.tests, recipe, 10_000_000)
    scores = logits(network, pictures)
    tuned, tested = np.split(np.arange(len(labels)), 2)
    threshold = float(np.quantile(scores[tuned][labels[tuned] == 1], 1 - recipe.recall))
    passed = scores[tested] >= threshold
    figures = {
        "recall": float(passed[labels[tested] == 1].mean()),
        "false": float(passed[labels[tested] == 0].mean()),
    }
    save(arguments.out, network, recipe, threshold, figures, minutes)
    print(f"threshold {threshold:.3f}, {figures}")


def save(
    folder: Path, network: PersonNetwork, recipe: Recipe, threshold: float, figures: dict[str, float], minutes: float
) -> None:
    """Weights, recipe and card; files that are there are replaced."""
    folder.mkdir(parents=True, exist_ok=True)
    tensors = stored_tensors(network, torch.float32)
    digest = digest_of(tensors)
    save_file(tensors, folder / "weights.safetensors")
    about = {
        "what": "person detector of Selvedge, trained on drawn figures only",
        "command": "python -m training.person_detector.train --out models/person-detector",
        "format": FORMAT,
        "drawn": VERSION,
        "settings": asdict(recipe),
        "threshold": round(threshold, 4),
        "measured": {name: round(value, 4) for name, value in figures.items()},
        "digest": digest,
    }
    (folder / "recipe.yaml").write_text(yaml.safe_dump(about, sort_keys=False))
    card = CARD.format(
        parameters=sum(tensor.numel() for tensor in network.parameters()),
        kilobytes=(folder / "weights.safetensors").stat().st_size / 1024,
        side=SIDE, threshold=threshold, examples=recipe.examples, minutes=minutes, tests=recipe.tests,
        recall=figures["recall"], false=figures["false"], share=recipe.recall,
    )  # fmt: skip
    (folder / "README.md").write_text(card)


if __name__ == "__main__":
    main()
