"""Where and how precisely networks compute: the device of a setting, the type of its matrix products.

Belongs here: turning a setting's word into torch's objects. Not here: what runs there (driver.py, the families).
"""

import torch

from catalog.errors import SelvedgeError

PRECISIONS = {"fp32": torch.float32, "bf16": torch.bfloat16}


def choose_device(name: str | None = None) -> torch.device:
    """The device that a setting names; `auto` or None takes the GPU where there is one."""
    if name not in (None, "auto"):
        return torch.device(name)
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")


def device_is_there(name: str) -> bool:
    """Whether this machine has the device of this name, as torch writes names."""
    kind, _, number = name.partition(":")
    if kind == "cuda":
        return torch.cuda.is_available() and int(number or 0) < torch.cuda.device_count()
    return kind == "cpu" or (kind == "mps" and torch.backends.mps.is_available())


def choose_precision(precision: str, device: torch.device) -> torch.dtype:
    """The type of the matrix products: `auto` takes bf16 where the hardware multiplies it, else fp32.

    Raises:
        SelvedgeError: an unknown name.
    """
    if precision in PRECISIONS:
        return PRECISIONS[precision]
    if precision != "auto":
        raise SelvedgeError(f"precision {precision} is not known; take auto, bf16 or fp32.")
    if device.type == "cuda":
        return torch.bfloat16 if torch.cuda.is_bf16_supported() else torch.float32
    # bf16 in software is many times slower than fp32; AMX is several times faster.
    return torch.bfloat16 if torch.cpu._is_amx_tile_supported() else torch.float32  # noqa: SLF001 (torch has no public one)


def autocast(device: torch.device, precision: torch.dtype) -> torch.autocast:
    """The context in which matrix products run in `precision`; with float32 it changes nothing."""
    return torch.autocast(device.type, precision, enabled=precision != torch.float32)
