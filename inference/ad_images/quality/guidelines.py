"""Guidelines that are measured: unit, usual limit, direction, what may change, and the sentence of the evidence.

Belongs here: what is known of a guideline without looking at a picture. Not here: the measuring (measurements.py), a
brand's own limits (brand.py).
"""

from dataclasses import dataclass

from inference.ad_images.finding import Change

CAPTION, LIGHT, POSITION, SEED = Change.CAPTION, Change.LIGHT, Change.POSITION, Change.SCENE_SEED
STRENGTH, THEME, LARGER, SMALLER = Change.STRENGTH, Change.THEME, Change.SCALE_UP, Change.SCALE_DOWN


@dataclass(frozen=True)
class Measured:
    """A guideline that code answers.

    Attributes:
        limit: usual one. at_least: the value must reach the limit; otherwise it must not pass it.
        lowest, highest: that a limit may be.
        may_change: what could mend a picture that fails, most promising first.
        sentence: of the evidence, with {value} and {limit}.
    """

    unit: str
    limit: float
    at_least: bool
    lowest: float
    highest: float
    may_change: tuple[Change, ...]
    sentence: str

    def passes(self, value: float, limit: float) -> bool:
        return value >= limit if self.at_least else value <= limit


def _at_most(
    unit: str, limit: float, highest: float, may_change: tuple[Change, ...], sentence: str, lowest: float = 0.0
) -> Measured:
    return Measured(unit, limit, False, lowest, highest, may_change, sentence)


def _at_least(
    unit: str, limit: float, highest: float, may_change: tuple[Change, ...], sentence: str, lowest: float = 0.0
) -> Measured:
    return Measured(unit, limit, True, lowest, highest, may_change, sentence)


GUIDELINES: dict[str, Measured] = {
    # The product is what was placed.
    "product_identity": _at_most("levels", 0, 0, (), "kept pixels differ by up to {value:.0f} of 255 levels"),
    "object_expansion": _at_most(
        "% of product", 2, 100, (SEED, STRENGTH, CAPTION), "the product grew by {value:.1f} % (at most {limit:g} %)"
    ),
    "halo": _at_most("ΔE", 6, 100, (THEME, SEED), "the edge is {value:.1f} ΔE away from product and background"),
    "duplicates": _at_most(
        "likeness", 0.55, 1, (SEED, CAPTION), "something like the product is there again (likeness {value:.2f})"
    ),
    # Framing.
    "clipping": _at_most(
        "% of edge", 0, 100, (SMALLER, POSITION), "the product runs over {value:.1f} % of the canvas edge"
    ),
    "frame_share": _at_least(
        "% of frame", 25, 100, (LARGER,), "the product fills {value:.0f} % (at least {limit:g} %)"
    ),
    "thirds": _at_most(
        "% of diagonal",
        20,
        100,
        (POSITION, LARGER),
        "the middle is {value:.0f} % of the diagonal off a crossing of thirds",
    ),
    "longer_side": _at_least("px", 1000, 20000, (), "the picture is {value:.0f} px long (at least {limit:g} px)"),
    "white_background": _at_least(
        "% of background", 99.5, 100, (THEME,), "{value:.1f} % of the background is pure white (at least {limit:g} %)"
    ),
    # Overlays.
    "text_area": _at_most("% of frame", 0.1, 100, (SEED, CAPTION), "text covers {value:.2f} % of the frame"),
    "overlay_area": _at_most(
        "% of frame", 0.3, 100, (SEED, CAPTION), "a flat overlay covers {value:.2f} % of the frame"
    ),
    # Ground and light.
    "contact_shadow": _at_least(
        "% darker", 10, 100, (LIGHT, SEED), "the ground at the product is {value:.0f} % darker (at least {limit:g} %)"
    ),
    "shadow_side": _at_least(
        "cosine", 0.1, 1, (LIGHT, SEED), "the shadow's direction agrees by {value:+.2f} with the light (-1 to 1)", -1
    ),
    "horizon": _at_least(
        "% of height",
        1,
        100,
        (POSITION, SEED),
        "the product's foot is {value:+.1f} % of the height below the horizon",
        -100,
    ),
    "horizon_tilt": _at_most("°", 1.5, 45, (SEED, CAPTION), "the horizon is tilted by {value:.1f}°"),
    # Exposure, colour, sharpness.
    "highlights": _at_most("% of background", 8, 100, (LIGHT, SEED), "{value:.1f} % of the background is burnt out"),
    "blacks": _at_most("% of background", 12, 100, (LIGHT, SEED), "{value:.1f} % of the background is black"),
    "brightness": _at_least("L*", 30, 100, (LIGHT, THEME), "mean lightness is {value:.0f} L* (at least {limit:g})"),
    "palette": _at_most(
        "ΔE2000",
        18,
        100,
        (THEME, SEED),
        "the background is {value:.1f} ΔE2000 off the palette (at most {limit:g})",
    ),
    "contrast": _at_least(
        "ΔE2000", 8, 100, (THEME, SEED), "the product stands out by {value:.1f} ΔE2000 (at least {limit:g})"
    ),
    "sharpness": _at_least(
        "ratio", 0.5, 100, (SEED, CAPTION), "the product is {value:.1f} times as sharp as its background"
    ),
    "clutter": _at_most("% of background", 50, 100, (SEED, THEME), "{value:.0f} % of the background is edges"),
}
