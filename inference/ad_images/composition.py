"""Composition: where, how large and how turned a product stands in its nine plans, and the product so placed.

Belongs here: the grid, relative size, fitting a plan to its canvas, the one resampling. Not here: the types (plan.py),
the scene (backdrops/), pasting (compositing.py).

| product | turned | three variants of a section |
|---|---|---|
| lies (seen from above) | 0°, +15°, -15° | rotation, and a scene each |
| stands (eye level) | never: it would leave its ground | three scenes |

Every placed product is resampled once, from the full-size cut-out, on colours premultiplied by alpha.
"""

import hashlib
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
from PIL import Image
from scipy.ndimage import minimum_filter

from inference.ad_images.cutout import Cutout
from inference.ad_images.plan import Placed, Plan, Support
from inference.ad_images.refusal import AdRefused, RefusalCode
from inference.ad_images.request import AdBrief

MARGIN = 0.05  # share of the canvas' shorter side that stays free around a product
STANDING_BASE = 0.86  # share of the height, where a theme has no base line of its own
PULL = 0.4  # of a section's width, from its centre toward the picture's: near the lines of thirds
MAX_OVERSAMPLING = 4
SMALLEST = 4  # pixels of the target's longer side
LOBES = 3  # pixels of the target that Lanczos reaches beyond an edge
Box = tuple[float, float, float, float]

# Longer side of the product in cm → its share of the canvas' shorter side. Small things are shown larger than true
# size would have it, or no one would see what is sold.
SIZES_CM = (2.0, 8.0, 25.0, 60.0, 120.0, 200.0)
SHARES = (0.36, 0.44, 0.54, 0.64, 0.72, 0.78)

ISOLATED = 0.86  # share of the frame that a main image's product fills along one side; channels ask for 0.85
MOST_ENLARGED = 2.0  # times, of a photograph's pixels in a main image

RelativeSize = Callable[[AdBrief, Cutout], float | None]
"""Who may say a better relative size than the rules (a VLM that saw the canvas); None leaves it to them."""


@dataclass(frozen=True)
class Grid:
    """Columns of the canvas and angles of the product; every pair is a plan.

    Attributes:
        rotations: degrees, clockwise.

    Raises:
        ValueError: no section, no rotation, or an angle beyond a quarter turn.
    """

    sections: int = 3
    rotations: tuple[float, ...] = (0, 15, -15)

    def __post_init__(self) -> None:
        if self.sections < 1 or not self.rotations or any(not abs(angle) <= 90 for angle in self.rotations):
            raise ValueError(f"a grid has at least one section and rotations from -90 to 90 degrees, not {self}")


def plans_for(
    brief: AdBrief,
    cutout: Cutout,
    *,
    grid: Grid = Grid(),
    scale_factor: float = 1.0,
    base_y: float | None = None,
    shift: float = 0.0,
    relative_size: RelativeSize | None = None,
) -> list[Plan]:
    """The plans of one product, section by section, each fitted to the canvas of the request.

    Args:
        scale_factor: times the relative size, for a retry that wants it larger or smaller.
        base_y: share of the height where a standing product's lowest row lies (the theme's band); None for the usual.
        shift: share of the width by which every plan is moved to the right.
        relative_size: asked before the rules.

    Returns:
        sections x rotations plans, numbered from 0. Those of one variant share a scene seed, so that a backend draws
        their scene once.
    """
    stands = brief.support is Support.STANDS
    asked = relative_size(brief, cutout) if relative_size else None
    share = scale_factor * (ruled_size(brief, cutout) if asked is None else asked)
    plans: list[Plan] = []
    for section in range(grid.sections):
        for variant, rotation in enumerate(grid.rotations):
            plan = Plan(
                number=len(plans),
                section=section,
                sections=grid.sections,
                rotation=0.0 if stands else float(rotation),
                scale=share,
                center_x=_aim(section, grid.sections) + shift,
                base_y=STANDING_BASE if base_y is None else base_y,
                support=brief.support,
                scene_seed=_seed(brief.request.seed, variant),
                note=_standing_note(rotation, variant, len(grid.rotations)) if stands else "",
            )
            plans.append(fitted(plan, cutout, brief.request.size, centred=not stands and base_y is None))
    return plans


