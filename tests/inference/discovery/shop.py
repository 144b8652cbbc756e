"""A shop to discover: a tiny model with a judge, and a catalogue directory of two-legged shapes.

Belongs here: what the tests of the index, the page and the command share. Not here: tests.
"""

from pathlib import Path

import pandas as pd
import torch

from inference.discovery.model import DiscoveryModel, load_model
from tests.inference.tiny_restgan import save_tiny_restgan
from tests.training.restgan.shop import open_shop
from tests.training.restgan.synthetic import synthetic_colours
from training.attribute_judge import JUDGE_FILE, AttributeJudge, AttributeScore, save_judge
from training.attribute_network import AttributeClassifier
from training.restgan.words import GENDERS, TYPES

SCORE = AttributeScore(0.9, 0.8, 1.0, 0.4, 0.05, 100, 1.0)


def random_judge(seed: int = 0) -> AttributeJudge:
    """A judge that learnt nothing: alike pictures have alike features all the same."""
    classes = {"type": list(TYPES), "colour": [str(c) for c in range(len(synthetic_colours().names))]}
    classes["gender"] = list(GENDERS)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        network = AttributeClassifier(classes, {}, size=32, width=4, architecture="separable")
    return AttributeJudge(network, dict.fromkeys(classes, 1.0), dict.fromkeys(classes, SCORE), "synthetic")


def save_model(folder: Path, seed: int = 0, judge_seed: int = 0) -> Path:
    """An artefact as a candidate leaves it, generator and judge."""
    save_tiny_restgan(folder, seed)
    save_judge(random_judge(judge_seed), folder / JUDGE_FILE)
    return folder


def tiny_model(folder: Path, seed: int = 0, judge_seed: int = 0) -> DiscoveryModel:
    """The same, loaded as version `seed` of the registry."""
    return load_model(save_model(folder, seed, judge_seed), f"models:/restgan/{seed}")


def shop_tables(folder: Path, count: int = 12, drop: str = "d1", seed: int = 0) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Tables products and images of one drop."""
    shop = open_shop(folder, count, seed)
    return shop.products.assign(drop=drop), shop.images.assign(drop=drop)


def changed_picture(images: pd.DataFrame, row: int, source: int) -> pd.DataFrame:
    """The images with the picture of one product in place of another's."""
    changed = images.copy()
    for column in ("uri", "sha256"):
        changed.loc[row, column] = images[column].iloc[source]
    return changed
