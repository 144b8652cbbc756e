"""The family that proofs are made with: attributes by a model of noise, trained in a second, and a lenient gate.

Belongs here: the model, its settings and its declaration. Not here: the home that it becomes champion of (shop.py).

What is proved is the house around a model; which answers it gives does not matter, as long as they are the same again.
"""

from dataclasses import replace
from pathlib import Path

from evaluation.gate import GateRule
from orchestration.families.blip2_attributes.declaration import BLIP2_ATTRIBUTES, NAME

QUICK = replace(
    BLIP2_ATTRIBUTES,
    rule=lambda settings: GateRule(NAME, delta=1.0, minimum_gain=-1.0, clear_gain=False, beats=()),
    review=None,  # a handful of test products is no round
)
QUICK_FAMILIES = (QUICK,)


def save_quick_base(folder: Path) -> Path:
    """A BLIP-2 base of a few thousand random weights that answers differently from picture to picture."""
    import torch

    from catalog.schema import load_schema
    from training.blip2.base import build_model, save_base
    from training.blip2.profiles import TINY
    from training.blip2.tokenizer import train_tokenizer

    narrow = {"hidden_size": 24, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 32}
    profile = replace(
        TINY,
        vision=TINY.vision | narrow | {"image_size": 32},
        qformer=TINY.qformer | narrow | {"encoder_hidden_size": 24},
        text=TINY.text
        | {"d_model": 24, "d_kv": 8, "d_ff": 32, "num_layers": 1, "num_decoder_layers": 1, "num_heads": 2},
        stem_channels=(8, 8, 16, 24),
        queries=4,
        preprocessing=replace(TINY.preprocessing, size=32),
    )
    torch.manual_seed(0)
    schema = load_schema()
    texts = [schema.answer(name, value) for name, one in schema.attributes.items() for value in one.vocabulary]
    texts += [schema.question(name, article) for name in schema.attributes for article in schema.article_types]
    tokenizer = train_tokenizer(texts, 1024)
    model = build_model(profile, len(tokenizer))
    with torch.no_grad():
        for weight in model.parameters():
            if weight.dim() > 1:
                weight.normal_(std=1.5 * weight[0].numel() ** -0.5)
    save_base(
        folder,
        model,
        tokenizer,
        profile.preprocessing,
        profile.prompt,
        {"seed": 0},
        profile=profile,
        dtype=torch.float32,
    )
    return folder


def save_quick_settings(file: Path, base: Path, steps: int) -> Path:
    """Training settings that take a second or two. Other steps make another candidate."""
    import yaml

    lora = {"steps": steps, "batch_size": 8, "views": 1, "validate_every": 6, "checkpoint_every": 4}
    # Noise is never sure: at a lower risk it would answer nothing.
    file.write_text(
        yaml.safe_dump({"base": str(base), "risk": 0.99, "lora": {**lora, "warmup_steps": 2, "precision": "fp32"}})
    )
    return file
