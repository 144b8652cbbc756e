"""Overlays: text, logos and buttons laid over a picture.

Belongs here: what lies flat on the picture instead of standing in the scene. Not here: reading the text; nothing here
knows letters, it knows rows of small marks of one ink on an even ground, and flat shapes with edges of one pixel.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from inference.ad_images.quality.view import Floats, Mask, View, grown, shrunk, strongest

INKS = (24.0, 70.0)  # levels between a letter and its ground: any, and on a texture with marks of its own
FEW_MARKS = 150  # more are a texture's
LETTER = (5, 90)  # height in pixels of the working copy
FILL = (0.18, 0.92)  # share of its box that a letter inks
TALL, BULGING = (
    12,
    0.75,
)  # pixels, from which a mark's form is seen; share of its convex hull that half a line's fill at most
MOST_MARKS = 3000  # more are texture
IN_A_LINE = 4  # letters
SAME_INK = 9.0  # levels, spread of the strongest ink of a line's letters
STEEPEST = 0.12  # slope of a line
EVEN_INK = 0.35  # spread of the ink's contrast over a line, as a share of it
PIECE = 0.0006  # share of the frame of the smallest flat piece that is followed
SHAPE = (0.0015, 0.2)  # share of the frame that a flat overlay covers
STRIDE = 2  # every second pixel of the working copy is looked at for flat shapes
FLAT_STEP = 3  # levels between neighbours of one flat colour
SAME_COLOUR = 10  # levels, within one overlay
LETTERS = 4  # half the width of a stroke that cuts an overlay, in pixels of the strided copy
OVERLAY_FILL = 0.5  # share of its box that a filled shape covers
OVERLAY_CONTRAST = 20.0  # levels, mean over channels, against what lies around it
CRISP = 0.6  # share of the contrast that is reached two pixels of the strided copy further out


def text_area(view: View) -> float:
    """Boxes of lines of text outside the product, % of the frame."""
    covered = np.zeros(view.alpha.shape, bool)
    ground = _ground(view)
    for sign in (1.0, -1.0):
        difference = sign * (view.luma - ground)
        for ink in INKS:
            labels, count = ndimage.label((difference > ink) & view.outside)
            if 0 < count <= MOST_MARKS:
                marks = _marks(labels, count, difference, sign * view.luma)
                for members in _lines(marks):
                    if _has_strokes(marks, members, labels):
                        left, top = marks.boxes[members, :2].min(axis=0)
                        right, bottom = marks.boxes[members, 2:].max(axis=0)
                        covered[top:bottom, left:right] = True
            if count <= FEW_MARKS:
                break  # on an even ground a stronger ink shows nothing new
    return 100 * float(covered.mean())


def _ground(view: View) -> Floats:
    """The picture's lightness without small marks: a median over 40 px, of every eighth pixel."""
    sparse = ndimage.median_filter(view.luma[::8, ::8], 5)
    height, width = view.luma.shape
    return sparse.repeat(8, axis=0).repeat(8, axis=1)[:height, :width]


@dataclass(frozen=True)
class _Marks:
    """Connected dark (or light) marks.

    Attributes:
        numbers: (marks,) labels. boxes: (marks, 4) left, top, right, bottom. contrast: (marks,) mean, levels.
        ink: (marks,) strongest level, signed. fill: (marks,) inked share of the box.
    """

    numbers: NDArray[np.int64]
    boxes: NDArray[np.int64]
    contrast: NDArray[np.float64]
    ink: NDArray[np.float64]
    fill: NDArray[np.float64]


def _marks(labels: NDArray[np.int32], count: int, difference: Floats, level: Floats) -> _Marks:
    """Those of some connected regions that have a letter's form."""
    inked = np.flatnonzero(labels)
    of_mark = labels.ravel()[inked]
    area = np.bincount(of_mark, minlength=count + 1)[1:]
    mean = np.bincount(of_mark, difference.ravel()[inked], count + 1)[1:] / area
    boxes = np.array([(b.start, a.start, b.stop, a.stop) for a, b in ndimage.find_objects(labels)])
    wide, high = boxes[:, 2] - boxes[:, 0], boxes[:, 3] - boxes[:, 1]
    fill = area / (wide * high)
    letters = (high >= LETTER[0]) & (high <= LETTER[1]) & (wide <= 2.5 * high) & (high <= 9 * wide)
    letters &= (fill >= FILL[0]) & ((fill <= FILL[1]) | (wide < 0.4 * high))
    ink = [
        level[top:bottom, left:right][labels[top:bottom, left:right] == number + 1].max()
        for number, (left, top, right, bottom) in zip(np.flatnonzero(letters), boxes[letters], strict=True)
    ]
    return _Marks(np.flatnonzero(letters) + 1, boxes[letters], mean[letters], np.array(ink, np.float64), fill[letters])


def _lines(marks: _Marks) -> list[NDArray[np.int64]]:
    """Positions in `marks` of rows of at least `IN_A_LINE` of like height, ink and base line, close to one another."""
    boxes, contrast = marks.boxes, marks.contrast
    if len(boxes) < IN_A_LINE:
        return []
    left, top, right, bottom = boxes.T
    high, middle = bottom - top, (top + bottom) / 2
    gap = left[None] - right[:, None]
    tall = np.maximum(high[None], high[:, None])
    near = (gap > -0.3 * tall) & (gap < 0.9 * tall) & (left[None] > left[:, None])
    near &= np.abs(middle[None] - middle[:, None]) < 0.35 * tall
    near &= tall < 2.0 * np.minimum(high[None], high[:, None])
    inks = np.maximum(contrast[None], contrast[:, None])
    near &= np.abs(contrast[None] - contrast[:, None]) < EVEN_INK * inks
    near &= np.abs(marks.ink[None] - marks.ink[:, None]) < 2 * SAME_INK
    from scipy.sparse.csgraph import connected_components

    _, row = connected_components(near, directed=False)
    lines = []
    for number in np.flatnonzero(np.bincount(row) >= IN_A_LINE):
        members = np.flatnonzero(row == number)
        even = float(marks.ink[members].std()) <= SAME_INK
        if even and _reads_as_text(boxes[members], marks.fill[members]):
            lines.append(members)
    return lines


