"""A whole attribute model of random weights, small enough to build in a test, and a drawn shop to ask it about."""

import hashlib
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from PIL import Image

from catalog.schema import AttributeSchema
from training.blip2.adapter import attach_new, detach, save_adapter
from training.blip2.artefact import save_artefact
from training.blip2.base import build_model, load_base, save_base
from training.blip2.calibration import AttributeCalibration, Calibration
from training.blip2.profiles import TINY
from training.blip2.settings import LoraSettings
from training.blip2.tokenizer import train_tokenizer

SMALL = replace(
    TINY,
    vision=dict(
        TINY.vision, hidden_size=24, num_hidden_layers=1, num_attention_heads=2, intermediate_size=32, image_size=32,
    ),
    qformer=dict(
        TINY.qformer, hidden_size=24, num_hidden_layers=1, num_attention_heads=2, intermediate_size=32,
        encoder_hidden_size=24,
    ),
    text=dict(TINY.text, d_model=24, d_kv=8, d_ff=32, num_layers=1, num_decoder_layers=1, num_heads=2),
    stem_channels=(8, 8, 16, 24),
    queries=4,
    preprocessing=replace(TINY.preprocessing, size=32),
)  # fmt: skip


def save_tiny_artefact(folder: Path, schema: AttributeSchema, question_set: str, seed: int = 0) -> Path:
    """An artefact with its base inside; the adapter is random too, so that another seed answers differently."""
    torch.manual_seed(seed)
    texts = [schema.answer(name, value) for name, one in schema.attributes.items() for value in one.vocabulary]
    texts += [schema.question(name, article) for name in schema.attributes for article in schema.article_types]
    tokenizer = train_tokenizer(texts, 1024)
    model = build_model(SMALL, len(tokenizer))
    with torch.no_grad():  # large enough for answers to differ from picture to picture
        for weight in model.parameters():
            if weight.dim() > 1:
                weight.normal_(std=1.5 * weight[0].numel() ** -0.5)
    base_folder = folder.with_name(f"{folder.name}-base")
    save_base(
        base_folder,
        model,
        tokenizer,
        SMALL.preprocessing,
        SMALL.prompt,
        {"seed": seed},
        profile=SMALL,
        dtype=torch.float32,
    )
    base = load_base(base_folder)
    adapted = attach_new(base, LoraSettings())
    with torch.no_grad():
        for name, weight in adapted.named_parameters():
            if "lora_B" in name:
                weight.normal_(std=0.5)
    save_adapter(adapted, folder.with_name(f"{folder.name}-adapter"))
    detach(adapted)
    one = AttributeCalibration(temperature=1.0, threshold=0.2, rows=100, coverage=0.5, error=0.1, calibration_error=0.0)
    names = schema.question_set(question_set).attributes
    kept = schema.narrowed(
        {n: dict.fromkeys(schema.attributes[n].vocabulary, schema.article_types) for n in names}, question_set
    )
    calibration = Calibration(0.1, dict.fromkeys(names, one))
    save_artefact(folder, base, folder.with_name(f"{folder.name}-adapter"), kept, question_set, "trie", calibration)
    return folder


def draw_shop(folder: Path, article_types: list[str]) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Tables products and images of coloured noise, one product per article type."""
    products, images = [], []
    for product_id, article_type in enumerate(article_types, start=1):
        products.append({"drop": "d1", "product_id": product_id, "article_type": article_type, "gender": "Men"})
        images.append({"drop": "d1", "product_id": product_id} | save_picture(folder, seed=product_id))
    return pd.DataFrame(products), pd.DataFrame(images)


def save_picture(folder: Path, seed: int) -> dict[str, str]:
    """uri and sha256 of one picture."""
    noise = np.random.default_rng(seed).integers(0, 256, (6, 4, 3), dtype=np.uint8)
    path = folder / f"{seed}.jpg"
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(noise).resize((60, 80)).save(path, "JPEG", quality=92)
    return {"uri": str(path), "sha256": hashlib.sha256(path.read_bytes()).hexdigest()}