def isolated_plan(brief: AdBrief, cutout: Cutout, scale_factor: float = 1.0) -> Plan:
    """The one plan of a main image: in the middle, upright, filling the frame along one side.

    Raises:
        AdRefused: PHOTO_TOO_SMALL, the product would have to be enlarged more than twice.
    """
    size = brief.request.size
    share = scale_factor * ISOLATED * max(size) / min(size)
    seed = _seed(brief.request.seed, 0)
    plan = Plan(0, 0, 1, 0.0, share, 0.5, 1 - MARGIN, brief.support, seed, "fills the frame of a main image")
    plan = fitted(plan, cutout, size, centred=True)
    longer = max(cutout.pixels.shape[:2])
    asked = plan.scale * min(size)
    if asked > MOST_ENLARGED * longer:
        raise AdRefused(
            RefusalCode.PHOTO_TOO_SMALL,
            f"the product has {longer} pixels in its photograph, and a main image of {size[0]} x {size[1]} shows it "
            f"with {asked:.0f}; give a photograph in which it has at least {math.ceil(asked / MOST_ENLARGED)}.",
        )
    return plan


def ruled_size(brief: AdBrief, cutout: Cutout) -> float:
    """Share of the canvas' shorter side for the product's longer one, by its real size."""
    height, width = cutout.pixels.shape[:2]
    longer_cm = brief.height_cm * max(1.0, width / height)
    return float(np.interp(math.log(max(longer_cm, 0.1)), np.log(SIZES_CM), SHARES))


def _aim(section: int, sections: int) -> float:
    """The horizontal centre that a section aims for, inside its band and pulled toward the middle."""
    centre = (section + 0.5) / sections
    outermost = 0.5 - 0.5 / sections
    return centre + (PULL / sections * (0.5 - centre) / outermost if outermost else 0.0)


def _seed(seed: int, variant: int) -> int:
    """A scene's seed, 0 to 2**31 - 1: the same for the same request, unrelated between variants."""
    digest = hashlib.sha256(f"scene:{seed}:{variant}".encode()).digest()
    return int.from_bytes(digest[:4], "big") >> 1


def _standing_note(rotation: float, variant: int, variants: int) -> str:
    turned = f"; not turned by {rotation:g}°, which would take it off its ground" if rotation else ""
    return f"stands: scene {variant + 1} of {variants}{turned}"


def fitted(plan: Plan, cutout: Cutout, size: tuple[int, int], *, centred: bool = False) -> Plan:
    """The plan, moved or made smaller where the product would leave the canvas or its margin; its note says so.

    A plan that fits comes back as it is.

    Args:
        size: (width, height) of the canvas, pixels.
        centred: put the product's box in the vertical middle in place of `base_y`.
    """
    width, height = size
    margin = MARGIN * min(size)
    left, top, right, bottom = _turned_box(cutout.alpha, plan.rotation)
    box_width, box_height = right - left + 2, bottom - top + 2  # an edge fades out over a pixel of the source
    longer = max(cutout.pixels.shape[:2])
    pixels = plan.scale * min(size) / longer  # canvas pixels for one of the cut-out
    stands = plan.support is Support.STANDS
    floor = min(max(plan.base_y * height, height / 2 if stands else 0.0), height - margin)
    room_high = floor - margin if stands else height - 2 * margin
    fits = min(_room_wide(plan, width, margin) / box_width, room_high / box_height)
    notes = [plan.note] if plan.note else []
    scale = plan.scale
    if fits < pixels - 1e-9:
        # Rounded, so that sections on both sides come to the same scale and share a resampling.
        scale = math.floor(fits * longer / min(size) * 1000) / 1000
        notes.append(f"made smaller to fit, {plan.scale:.3f} to {scale:.3f}")
    fits = scale * min(size) / longer
    half_wide, high = fits * box_width / 2, fits * box_height
    center = min(max(plan.center_x * width, margin + half_wide), width - margin - half_wide)
    if abs(center - plan.center_x * width) > 1e-6:
        notes.append(f"moved from {plan.center_x:.3f} to {center / width:.3f} of the width to fit")
    base = (height + high) / 2 if centred else min(max(floor, margin + high), height - margin)
    if not centred and abs(base - plan.base_y * height) > 1e-6:
        notes.append(f"its base moved from {plan.base_y:.3f} to {base / height:.3f} of the height to fit")
    base_y = plan.base_y if not centred and abs(base - plan.base_y * height) <= 1e-6 else base / height
    center_x = plan.center_x if abs(center - plan.center_x * width) <= 1e-6 else center / width
    return replace(plan, scale=scale, center_x=center_x, base_y=base_y, note="; ".join(notes))


