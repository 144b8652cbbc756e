"""A label set: the labelled pictures that segmenters learn from and are scored on, in one folder.

Belongs here: its parts, keeping a copy under the name of its content, refusing test pictures that were learnt from. Not
here: a folder of labelled pictures (training/handsoff/labels.py), learning from them (candidate.py).

A set holds `labelled/`, the few that people labelled, `test/`, more of those that nothing learns from, and perhaps
`generated/`, the many that HandsOff made of the first. Each is a folder of labelled pictures.
"""

import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from catalog.datasets import fits_name, folder_name
from catalog.errors import SelvedgeError
from catalog.places import part_of
from training.artefact_file import folder_sha256
from training.handsoff.labels import LabelledPictures, read_labelled

LABELLED, GENERATED, TEST = "labelled", "generated", "test"
COMPARED_SIDE = 32  # pixels, at which a picture that was saved again is still the same


@dataclass(frozen=True)
class LabelSet:
    """The parts of a set. generated: None where there is none."""

    folder: Path
    labelled: Path
    test: Path
    generated: Path | None

    @property
    def sha256(self) -> str:
        """Over names and bytes of all files."""
        return folder_sha256(self.folder)


def read_label_set(folder: Path) -> LabelSet:
    """The set of a folder.

    Raises:
        SelvedgeError: a part is missing, or the folder is named by a hash that its content does not have.
    """
    for part in (LABELLED, TEST):
        if not (folder / part).is_dir():
            raise SelvedgeError(
                f"folder {folder} has no {part}/; a label set holds {LABELLED}/ and {TEST}/, and perhaps {GENERATED}/."
            )
    generated = folder / GENERATED
    read = LabelSet(folder, folder / LABELLED, folder / TEST, generated if generated.is_dir() else None)
    if not fits_name(read.sha256, folder.name):
        raise SelvedgeError(
            f"label set {folder} is not the one that the folder is named by; restore it, or delete it and materialise "
            "training/label_set again."
        )
    return read


def keep_label_set(parts: Mapping[str, Path], root: Path) -> LabelSet:
    """Copy the parts of a set into a folder below `root` that their content names; the same content is kept once.

    Args:
        parts: `LABELLED`, `TEST` and perhaps `GENERATED`, and where each lies.

    Raises:
        SelvedgeError: as `held_out`; a part cannot be read.
    """
    held_out(parts[LABELLED], parts[TEST])
    root.mkdir(parents=True, exist_ok=True)
    part = part_of(root / "label-set")
    try:
        for name, source in parts.items():
            shutil.copytree(source, part / name)
        folder = root / folder_name(folder_sha256(part))
        if not folder.exists():
            part.replace(folder)
    finally:
        shutil.rmtree(part, ignore_errors=True)
    return read_label_set(folder)


def held_out(labelled: Path, test: Path) -> tuple[LabelledPictures, LabelledPictures]:
    """Both parts, reduced.

    Raises:
        SelvedgeError: they label other classes, or a test picture is among the labelled ones; as `read_labelled`.
    """
    learnt, asked = read_labelled(labelled, COMPARED_SIDE), read_labelled(test, COMPARED_SIDE)
    if learnt.kinds.classes != asked.kinds.classes:
        raise SelvedgeError(
            f"{test} labels {', '.join(asked.kinds.classes) or 'no class'} and {labelled} "
            f"{', '.join(learnt.kinds.classes) or 'no class'}; label both with the same classes in the same order."
        )
    pictures = {
        picture.tobytes(): name for picture, name in zip(learnt.pictures.array, learnt.pictures.names, strict=True)
    }
    for picture, name in zip(asked.pictures.array, asked.pictures.names, strict=True):
        if (twin := pictures.get(picture.tobytes())) is not None:
            raise SelvedgeError(
                f"test picture {name} of {test} is also labelled picture {twin}, which is learnt from; take it out of "
                "one of the two."
            )
    return learnt, asked
