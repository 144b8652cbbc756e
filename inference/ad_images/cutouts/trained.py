"""The champion of garment segmentation as one of the segmenters that cut out a product.

Belongs here: from a class of every pixel to the alpha of a product, in the photograph's own pixels. Not here: the
network (training/segmenter/), weights of others (segmenter.py), who judges a cut-out (cut.py).

The network sees a photograph at 64 or 128 pixels, so its outline is coarse; a finer method that agrees with it gives
the outline (cut.py).
"""

from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from training.segmenter.segmenter import GarmentSegmenter

BODY_CLASSES = ("person", "skin", "hair", "face")  # of a plan's classes, by name: shown, and no product


class TrainedSegmenter:
    """A version of the family, by its artefact's folder; see `Segmenter`."""

    name = "garment-segmenter"

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    @property
    def version(self) -> str:
        """First digits of its digest. Raises SelvedgeError: the folder holds no segmenter."""
        from training.segmenter.segmenter import segmenter_digest

        return segmenter_digest(self._folder)[:16]

    def mask(self, rgb: np.ndarray) -> np.ndarray:
        """See `Segmenter`: how likely a pixel is a part of the product.

        Raises:
            SelvedgeError: the folder holds no segmenter, or a damaged one.
        """
        classes = self._segmenter.classes
        shown = [number for number, name in enumerate(classes) if number and name not in BODY_CLASSES]
        product: np.ndarray = self._segmenter.probabilities(rgb)[shown].sum(axis=0)
        return product

    @cached_property
    def _segmenter(self) -> "GarmentSegmenter":
        from training.segmenter.segmenter import load_segmenter

        return load_segmenter(self._folder)