def _room_wide(plan: Plan, width: int, margin: float) -> float:
    """The widest box whose centre can stay in the plan's section."""
    left, right = plan.section / plan.sections * width, (plan.section + 1) / plan.sections * width
    nearest = min(max(width / 2, left), right)
    return 2 * (min(nearest, width - nearest) - margin)


def _turned_box(alpha: np.ndarray, rotation: float) -> Box:
    """Left, top, right, bottom of what is visible, turned clockwise around the upper left corner; source pixels."""
    seen, width = alpha > 0, alpha.shape[1]
    rows = np.flatnonzero(seen.any(axis=1))
    first, last = seen.argmax(axis=1)[rows], width - seen[:, ::-1].argmax(axis=1)[rows]
    x = np.concatenate([first, last, first, last]).astype(np.float64)
    y = np.concatenate([rows, rows, rows + 1, rows + 1]).astype(np.float64)
    cosine, sine = math.cos(math.radians(rotation)), math.sin(math.radians(rotation))
    across, down = cosine * x - sine * y, sine * x + cosine * y
    return float(across.min()), float(down.min()), float(across.max()), float(down.max())


def place(cutout: Cutout, plan: Plan, size: tuple[int, int]) -> Placed:
    """The product on an empty canvas, wholly inside it; see `place_all`, which shares what plans have in common."""
    return place_all(cutout, [plan], size)[0]


def place_all(cutout: Cutout, plans: Sequence[Plan], size: tuple[int, int]) -> list[Placed]:
    """The product placed by each plan. Plans of the same scale and rotation share one resampling.

    Args:
        size: (width, height) of the canvas, pixels.

    Returns:
        In the order of the plans; their plans are fitted (`fitted`), and their boxes stand on whole pixels.
    """
    patches: dict[tuple[float, float], np.ndarray] = {}
    placed = []
    for plan in plans:
        plan = fitted(plan, cutout, size)
        key = (plan.scale, plan.rotation)
        if key not in patches:
            patches[key] = _resampled(cutout.pixels, plan.scale * min(size) / max(cutout.pixels.shape[:2]), key[1])
        placed.append(_on_canvas(patches[key], plan, size, cutout.digest))
    return placed


def _on_canvas(patch: np.ndarray, plan: Plan, size: tuple[int, int], digest: str) -> Placed:
    width, height = size
    high, wide = patch.shape[:2]
    left = min(max(round(plan.center_x * width - wide / 2), 0), width - wide)
    top = min(max(round(plan.base_y * height) - high, 0), height - high)
    canvas = np.zeros((height, width, 4), np.uint8)
    canvas[top : top + high, left : left + wide] = patch
    return Placed(plan, canvas, (left, top, left + wide, top + high), digest)


