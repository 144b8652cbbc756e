"""What a segmenter learns from: pictures with masks, of people and of HandsOff, and batches that are drawn from them.

Belongs here: reading both and holding their classes to each other, which pictures are looked at only, what a batch
holds. Not here: varying a batch (augmentation.py), the folders' format (training/handsoff/labels.py).
"""

import hashlib
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from catalog.errors import SelvedgeError
from training.handsoff.labels import LABELS_FILE, LabelledPictures, read_labelled
from training.segmenter.settings import SegmenterSettings

VALIDATION_SEED = 11


class Sources:
    """What is learnt from and what is looked at.

    Attributes:
        classes: names. pools: name -> pictures. validation: looked at only.
    """

    def __init__(self, labelled: Path, generated: Path | None, settings: SegmenterSettings) -> None:
        """
        Raises:
            SelvedgeError: pictures without masks, or generated ones of other classes.
        """
        people = _masked(labelled, settings.size)
        self.classes = people.kinds.classes
        looked_at = len(people) if settings.data == "generated" else round(settings.validation * len(people))
        order = np.random.default_rng([settings.seed, VALIDATION_SEED]).permutation(len(people))
        self.validation, learnt = people.rows(np.sort(order[:looked_at])), people.rows(np.sort(order[looked_at:]))
        self.pools = {"labelled": _Pool(learnt)} if len(learnt) else {}
        if generated is not None:
            made = _masked(generated, settings.size)
            if made.kinds.classes != self.classes:
                raise SelvedgeError(
                    f"the generated pictures of {generated} have the classes {', '.join(made.kinds.classes)}, and the "
                    f"labelled ones of {labelled} {', '.join(self.classes)}; generate them again from these labels."
                )
            self.pools["generated"] = _Pool(made)

    @property
    def counts(self) -> dict[str, int]:
        """Pictures that are learnt from, `labelled` and `generated`, and those of `validation`."""
        learnt = {name: len(self.pools.get(name, ())) for name in ("labelled", "generated")}
        return learnt | {"validation": len(self.validation)}

    @property
    def shares(self) -> np.ndarray:
        """(classes,) float64: of the pixels that are learnt from, the mean of both sources."""
        counts = [np.bincount(pool.masks.numpy().ravel(), minlength=len(self.classes)) for pool in self.pools.values()]
        mean: np.ndarray = np.mean([count / count.sum() for count in counts], axis=0)
        return mean

    def batch(self, settings: SegmenterSettings, step: int, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        """(batch, s, s, 3) uint8 and (batch, s, s) uint8 of a step.

        Of both in the settings' share, one of each at least, until the labelled ones are learnt from alone.
        """
        shares = dict.fromkeys(self.pools, settings.batch_size)
        if len(shares) == 2 and step >= settings.generated_until * settings.steps:
            del shares["generated"]
        elif len(shares) == 2:
            few = round(settings.labelled_share * settings.batch_size)
            shares["labelled"] = min(settings.batch_size - 1, max(1, few))
            shares["generated"] -= shares["labelled"]
        parts = [self.pools[name].draw(n, generator) for name, n in shares.items()]
        pictures, masks = (torch.cat(part) for part in zip(*parts, strict=True))
        return pictures, masks


def content_of(folder: Path) -> str:
    """Hex sha256 over names and bytes of the pictures, masks and lists of a folder; nothing is decoded."""
    digest = hashlib.sha256()
    listed = (folder / LABELS_FILE).is_file()  # else a COCO file's pictures may lie beside it
    for path in sorted(path for path in folder.rglob("*") if path.is_file()):
        if listed and path.relative_to(folder).parts[0] not in ("images", "masks", LABELS_FILE):
            continue
        digest.update(path.relative_to(folder).as_posix().encode() + b"\0")
        with path.open("rb") as file:
            digest.update(hashlib.file_digest(file, "sha256").digest())
    return digest.hexdigest()


class _Pool:
    """Pictures and masks that are drawn from."""

    def __init__(self, source: LabelledPictures) -> None:
        self.pictures, self.masks = torch.from_numpy(source.pictures.array), torch.from_numpy(source.masks)

    def __len__(self) -> int:
        return len(self.pictures)

    def draw(self, n: int, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        """n random ones, with replacement."""
        rows = torch.randint(len(self), (n,), generator=generator)
        return self.pictures[rows], self.masks[rows]


def _masked(folder: Path, size: int) -> LabelledPictures:
    """Labelled pictures that have masks."""
    pictures = read_labelled(folder, size)
    if not pictures.kinds.classes:
        raise SelvedgeError(
            f"the labelled pictures of {folder} have no masks; name classes and draw them: a segmenter learns nothing "
            "else."
        )
    return pictures
