"""Truth: the dense labels of a drawn garment, at the size of the picture that shows it.

Belongs here: part masks of few classes, keypoints, distance to the edge, shading. Not here: drawing (studio.py), the
parts that are drawn (parts.py).

Nothing of it changes a pixel of the drawing. A picture is drawn large and reduced by whole blocks, as a catalogue's
standard copies are, and its labels are reduced with it: the part that most of a block shows, means of the maps.
"""

from dataclasses import dataclass, replace

import numpy as np
from PIL import Image
from scipy.ndimage import distance_transform_edt

from catalog.drawn import parts
from catalog.drawn.garments import draw_garment
from catalog.drawn.spec import GarmentSpec

GREY = (55.0, 0.0, 0.0)  # LAB: neither dark nor light cloth, so that its highlights and shadows are whole
GROUPS: dict[str, tuple[int, ...]] = {
    "background": (parts.BACKGROUND,),
    "body": (
        parts.BODY, parts.LEG, parts.SKIRT, parts.UPPER, parts.POCKET, parts.BUTTON, parts.ZIP, parts.PLACKET,
        parts.LINING, parts.FLAP, parts.DRAWSTRING, parts.BUCKLE, parts.LACES, parts.TONGUE, parts.TOE,
    ),
    "sleeve": (parts.SLEEVE, parts.CUFF),
    "collar": (parts.COLLAR, parts.HOOD),
    "waist or hem": (parts.WAISTBAND, parts.HEM),
    "sole": (parts.SOLE, parts.HEEL),
    "strap": (parts.STRAP, parts.HANDLE),
}  # fmt: skip
"""Every part in one of a few classes, as a person with fifty pictures would draw them; class k is the k-th."""


@dataclass(frozen=True)
class DenseTruth:
    """A picture and what is true of each of its pixels.

    Attributes:
        image: (size, size, 3) uint8. parts: (size, size) uint8 labels of parts.py.
        keypoints: name -> (x, y) in pixels of this size, centres at .5.
        edge_distance: (size, size) float32, from a pixel of the garment to the nearest one that is not, as a share of
            the side; 0 outside. shading: (size, size) float32 in [0, 1], the grey that a garment of one mid-grey cloth
            has in this light; 0 outside. Trimmings of a colour of their own (zips, soles) keep that.
    """

    image: np.ndarray
    parts: np.ndarray
    keypoints: dict[str, tuple[float, float]]
    edge_distance: np.ndarray
    shading: np.ndarray

    @property
    def classes(self) -> np.ndarray:
        """(size, size) uint8: the place in `GROUPS` of each pixel's part."""
        table = np.zeros(256, np.uint8)
        for number, members in enumerate(GROUPS.values()):
            table[list(members)] = number
        grouped: np.ndarray = table[self.parts]
        return grouped


def draw_truth(spec: GarmentSpec, size: int, drawn: int = 256) -> DenseTruth:
    """A garment's picture and its dense labels.

    Args:
        size: side of both, pixels; divides `drawn`. drawn: side that it is drawn at.

    Raises:
        ValueError: `size` does not divide `drawn`.
    """
    if size < 1 or drawn % size:
        raise ValueError(f"a drawing of {drawn} pixels cannot be reduced to {size} by whole blocks")
    drawing = draw_garment(spec, drawn)
    assert drawing.parts is not None
    garment = drawing.parts > parts.BACKGROUND
    distance = distance_transform_edt(garment).astype(np.float32) / drawn
    shading = np.where(garment, _grey_copy(spec, drawn), 0.0).astype(np.float32)
    factor = drawn // size
    return DenseTruth(
        np.asarray(Image.fromarray(drawing.image).resize((size, size), Image.Resampling.BOX)),
        _commonest(drawing.parts, factor),
        {name: (x / factor, y / factor) for name, (x, y) in drawing.keypoints.items()},
        _mean(distance, factor),
        _mean(shading, factor),
    )


def _grey_copy(spec: GarmentSpec, drawn: int) -> np.ndarray:
    """(drawn, drawn) float64 in [0, 1], the same garment in the same light, of one grey cloth without a pattern."""
    attributes = spec.attributes | ({"Pattern": "Solid"} if "Pattern" in spec.attributes else {})
    grey = replace(spec, base_lab=GREY, second_lab=GREY, third_lab=GREY, attributes=attributes)
    shade: np.ndarray = draw_garment(grey, drawn, parts=False).image.mean(axis=2) / 255
    return shade


def _blocks(array: np.ndarray, factor: int) -> np.ndarray:
    """(size, size, factor^2): the pixels of every block."""
    size = len(array) // factor
    return array.reshape(size, factor, size, factor).transpose(0, 2, 1, 3).reshape(size, size, -1)


def _mean(array: np.ndarray, factor: int) -> np.ndarray:
    mean: np.ndarray = _blocks(array, factor).mean(axis=2, dtype=np.float32)
    return mean


def _commonest(labels: np.ndarray, factor: int) -> np.ndarray:
    """The label that most pixels of a block have; of several, the one of the smallest number."""
    blocks = _blocks(labels, factor)
    counts = np.stack([(blocks == label).sum(axis=2) for label in range(int(labels.max()) + 1)])
    return counts.argmax(axis=0).astype(np.uint8)
