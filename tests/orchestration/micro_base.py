"""A BLIP-2 base of random weights, small enough to be adapted in a second, and settings that do so."""

from dataclasses import replace
from pathlib import Path

import torch
import yaml

from catalog.schema import load_schema
from training.blip2.base import build_model, save_base
from training.blip2.profiles import TINY
from training.blip2.tokenizer import train_tokenizer

MICRO = replace(
    TINY,
    vision=TINY.vision
    | {"hidden_size": 24, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 32, "image_size": 32},
    qformer=TINY.qformer
    | {"hidden_size": 24, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 32}
    | {"encoder_hidden_size": 24},
    text=TINY.text | {"d_model": 24, "d_kv": 8, "d_ff": 32, "num_layers": 1, "num_decoder_layers": 1, "num_heads": 2},
    stem_channels=(8, 8, 16, 24),
    queries=4,
    preprocessing=replace(TINY.preprocessing, size=32),
)


def save_micro_base(folder: Path) -> Path:
    """A base that answers differently from picture to picture."""
    torch.manual_seed(0)
    schema = load_schema()
    texts = [schema.answer(name, value) for name, one in schema.attributes.items() for value in one.vocabulary]
    texts += [schema.question(name, article) for name in schema.attributes for article in schema.article_types]
    tokenizer = train_tokenizer(texts, 1024)
    model = build_model(MICRO, len(tokenizer))
    with torch.no_grad():
        for weight in model.parameters():
            if weight.dim() > 1:
                weight.normal_(std=1.5 * weight[0].numel() ** -0.5)
    save_base(
        folder, model, tokenizer, MICRO.preprocessing, MICRO.prompt, {"seed": 0}, profile=MICRO, dtype=torch.float32
    )
    return folder


def save_micro_settings(file: Path, base: Path, steps: int = 12, **lora: object) -> Path:
    """Training settings that take a second or two, as YAML."""
    settings = {
        "base": str(base),
        "risk": 0.99,  # noise is never sure: with less it would answer nothing, and a round has nothing to show
        "lora": {"steps": steps, "batch_size": 8, "views": 1, "validate_every": 6, "checkpoint_every": 4}
        | {"warmup_steps": 2, "precision": "fp32", **lora},
    }
    file.write_text(yaml.safe_dump(settings))
    return file
