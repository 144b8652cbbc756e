"""An attribute model on the base that ships, with an adapter of random weights, and drawn products to ask it about."""

from pathlib import Path

import pandas as pd
import torch

from catalog.drawn.catalogue import draw_catalogue
from catalog.reading import read_catalogue
from catalog.schema import load_schema
from training.blip2.adapter import attach_new, save_adapter
from training.blip2.artefact import save_artefact
from training.blip2.base import load_base
from training.blip2.calibration import AttributeCalibration, Calibration
from training.blip2.settings import LoraSettings

QUESTIONS = "details"


def save_on_shipped_base(folder: Path) -> Path:
    """The artefact; it answers at random, and as surely as any."""
    torch.manual_seed(0)
    base, schema = load_base("tiny"), load_schema()
    adapted = attach_new(base, LoraSettings())
    with torch.no_grad():
        for name, weight in adapted.named_parameters():
            if "lora_B" in name:
                weight.normal_(std=0.05)
    adapter = folder.with_name(f"{folder.name}-adapter")
    save_adapter(adapted, adapter)
    names = schema.question_set(QUESTIONS).attributes
    vocabularies = {name: dict.fromkeys(schema.attributes[name].vocabulary, schema.article_types) for name in names}
    one = AttributeCalibration(temperature=1.0, threshold=0.2, rows=100, coverage=0.5, error=0.1, calibration_error=0.0)
    calibration = Calibration(0.1, dict.fromkeys(names, one))
    save_artefact(folder, base, adapter, schema.narrowed(vocabularies, QUESTIONS), QUESTIONS, "trie", calibration)
    return folder


def drawn_products(folder: Path, count: int) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Tables products and images of a drawn catalogue; every tenth product has the picture of the one before it."""
    draw_catalogue(folder, count, 7, size=128, workers=1)
    products = read_catalogue(str(folder), "drawn").products.to_pandas()
    pictures = products[["image_uri", "image_sha256"]].copy()
    pictures[9::10] = pictures[8::10].to_numpy()[: len(pictures[9::10])]
    images = products[["drop", "product_id"]].assign(uri=pictures["image_uri"], sha256=pictures["image_sha256"])
    return products, images