def _has_strokes(marks: _Marks, members: NDArray[np.int64], labels: NDArray[np.int32]) -> bool:
    """Whether half a line's marks are bent or hollow, as letters are; leaves and stones bulge.

    Marks under `TALL` pixels could be either.
    """
    from skimage.morphology import convex_hull_image

    boxes = marks.boxes[members]
    if np.median(boxes[:, 3] - boxes[:, 1]) < TALL:
        return True
    forms = [
        labels[top:bottom, left:right] == number
        for number, (left, top, right, bottom) in zip(marks.numbers[members], boxes, strict=True)
    ]
    return bool(np.median([form.sum() / convex_hull_image(form).sum() for form in forms]) <= BULGING)


def _reads_as_text(boxes: NDArray[np.int64], fill: NDArray[np.float64]) -> bool:
    """Letters differ in width or ink and stand on one line; bricks and planks are alike, leaves jump."""
    wide, high = boxes[:, 2] - boxes[:, 0], boxes[:, 3] - boxes[:, 1]
    tall = float(np.median(high))
    order = np.argsort(boxes[:, 0])
    base = boxes[order, 3]
    slope, start = np.polyfit(boxes[order, 0], base, 1)
    away = np.abs(base - start - slope * boxes[order, 0])
    on_line = abs(slope) <= STEEPEST and float(np.median(away)) <= max(1.0, 0.12 * tall)
    varied = float(wide.std() / max(wide.mean(), 1)) > 0.12 or float(fill.std()) > 0.06
    return on_line and varied


def overlay_area(view: View) -> float:
    """Flat shapes with crisp edges outside the product, % of the frame."""
    pixels = view.pixels[::STRIDE, ::STRIDE]
    clear = view.alpha[::STRIDE, ::STRIDE] == 0
    flat = _flat(pixels) & view.outside[::STRIDE, ::STRIDE]
    labels, count = ndimage.label(flat)
    covered = np.zeros(flat.shape, bool)
    area = np.bincount(labels.ravel(), minlength=count + 1)[1:]
    boxes = ndimage.find_objects(labels)
    for number in np.flatnonzero((area >= PIECE * flat.size) & (area <= SHAPE[1] * flat.size)):
        piece = labels[boxes[number]] == number + 1
        colour = np.median(pixels[boxes[number]][piece], axis=0)
        if np.abs(pixels[boxes[number]][piece] - colour).mean() <= FLAT_STEP:  # else a gradient: sky, wall
            _cover(covered, pixels, clear, boxes[number], colour)
    return 100 * float(covered.mean())


def _flat(pixels: np.ndarray) -> Mask:
    """Pixels that equal their right and lower neighbours within a few levels."""
    values = pixels.astype(np.int16)
    flat = np.zeros(values.shape[:2], bool)
    across = strongest(np.abs(values[:, 1:] - values[:, :-1])) <= FLAT_STEP
    down = strongest(np.abs(values[1:] - values[:-1])) <= FLAT_STEP
    flat[:-1, :-1] = across[:-1] & down[:, :-1]
    return flat


def _cover(
    covered: Mask, pixels: np.ndarray, clear: Mask, box: tuple[slice, slice], colour: NDArray[np.float64]
) -> None:
    """Marks the shape that a flat piece belongs to, if it is an overlay: letters may cut it in two."""
    around = _wider(box[0]), _wider(box[1])
    values, free = pixels[around].astype(np.float32), clear[around]
    same = (strongest(np.abs(values - colour)) <= SAME_COLOUR) & free
    room = np.pad(same, LETTERS + 1)  # or closing would draw a shape near the frame to its edge
    closed = shrunk(grown(room, LETTERS), LETTERS)[LETTERS + 1 : -LETTERS - 1, LETTERS + 1 : -LETTERS - 1]
    labels, _ = ndimage.label(ndimage.binary_fill_holes(closed))
    top, left = (part.start - whole.start for part, whole in zip(box, around, strict=True))
    inner = labels[top : top + box[0].stop - box[0].start, left : left + box[1].stop - box[1].start]
    if not inner.any():
        return
    shape = labels == np.bincount(inner[inner > 0]).argmax()
    rows, columns = np.flatnonzero(shape.any(axis=1)), np.flatnonzero(shape.any(axis=0))
    extent = (rows[-1] - rows[0] + 1) * (columns[-1] - columns[0] + 1)
    area = int(shape.sum())
    if not SHAPE[0] * covered.size <= area <= SHAPE[1] * covered.size or area < OVERLAY_FILL * extent:
        return
    rings = [grown(shape, radius + 1) & ~grown(shape, radius) & free for radius in (1, 3)]
    rim = int((grown(shape, 1) & ~shape).sum())
    if shape[[0, -1]].any() or shape[:, [0, -1]].any() or min(ring.sum() for ring in rings) < 0.5 * rim:
        return  # it goes on beyond what is looked at, touches the frame, or lies behind the product
    beside, apart = (float(np.quantile(np.abs(values[ring] - colour).mean(axis=1), 0.15)) for ring in rings)
    if beside > OVERLAY_CONTRAST and beside >= CRISP * apart:
        covered[around] |= shape


def _wider(part: slice) -> slice:
    reach = part.stop - part.start + 6
    return slice(max(0, part.start - reach), part.stop + reach)
