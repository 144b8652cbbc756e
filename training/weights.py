"""Weights as they lie on disk: tensors to store, their digests, reading them back. No pickle, tied weights once.

Belongs here: safetensors in and out of a model. Not here: what else a family's folder holds (blip2/base.py,
restgan/sampling.py).
"""

import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor, nn

from catalog.errors import SelvedgeError


def stored_tensors(model: nn.Module, dtype: torch.dtype | None) -> dict[str, Tensor]:
    """State on the CPU, tied weights once (under the first of their names), floating point in `dtype`."""
    stored: dict[str, Tensor] = {}
    seen: set[tuple[int, tuple[int, ...]]] = set()
    for name, tensor in sorted(model.state_dict().items()):
        memory = (tensor.data_ptr(), tuple(tensor.shape))
        if memory in seen:
            continue
        seen.add(memory)
        value = tensor.detach().to("cpu", dtype if dtype and tensor.is_floating_point() else tensor.dtype).contiguous()
        if value.is_floating_point() and not bool(torch.isfinite(value).all()):
            raise SelvedgeError(f"base: weight {name} is not finite as {value.dtype}; nothing was saved.")
        stored[name] = value
    return stored


def digest_of(tensors: Mapping[str, Tensor]) -> str:
    """Hex sha256 over names, types, shapes and values of all tensors."""
    whole = hashlib.sha256()
    for name, tensor in sorted(tensors.items()):
        content: Any = tensor.contiguous().reshape(-1).view(torch.uint8).numpy()
        whole.update(f"{name} {tensor.dtype} {tuple(tensor.shape)}\n".encode())
        whole.update(content)
    return whole.hexdigest()


def read_tensors(files: list[Path]) -> dict[str, Tensor]:
    """All tensors of some safetensors files.

    Raises:
        SelvedgeError: a file is missing or broken.
    """
    tensors: dict[str, Tensor] = {}
    for file in files:
        try:
            with safe_open(str(file), framework="pt") as weights:
                tensors.update({name: weights.get_tensor(name) for name in weights.keys()})  # noqa: SIM118
        except (OSError, SafetensorError) as error:
            raise SelvedgeError(
                f"weights {file} are missing or broken ({error}); copy the base folder again."
            ) from error
    return tensors


def fill_model(model: nn.Module, tensors: Mapping[str, Tensor], folder: Path) -> None:
    """Copy stored weights in; names left out are allowed only where they share memory with a filled one."""
    state = model.state_dict()
    filled = {state[name].data_ptr() for name in tensors if name in state}
    missing = [name for name, tensor in state.items() if name not in tensors and tensor.data_ptr() not in filled]
    unexpected = [name for name in tensors if name not in state]
    wrong = [name for name in tensors if name in state and state[name].shape != tensors[name].shape]
    if missing or unexpected or wrong:
        raise SelvedgeError(
            f"base {folder}: weights do not fit config.json (missing {missing[:3]}, unexpected {unexpected[:3]}, "
            f"wrong shape {wrong[:3]}); copy the base folder again."
        )
    with torch.no_grad():
        for name, tensor in tensors.items():
            state[name].copy_(tensor)
