"""A trained segmenter: the parts of a garment in a picture of any size, and its artefact folder.

Belongs here: probabilities and classes of pictures, saving, loading, hashes. Not here: training (candidate.py).

An artefact is `selvedge.json` (format, classes, settings, digest, notes) and `weights.safetensors`.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import Tensor
from torch.nn import functional

from catalog.errors import SelvedgeError
from training.artefact_file import read_saved, save_artefact
from training.devices import autocast, choose_device, choose_precision
from training.handsoff.labels import kinds_of
from training.picture_tensors import to_float
from training.segmenter.network import SegmenterNetwork
from training.weights import digest_of, read_tensors

FORMAT = 1
FAMILY = "garment-segmenter"
WEIGHTS = "weights.safetensors"
AT_ONCE = 32  # squared pictures in one pass


class GarmentSegmenter:
    """A finished segmenter.

    Attributes:
        classes: names; class k is the k-th, the first is the background. size: side that the network sees, pixels.
        settings: what it was trained with. digest: of its artefact, "" for one in training.
    """

    def __init__(
        self, network: SegmenterNetwork, classes: tuple[str, ...], settings: Mapping[str, Any], digest: str = ""
    ) -> None:
        self.classes, self.settings, self.digest = classes, dict(settings), digest
        self.size = int(settings["size"])
        self.network = network.eval()

    @property
    def device(self) -> torch.device:
        """Where it computes."""
        return next(self.network.parameters()).device

    def probabilities(self, rgb: np.ndarray) -> np.ndarray:
        """(classes, h, w) float32, 1 in all for each pixel, of an (h, w, 3) uint8 picture of any size."""
        picture, (top, left, height, width) = squared(rgb, self.size)
        shares = self._shares(picture[None])[:, :, top : top + height, left : left + width]
        whole = functional.interpolate(shares, rgb.shape[:2], mode="bilinear", align_corners=False)[0]
        return whole.cpu().numpy()

    def segment(self, rgb: np.ndarray) -> np.ndarray:
        """(h, w) uint8 classes of an (h, w, 3) uint8 picture of any size."""
        return self.probabilities(rgb).argmax(axis=0).astype(np.uint8)

    def segment_squares(self, pictures: np.ndarray) -> np.ndarray:
        """(n, size, size) uint8 classes of (n, size, size, 3) uint8 pictures of its own size."""
        if pictures.dtype != np.uint8 or pictures.shape[1:] != (self.size, self.size, 3):
            raise ValueError(f"pictures of shape {pictures.shape}; they must be (n, {self.size}, {self.size}, 3) uint8")
        masks = np.zeros(pictures.shape[:3], np.uint8)
        for start in range(0, len(pictures), AT_ONCE):
            rows = slice(start, start + AT_ONCE)
            masks[rows] = self._shares(pictures[rows]).argmax(dim=1).cpu().numpy()
        return masks

    @torch.no_grad()
    def _shares(self, pictures: np.ndarray) -> Tensor:
        device = self.device
        with autocast(device, choose_precision(str(self.settings["precision"]), device)):
            scores = self.network(to_float(torch.from_numpy(np.ascontiguousarray(pictures))).to(device))
        shares: Tensor = scores.softmax(dim=1)
        return shares


def squared(rgb: np.ndarray, size: int) -> tuple[np.ndarray, tuple[int, int, int, int]]:
    """A picture as the network sees it: whole, centred on the median colour of its border.

    Pictures on white come out as `training.handsoff.pictures.square` has them.

    Args:
        rgb: (h, w, 3) uint8.

    Returns:
        (size, size, 3) uint8; top, left, height and width of the picture in it.
    """
    if rgb.dtype != np.uint8 or rgb.ndim != 3 or rgb.shape[2] != 3 or not rgb.size:
        raise ValueError(f"a picture of {rgb.dtype} {rgb.shape}; a segmenter takes (h, w, 3) uint8")
    height, width = (max(1, round(side * size / max(rgb.shape[:2]))) for side in rgb.shape[:2])
    top, left = round((size - height) / 2), round((size - width) / 2)
    border = np.concatenate([rgb[0], rgb[-1], rgb[:, 0], rgb[:, -1]])
    square = np.empty((size, size, 3), np.uint8)
    square[:] = np.median(border, axis=0)
    small = Image.fromarray(rgb).resize((width, height), Image.Resampling.BOX)
    square[top : top + height, left : left + width] = np.asarray(small)
    return square, (top, left, height, width)


def save_segmenter(folder: Path, segmenter: GarmentSegmenter, notes: Mapping[str, Any]) -> str:
    """Write the artefact whole and return its digest.

    Raises:
        SelvedgeError: the disk is full or not writable; nothing is left.
    """
    tensors = {name: value.cpu().contiguous() for name, value in segmenter.network.state_dict().items()}
    body = {
        "format": FORMAT,
        "family": FAMILY,
        "classes": list(segmenter.classes),
        "settings": segmenter.settings,
    }
    return save_artefact(folder, "segmenter", body, tensors, WEIGHTS, dict(notes))


def read_segmenter_about(folder: Path) -> dict[str, Any]:
    """`selvedge.json` of a segmenter, held to its digest; reads no weights.

    Raises:
        SelvedgeError: missing, unreadable, of another family or format, or changed.
    """
    return read_saved(folder, "segmenter", FAMILY, FORMAT)


def segmenter_digest(folder: Path) -> str:
    """The digest of an artefact, from its `selvedge.json`.

    Raises:
        SelvedgeError: as `read_segmenter_about`.
    """
    return str(read_segmenter_about(folder)["digest"])


def load_segmenter(folder: Path, device: str = "cpu") -> GarmentSegmenter:
    """A segmenter, ready to use.

    Raises:
        SelvedgeError: missing, damaged, or of another family or format.
    """
    about = read_segmenter_about(folder)
    classes, settings = kinds_of(about, f"segmenter {folder}").classes, about["settings"]
    tensors = read_tensors([folder / WEIGHTS])
    if digest_of(tensors) != about["weights"]:
        raise SelvedgeError(f"segmenter {folder} does not match its digest ({WEIGHTS}); train it again.")
    network = SegmenterNetwork(len(classes), int(settings["width"]))
    network.load_state_dict(tensors)
    return GarmentSegmenter(network.to(choose_device(device)), classes, settings, str(about["digest"]))
