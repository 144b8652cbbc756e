"""LoRA adapters on the language model: putting one in, taking it out, saving, merging and checking the merge.

Belongs here: everything that touches peft. Not here: the training loop (lora.py), the artefact around an adapter
(artefact.py).
"""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from peft import LoraConfig, PeftModel, get_peft_model
from safetensors import SafetensorError
from torch import Tensor, nn

from catalog.errors import SelvedgeError
from training.blip2.answers import Decoding, PictureQuestion, answer_all
from training.blip2.base import Base
from training.blip2.settings import LoraSettings


@dataclass(frozen=True)
class MergeCheck:
    """How far merged weights are from base plus adapter, on real questions.

    Attributes:
        largest_difference: of any allowed answer's probability.
        same_answers: chosen answers that are equal, of `questions`.
    """

    largest_difference: float
    tolerance: float
    same_answers: int
    questions: int

    def to_dict(self) -> dict[str, float]:
        return asdict(self)


def attach_new(base: Base, settings: LoraSettings) -> PeftModel:
    """Put a fresh, trainable adapter (A random from torch's seed, B zero) into the base's language model, in place."""
    config = LoraConfig(
        r=settings.rank,
        lora_alpha=settings.alpha,
        lora_dropout=settings.dropout,
        target_modules=list(settings.targets or base.profile.lora_targets),
        bias="none",
        base_model_name_or_path=base.profile.weights_id or base.profile.folder,
        revision=base.profile.revision or None,
    )
    adapted = get_peft_model(base.model.language_model, config)
    for parameter in trainable(adapted).values():
        parameter.data = parameter.data.float()  # the optimiser's small steps vanish in bfloat16
    return adapted


def attach_saved(base: Base, folder: Path) -> PeftModel:
    """Put a saved adapter into the base's language model, in place.

    Raises:
        SelvedgeError: the adapter is missing, broken, or was made for layers of another shape.
    """
    weights = folder / "adapter_model.safetensors"
    if not weights.is_file():  # peft would go to the network for it
        raise SelvedgeError(f"adapter {weights} is missing; copy the whole model folder.")
    try:
        return PeftModel.from_pretrained(base.model.language_model, str(folder), is_trainable=False)
    except (OSError, ValueError, RuntimeError, KeyError, TypeError, SafetensorError) as error:
        raise SelvedgeError(
            f"adapter {folder} does not fit its base ({error}); copy the whole model folder."
        ) from error


def detach(adapted: PeftModel) -> None:
    """Take the adapter out again; the base is what it was."""
    adapted.unload()


def trainable(adapted: nn.Module) -> dict[str, nn.Parameter]:
    """Parameters that are trained, by name, in a stable order."""
    return {name: parameter for name, parameter in sorted(adapted.named_parameters()) if parameter.requires_grad}


def save_adapter(adapted: PeftModel, folder: Path) -> None:
    """`adapter_config.json` and `adapter_model.safetensors`, nothing else and no absolute path in them."""
    adapted.save_pretrained(str(folder), safe_serialization=True, save_embedding_layers=False)
    (folder / "README.md").unlink(missing_ok=True)  # peft's model card template, empty of content
    config = folder / "adapter_config.json"
    values = json.loads(config.read_text(encoding="utf-8"))
    values["target_modules"] = sorted(values["target_modules"])  # peft writes a set: another order in every process
    config.write_text(json.dumps(values, indent=2, sort_keys=True) + "\n", encoding="utf-8")


def merge_and_check(
    base: Base,
    adapted: PeftModel,
    features: Tensor,
    asked: Sequence[PictureQuestion],
    decoding: Decoding,
    tolerance: float,
) -> MergeCheck:
    """Merge the adapter into the base's weights, in place, and hold the result to what the adapter answered.

    Raises:
        SelvedgeError: probabilities differ by more than `tolerance`.
    """
    before = answer_all(base, features, asked, decoding)
    adapted.merge_and_unload()
    after = answer_all(base, features, asked, decoding)
    gap = max(
        float(np.abs(np.exp(old.log_probabilities) - np.exp(new.log_probabilities)).max())
        for old, new in zip(before, after, strict=True)
    )
    same = sum(old.answer_index == new.answer_index for old, new in zip(before, after, strict=True))
    check = MergeCheck(gap, tolerance, same, len(asked))
    if not gap <= tolerance:
        raise SelvedgeError(
            f"merged weights answer differently from the adapter (probability off by {gap:.2g}, allowed "
            f"{tolerance:.2g}); merge in a wider dtype."
        )
    return check


def parameters_of(adapted: Any) -> tuple[int, int]:
    """(modules with an adapter, trainable parameters)."""
    modules = sum(1 for module in adapted.modules() if hasattr(module, "lora_A"))
    return modules, sum(parameter.numel() for parameter in trainable(adapted).values())
