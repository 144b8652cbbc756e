"""A base of BLIP-2 that is small enough for tests: random weights, every part of the real one."""

import hashlib
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from PIL import Image

from catalog.schema import AttributeSchema
from training.blip2.base import Base, build_model, load_base, save_base
from training.blip2.features import FeatureStore, compute_features
from training.blip2.preprocessing import Preprocessing
from training.blip2.profiles import TINY
from training.blip2.tokenizer import train_tokenizer

SMALL = replace(
    TINY,
    vision=TINY.vision
    # Weights far larger than one would start training from: otherwise all pictures look the same to them.
    | dict(hidden_size=48, intermediate_size=96, num_hidden_layers=2, num_attention_heads=4, image_size=64)
    | dict(initializer_range=0.5),
    qformer=TINY.qformer
    | dict(hidden_size=48, num_hidden_layers=2, num_attention_heads=4, intermediate_size=64, encoder_hidden_size=48)
    | dict(initializer_range=0.5),
    text=TINY.text
    | dict(vocab_size=400, d_model=48, d_kv=16, d_ff=64, num_layers=2, num_decoder_layers=3, num_heads=3),
    stem_channels=(8, 16, 32, 48),
    queries=8,
    preprocessing=Preprocessing(64, (0.5, 0.5, 0.5), (0.5, 0.5, 0.5)),
)
COLOURS = {"Red": (200, 30, 30), "Green": (30, 190, 40), "Navy Blue": (20, 30, 110), "Blue": (40, 60, 230)}
PATTERNS = ("Solid", "Striped")
QUESTIONS = {
    "Colour": "What is the colour of the shirt in this picture?",
    "Pattern": "What is the pattern of the shirt in this picture?",
}


@dataclass(frozen=True)
class Shop:
    """Pictures on disk and the pairs about them."""

    items: list[tuple[str, str]]
    pairs: pd.DataFrame


def schema() -> AttributeSchema:
    """Of the shop: both attributes with all their values."""
    attributes = {
        name: {
            "sources": ["json:x"],
            "applies_to": ["Shirts"],
            "question": question,
            "vocabulary": values,
            "synonyms": {},
        }
        for (name, question), values in zip(QUESTIONS.items(), (list(COLOURS), list(PATTERNS)), strict=True)
    }
    sets = {"details": {"attributes": list(attributes), "given": ["article_type"], "minimum_products": 1}}
    return AttributeSchema.from_dict(
        {"format": 1, "article_types": {"Shirts": "shirt"}, "attributes": attributes, "question_sets": sets}
    )


@pytest.fixture(autouse=True, scope="session")
def one_thread():
    torch.set_num_threads(1)


@pytest.fixture(scope="session")
def base_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("models") / SMALL.folder
    torch.manual_seed(7)
    tokenizer = train_tokenizer(
        ["a red circle above the blue square in this picture", "what is the shape of it"] * 9, 400
    )
    save_base(folder, build_model(SMALL), tokenizer, SMALL.preprocessing, SMALL.prompt, {"seed": 7}, profile=SMALL)
    return folder


@pytest.fixture
def base(base_folder: Path) -> Base:
    return load_base(base_folder)


@pytest.fixture(scope="session")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Shop:
    """60 shirts in four colours, solid or striped; 40 to train on, 12 to validate, 8 to test."""
    folder, rng = tmp_path_factory.mktemp("shop"), np.random.default_rng(3)
    items, rows = [], []
    for product in range(60):
        colour, pattern = list(COLOURS)[product % 4], PATTERNS[product // 4 % 2]
        pixels = np.full((96, 72, 3), 240, np.uint8)
        pixels[16:80, 12:60] = COLOURS[colour]
        if pattern == "Striped":
            pixels[16:80:8, 12:60] = 255
        file = folder / f"{product}.png"
        Image.fromarray(pixels + rng.integers(0, 8, pixels.shape, dtype=np.uint8)).save(file)
        sha256 = hashlib.sha256(file.read_bytes()).hexdigest()
        items.append((sha256, str(file)))
        split = "train" if product < 40 else "validation" if product < 52 else "test"
        for attribute, value in (("Colour", colour), ("Pattern", pattern)):
            rows.append(
                {
                    "product_id": product,
                    "group_id": f"g{product}",
                    "split": split,
                    "attribute": attribute,
                    "question": QUESTIONS[attribute],
                    "answer": f"{attribute}: {value}",
                    "value": value,
                    "image_sha256": sha256,
                }
            )
    return Shop(items, pd.DataFrame(rows))


@pytest.fixture(scope="session")
def features_root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("features")


@pytest.fixture
def store(base: Base, shop: Shop, features_root: Path) -> FeatureStore:
    """The shop's features, two views; computed by the first test that asks."""
    store = FeatureStore(features_root, base)
    compute_features(base, shop.items, store, views=2)
    return store