def _resampled(pixels: np.ndarray, scale: float, rotation: float) -> np.ndarray:
    """A premultiplied picture, scaled and turned with one resampling, cropped to alpha > 0.

    Lanczos rings: beside the silhouette it would draw a brighter line inside and a faint one outside, the halo that a
    cut-out is known by. Pixels whose Lanczos window reaches over the silhouette therefore take a kernel without
    negative weights (Hamming), of the same source; the rest of the product takes Lanczos, and stays opaque.

    Where it is turned, the affine is drawn at a whole multiple of the target's resolution, finer than the source, so
    that it takes nothing away, and the filtering is left to the resampling, as without a turn.

    Raises:
        AdRefused: BAD_SIZE, nothing of the product would be seen.
    """
    if scale * max(pixels.shape[:2]) < SMALLEST:
        raise _unseen()
    source, box, shape = _upright(pixels, scale) if rotation == 0 else _turned(pixels, scale, rotation)
    patch = np.array(source.resize(shape, Image.Resampling.HAMMING, box=box))
    alpha = patch[..., 3]
    reach = math.ceil(LOBES * max(1.0, scale))
    inner = minimum_filter(alpha, 2 * reach - 1, mode="constant") == 255
    lanczos = np.asarray(source.resize(shape, Image.Resampling.LANCZOS, box=box))
    patch[inner, :3] = lanczos[inner, :3]
    rows, columns = np.flatnonzero(alpha.any(axis=1)), np.flatnonzero(alpha.any(axis=0))
    if rows.size == 0:
        raise _unseen()
    return np.ascontiguousarray(patch[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1])


def _unseen() -> AdRefused:
    return AdRefused(
        RefusalCode.BAD_SIZE,
        "the product would be too small on this canvas to be seen; ask for a larger size, or for a larger product.",
    )


def _upright(pixels: np.ndarray, scale: float) -> tuple[Image.Image, Box, tuple[int, int]]:
    """The source on a transparent rim, the part of it to resample, the target's (width, height).

    The lowest row of the product ends on a whole pixel of the target: it stands on it.
    """
    height, width = pixels.shape[:2]
    shape = math.ceil(width * scale) + 2 * LOBES, math.ceil(height * scale) + LOBES
    spare, above = shape[0] / scale - width, shape[1] / scale - height
    rim = math.ceil(max(spare, above)) + 1
    source = _premultiplied(np.pad(pixels, ((rim, rim), (rim, rim), (0, 0))))
    left, top = rim - spare / 2, rim - above
    return source, (left, top, left + shape[0] / scale, top + shape[1] / scale), shape


def _turned(pixels: np.ndarray, scale: float, rotation: float) -> tuple[Image.Image, Box, tuple[int, int]]:
    """As `_upright`, of the source turned clockwise at a whole multiple of the target's resolution."""
    import skia

    reduced = int(1 / (scale * MAX_OVERSAMPLING))
    if reduced > 1:  # of a photograph much larger than the canvas: plain means of whole blocks
        pixels = np.asarray(_premultiplied(pixels).reduce(reduced))
        scale *= reduced
    times = min(max(2, math.ceil(1 / scale)), MAX_OVERSAMPLING)
    left, top, right, bottom = _turned_box(pixels[..., 3], rotation)
    shape = math.ceil((right - left) * scale) + 2 * LOBES, math.ceil((bottom - top) * scale) + 2 * LOBES
    source = np.ascontiguousarray(np.pad(pixels, ((2, 2), (2, 2), (0, 0))))
    fine = np.zeros((shape[1] * times, shape[0] * times, 4), np.uint8)
    surface = skia.Surface(fine, colorType=skia.kRGBA_8888_ColorType, alphaType=skia.kPremul_AlphaType)
    canvas = surface.getCanvas()
    canvas.scale(scale * times, scale * times)
    canvas.translate(shape[0] / scale / 2 - (left + right) / 2, shape[1] / scale / 2 - (top + bottom) / 2)
    canvas.rotate(rotation)
    image = skia.Image.fromarray(source, colorType=skia.kRGBA_8888_ColorType, alphaType=skia.kPremul_AlphaType)
    canvas.drawImage(image, -2, -2, skia.SamplingOptions(skia.CubicResampler.Mitchell()))
    surface.flushAndSubmit()
    return _premultiplied(fine), (0.0, 0.0, float(fine.shape[1]), float(fine.shape[0])), shape


def _premultiplied(pixels: np.ndarray) -> Image.Image:
    """Pillow's picture of premultiplied pixels: of this mode it resamples the four channels as they are."""
    height, width = pixels.shape[:2]
    return Image.frombytes("RGBa", (width, height), np.ascontiguousarray(pixels).tobytes())
