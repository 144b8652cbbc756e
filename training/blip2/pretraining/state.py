"""The state of an unfinished pre-training, as one safetensors file, so that a killed run goes on where it was.

Belongs here: writing and reading weights, running average, optimiser moments and how far it came.
Not here: the finished base (training/blip2/base.py).
"""

import json
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from catalog.errors import SelvedgeError
from catalog.places import not_written, part_of, remove_parts
from training.blip2.pretraining.stages import Pretraining
from training.folders import os_error_of


def save_state(file: Path, run: Pretraining, stage: int, step: int) -> None:
    """Publish the state whole; an earlier one stays until then."""
    tensors: dict[str, Tensor] = {}
    for part, module in (("model", run.model), ("text", run.text), ("readouts", run.readouts)):
        tensors |= {f"{part}.{name}": parameter.detach() for name, parameter in module.named_parameters()}
    tensors |= {f"average.{index}": value for index, value in enumerate(run.average.module.parameters())}
    if run.optimiser is not None:
        for index, moments in run.optimiser.state_dict()["state"].items():
            tensors |= {f"optimiser.{index}.{name}": torch.as_tensor(value) for name, value in moments.items()}
    tensors["generator"] = torch.get_rng_state()
    # Cloned: safetensors refuses tensors that share memory.
    held = {name: value.detach().cpu().clone().contiguous() for name, value in tensors.items()}
    progress = {"stage": stage, "step": step, "averaged_steps": int(run.average.n_averaged) - 1}
    part_file = part_of(file)
    try:
        remove_parts(file.parent, file.name)
        save_file(held, part_file, metadata={"place": json.dumps(progress)})
        part_file.replace(file)
    except (OSError, SafetensorError) as error:
        part_file.unlink(missing_ok=True)
        refusal = error if isinstance(error, OSError) else os_error_of(error)
        raise not_written(f"state {file}", refusal) from error


def read_state(file: Path) -> tuple[dict[str, Tensor], dict[str, int]]:
    """(tensors, {stage, step, averaged_steps}) of a saved state."""
    try:
        with safe_open(str(file), framework="pt") as held:
            return {name: held.get_tensor(name) for name in held.keys()}, json.loads(held.metadata()["place"])  # noqa: SIM118
    except (OSError, SafetensorError, KeyError, TypeError, ValueError) as error:
        raise SelvedgeError(f"state {file} cannot be read ({error}); delete it to start anew.") from error


def load_state(run: Pretraining, tensors: dict[str, Tensor], progress: dict[str, int]) -> None:
    """Put a state into a run built from the same recipe.

    Raises:
        SelvedgeError: the state is of another recipe or architecture.
    """
    try:
        with torch.no_grad():
            for part, module in (("model", run.model), ("text", run.text), ("readouts", run.readouts)):
                for name, parameter in module.named_parameters():
                    parameter.copy_(tensors[f"{part}.{name}"])
            for index, value in enumerate(run.average.module.parameters()):
                value.copy_(tensors[f"average.{index}"])
    except (KeyError, RuntimeError) as error:
        raise SelvedgeError(f"the saved state does not fit this recipe ({error}); delete it to start anew.") from error
    torch.set_rng_state(tensors["generator"].to(torch.uint8))
    run.average.n_averaged.fill_(1 + progress["averaged_steps"])
    run.moments = {name: value for name, value in tensors.items() if name.startswith("optimiser.")}
