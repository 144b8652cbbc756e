"""Checkpoints of a training loop: everything the next step depends on, in one folder that is replaced whole.

Belongs here: parameters, optimiser moments, random state, counters, as safetensors and JSON (no pickle).
Not here: when to write one (the loops), finished weights (weights.py).
"""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from catalog.errors import SelvedgeError
from catalog.files import put_back
from training.folders import written_whole

MOMENTS = ("step", "exp_avg", "exp_avg_sq")


def write_checkpoint(
    folder: Path,
    parameters: Mapping[str, nn.Parameter],
    optimiser: torch.optim.Optimizer,
    counters: Mapping[str, Any],
    extra: Mapping[str, Tensor] | None = None,
) -> None:
    """Save a run between two steps.

    Args:
        counters: JSON values: the step, the best so far, what the run is of.
        extra: further tensors, e.g. the best weights.

    Raises:
        SelvedgeError: the disk is full or not writable; the checkpoint before stays.
    """
    tensors = {f"parameter/{name}": value.detach().cpu() for name, value in parameters.items()}
    for name, value in parameters.items():
        for moment in MOMENTS if value in optimiser.state else ():
            tensors[f"{moment}/{name}"] = optimiser.state[value][moment].detach().cpu()
    tensors["random/cpu"] = torch.get_rng_state()
    if torch.cuda.is_available():
        tensors["random/cuda"] = torch.cuda.get_rng_state()
    tensors |= {f"extra/{name}": value.detach().cpu() for name, value in (extra or {}).items()}
    with written_whole(folder, "checkpoint") as part:
        save_file({name: value.contiguous().clone() for name, value in tensors.items()}, part / "state.safetensors")
        (part / "state.json").write_text(json.dumps(dict(counters)), encoding="utf-8")


def read_checkpoint(
    folder: Path, run: str, parameters: Mapping[str, nn.Parameter], optimiser: torch.optim.Optimizer
) -> tuple[dict[str, Any], dict[str, Tensor]] | None:
    """Put a saved run back: (counters, extra tensors), or None when there is none of this very run.

    Args:
        run: what `counters["run"]` must be: a digest of settings, data and base. Another run's checkpoint is ignored.

    Raises:
        SelvedgeError: the checkpoint is of this run but damaged.
    """
    put_back(folder)
    try:
        counters: dict[str, Any] = json.loads((folder / "state.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    if counters.get("run") != run:
        return None
    on_device = bool(optimiser.defaults.get("capturable"))  # such an optimiser counts its steps there
    try:
        tensors = load_file(folder / "state.safetensors")
        with torch.no_grad():
            for name, parameter in parameters.items():
                parameter.copy_(tensors[f"parameter/{name}"])
                if f"step/{name}" in tensors:
                    moments = {moment: tensors[f"{moment}/{name}"] for moment in MOMENTS}
                    optimiser.state[parameter] = {
                        moment: value if moment == "step" and not on_device else value.to(parameter.device)
                        for moment, value in moments.items()
                    }
        torch.set_rng_state(tensors["random/cpu"])
        if torch.cuda.is_available() and "random/cuda" in tensors:
            torch.cuda.set_rng_state(tensors["random/cuda"])
    except (OSError, KeyError, RuntimeError, SafetensorError) as error:
        raise SelvedgeError(f"checkpoint {folder} is damaged ({error}); delete it to start over.") from error
    return counters, {name.removeprefix("extra/"): v for name, v in tensors.items() if name.startswith("extra/")}
