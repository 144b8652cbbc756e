"""Checkpoints of a GAN: all that the next step depends on, and the refusal of a checkpoint of other work.

Belongs here: what is saved, and the sentence where a folder holds another run. Not here: the file format, which every
training loop shares (checkpoint.py), what a run is of (each family's identity).

Random numbers follow from seed and step, so the step is their state; torch's own is saved too.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import torch
from torch import Tensor, nn

from catalog.errors import SelvedgeError
from catalog.files import put_back
from training.checkpoint import read_checkpoint, write_checkpoint


class RunIdentity(Protocol):
    """What a run is of.

    family: prefix of its settings' names. format: of its checkpoints. run: hex sha256 over all of it. parts: keys of
    `to_dict` other than `settings`, each with what to call another one.
    """

    @property
    def family(self) -> str: ...
    @property
    def format(self) -> int: ...
    @property
    def parts(self) -> Mapping[str, str]: ...
    @property
    def run(self) -> str: ...
    def to_dict(self) -> dict[str, Any]: ...


@dataclass(frozen=True)
class Networks:
    """Everything that changes while training. modules: trained ones by name; averages: their running means by name."""

    modules: Mapping[str, nn.Module]
    averages: Mapping[str, nn.Module]
    optimiser: torch.optim.Optimizer

    def parameters(self) -> dict[str, nn.Parameter]:
        """All trained parameters, as `module/parameter`."""
        return {f"{key}/{n}": p for key, module in self.modules.items() for n, p in module.named_parameters()}

    def rest(self) -> dict[str, Tensor]:
        """What is no trained parameter: buffers, and the averages whole. Live tensors, to be copied from or into."""
        buffers = {f"buffer/{key}/{n}": b for key, module in self.modules.items() for n, b in module.named_buffers()}
        means = {
            f"average/{key}/{n}": v for key, module in self.averages.items() for n, v in module.state_dict().items()
        }
        return buffers | means


def save_checkpoint(folder: Path, identity: RunIdentity, networks: Networks, counters: Mapping[str, Any]) -> None:
    """Write a checkpoint whole, in place of the one before.

    Args:
        counters: JSON values: the step and the history.

    Raises:
        SelvedgeError: the disk is full or not writable; the checkpoint before stays.
    """
    about = {**counters, "format": identity.format, "run": identity.run, "identity": identity.to_dict()}
    write_checkpoint(folder, networks.parameters(), networks.optimiser, about, networks.rest())


def restore_checkpoint(folder: Path, identity: RunIdentity, networks: Networks) -> dict[str, Any] | None:
    """Put a checkpoint back and return its counters; None where there is none.

    Raises:
        SelvedgeError: it is damaged, or of another run's data or settings. Nothing is overwritten then: the folder
            holds somebody's work.
    """
    put_back(folder)
    if not folder.exists():
        return None
    refuse_other_work(folder, identity)
    saved = read_checkpoint(folder, identity.run, networks.parameters(), networks.optimiser)
    if saved is None:
        raise SelvedgeError(f"checkpoint {folder} is damaged; delete it to start over.")
    counters, extra = saved
    with torch.no_grad():
        for name, live in networks.rest().items():
            if name not in extra or extra[name].shape != live.shape:
                raise SelvedgeError(f"checkpoint {folder} is damaged ({name} is missing); delete it to start over.")
            live.copy_(extra[name])
    return counters


def refuse_other_work(folder: Path, identity: RunIdentity) -> None:
    """Say what a checkpoint was made with that this run is not.

    Raises:
        SelvedgeError: it does not agree, or cannot be read.
    """
    try:
        saved = json.loads((folder / "state.json").read_text(encoding="utf-8"))
        theirs, version = saved["identity"], saved["format"]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise SelvedgeError(f"checkpoint {folder} is damaged ({error}); delete it to start over.") from error
    if version != identity.format:
        raise SelvedgeError(
            f"checkpoint {folder} has format {version}, this version reads {identity.format}; train into another "
            "folder."
        )
    mine = identity.to_dict()
    for name, what in identity.parts.items():
        if theirs.get(name) != mine[name]:
            raise SelvedgeError(
                f"checkpoint {folder} was made with {what} ({str(theirs.get(name))[:12]}, not {mine[name][:12]}); "
                "bring that data set back or train into another folder."
            )
    changed = sorted(
        n for n in {*theirs["settings"], *mine["settings"]} if theirs["settings"].get(n) != mine["settings"].get(n)
    )
    if changed:
        name = changed[0]
        raise SelvedgeError(
            f"checkpoint {folder} was made with {identity.family}.{name} {theirs['settings'].get(name)!r}, not "
            f"{mine['settings'].get(name)!r}; set it back or train into another folder."
        )
