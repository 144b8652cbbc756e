"""A plan: which labelled pictures HandsOff begins from, with which generator, and the settings of its steps.

Belongs here: reading the file that names them. Not here: the steps (inversion.py, labeller_training.py, generation.py).
"""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from catalog.errors import SelvedgeError
from catalog.files import json_sha256
from catalog.yaml_files import read_yaml
from training.folders import models_folder
from training.handsoff.label_settings import GenerationSettings, InversionSettings, LabellerSettings
from training.settings import refuse_absent_devices, settings_from

SHIPPED = "handsoff-tiny/64"  # in the models folder


@dataclass(frozen=True)
class Plan:
    """What `read_plan` read.

    Attributes:
        labels: folder of labelled pictures (labels.py). generator: folder of a generator; "" for the shipped one.
        test: folder of more of them, which nothing learns from; "" where there are none.
        inversion, labeller, generation: settings of the steps.
    """

    labels: str
    generator: str = ""
    test: str = ""
    inversion: InversionSettings = field(default_factory=InversionSettings)
    labeller: LabellerSettings = field(default_factory=LabellerSettings)
    generation: GenerationSettings = field(default_factory=GenerationSettings)

    @property
    def generator_folder(self) -> Path:
        """The generator's folder."""
        return Path(self.generator) if self.generator else shipped_generator()

    def key(self, *digests: str) -> str:
        """Names what comes of this plan with labels and a generator of these digests."""
        steps: list[Any] = [step.fixed() for step in (self.inversion, self.labeller, self.generation)]
        return json_sha256([*digests, *steps])[:16]


def read_plan(file: Path) -> Plan:
    """The plan of a YAML file; relative folders are relative to it.

    Raises:
        SelvedgeError: it cannot be read, names no labels, holds an unknown setting or one that does not fit, or names a
            device that this machine lacks.
    """
    values = read_yaml(file, "plan of HandsOff", "write `labels: DIR` into it")
    for name in ("labels", "generator", "test"):
        if isinstance(values.get(name), str) and values[name].strip():
            values[name] = str((file.parent / Path(values[name]).expanduser()).resolve())
    if "labels" not in values:
        raise SelvedgeError(f"plan of HandsOff {file} names no labelled pictures; write `labels: DIR` into it.")
    plan = settings_from(Plan, values, f"plan of HandsOff {file}")
    refuse_absent_devices(plan)
    return plan


def shipped_generator() -> Path:
    """The generator that ships.

    Raises:
        SelvedgeError: it is missing.
    """
    folder = models_folder() / SHIPPED
    if not folder.is_dir():
        raise SelvedgeError(f"the shipped generator {folder} is missing; name another, or set SELVEDGE_MODELS.")
    return folder
