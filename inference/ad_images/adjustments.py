"""Adjustments: what one attempt changes against the attempt before, and which stages must run again for it.

Belongs here: the type and its arithmetic. Not here: what asks for a change: failed guidelines (feedback.py), a
reviewer's comment (comments.py).
"""

from dataclasses import dataclass, fields, replace
from enum import StrEnum

from inference.ad_images.plan import Plan, Support
from inference.ad_images.scene import Light


class Stage(StrEnum):
    """Stages of the pipeline, in the order in which they run."""

    GUARDRAILS = "guardrails"
    CUTOUT = "cutout"
    DECOMPOSITION = "decomposition"
    RETRIEVAL = "retrieval"
    CAPTION = "caption"
    COMPOSITION = "composition"
    BACKGROUND = "background"
    COMPOSITING = "compositing"  # shadow and paste
    QUALITY = "quality"
    RANKING = "ranking"


FINISH = (Stage.BACKGROUND, Stage.COMPOSITING, Stage.QUALITY, Stage.RANKING)
SMALLEST, LARGEST = 0.1, 0.98  # scale of a plan


@dataclass(frozen=True)
class Adjustment:
    """Changes against the attempt before; every field's own value changes nothing.

    Attributes:
        scale: factor on the product's size. shift: added to `center_x`, share of the width, to the right.
        down: added to `base_y`, share of the height. center: move to the middle of the canvas.
        turn: degrees added to the rotation, clockwise, of products that may be turned. straighten: rotation 0.
        softness, elevation, warmth: added to the light's. mirror_light: from the other side.
        light_from: azimuth in degrees, or None.
        scene_seed: added to the seeds of the scenes.
        words: that the caption gains; without: that it loses, and that a background must not show.
        theme: name of another theme. next_theme: any other theme that the product has.
        palette: keep the background to the brand's palette.
        strength: of a generator, or None.
        relaxed: flexible guidelines that are let go.
        cut_again: the cut-out itself is wrong.
        checked_words: False where the words come from a person and must pass the guardrails.
        unknown: parts of a comment that no rule understands.
    """

    scale: float = 1.0
    shift: float = 0.0
    down: float = 0.0
    center: bool = False
    turn: float = 0.0
    straighten: bool = False
    softness: float = 0.0
    elevation: float = 0.0
    warmth: float = 0.0
    mirror_light: bool = False
    light_from: float | None = None
    scene_seed: int = 0
    words: tuple[str, ...] = ()
    without: tuple[str, ...] = ()
    theme: str | None = None
    next_theme: bool = False
    palette: bool = False
    strength: float | None = None
    relaxed: tuple[str, ...] = ()
    cut_again: bool = False
    checked_words: bool = True
    unknown: tuple[str, ...] = ()

    @property
    def stages(self) -> tuple[Stage, ...]:
        """Stages to run again, in order; none where nothing changes. What they read from earlier ones is kept."""
        again: set[Stage] = set()
        if self.relaxed:
            again |= {Stage.RANKING}
        if self._changes("softness", "elevation", "warmth", "mirror_light", "light_from", "scene_seed", "strength"):
            again |= set(FINISH)
        if self._changes("scale", "shift", "down", "center", "turn", "straighten"):
            again |= {Stage.COMPOSITION, *FINISH}
        if self._changes("palette"):
            again |= set(FINISH)
        if self._changes("theme", "next_theme"):
            again |= {Stage.RETRIEVAL, Stage.CAPTION, Stage.COMPOSITION, *FINISH}
        if self._changes("words", "without"):
            again |= {Stage.DECOMPOSITION, Stage.RETRIEVAL, Stage.CAPTION, *FINISH}
            if not self.checked_words:
                again.add(Stage.GUARDRAILS)
        if self.cut_again:
            again |= {Stage.CUTOUT, Stage.COMPOSITION, *FINISH}
        return tuple(stage for stage in Stage if stage in again)

    @property
    def sentence(self) -> str:
        """What changes, for a person."""
        said = [text for text in self._said() if text]
        if self.unknown:
            parts = "; ".join(f"'{part}'" for part in self.unknown)
            said.append(f"not understood: {parts} (say size, place, turn, light, shadow, colours or what to show)")
        return "; ".join(said) if said else "nothing changes"

    def _said(self) -> list[str]:
        lights = (("softness", "softer", "harder"), ("elevation", "higher", "lower"), ("warmth", "warmer", "cooler"))
        light = [(more if getattr(self, name) > 0 else less) for name, more, less in lights if getattr(self, name)]
        turns = self._changes("mirror_light") or self.light_from is not None
        return [
            f"product {self.scale:.2f} times as large" if self.scale != 1 else "",
            f"product {abs(self.shift):.0%} of the width to the {'right' if self.shift > 0 else 'left'}"
            if self.shift
            else "",
            f"product {abs(self.down):.0%} of the height {'lower' if self.down > 0 else 'higher'}" if self.down else "",
            "product in the middle" if self.center else "",
            f"product turned by {self.turn:+.0f}°" if self.turn else "",
            "product upright" if self.straighten else "",
            f"light {' and '.join(light)}" if light else "",
            "light from another side" if turns else "",
            "another scene" if self.scene_seed else "",
            f"with {', '.join(self.words)}" if self.words else "",
            f"without {', '.join(self.without)}" if self.without else "",
            f"theme {self.theme}" if self.theme else "another theme" if self.next_theme else "",
            "background in the brand's colours" if self.palette else "",
            f"generator strength {self.strength:g}" if self.strength is not None else "",
            f"let go: {', '.join(self.relaxed)}" if self.relaxed else "",
            "cut out again" if self.cut_again else "",
        ]

    def _changes(self, *names: str) -> bool:
        usual = Adjustment()
        return any(getattr(self, name) != getattr(usual, name) for name in names)

    def then(self, later: "Adjustment") -> "Adjustment":
        """Both changes as one: what adds up adds up, of the rest the later one counts."""
        values: dict[str, object] = {}
        for field in fields(Adjustment):
            mine, theirs = getattr(self, field.name), getattr(later, field.name)
            if field.name == "scale":
                values[field.name] = mine * theirs
            elif field.name == "checked_words":
                values[field.name] = mine and theirs
            elif isinstance(field.default, bool):
                values[field.name] = mine or theirs
            elif isinstance(field.default, tuple):
                values[field.name] = tuple(dict.fromkeys((*mine, *theirs)))
            elif field.default is None:
                values[field.name] = mine if theirs is None else theirs
            else:
                values[field.name] = mine + theirs
        return replace(Adjustment(), **values)  # type: ignore[arg-type]

    def lit(self, light: Light) -> Light:
        """The light, changed and kept within its ranges."""
        azimuth = light.azimuth if self.light_from is None else self.light_from
        return Light(
            azimuth=(180.0 - azimuth) % 360 if self.mirror_light else azimuth,
            elevation=min(90.0, max(10.0, light.elevation + self.elevation)),
            softness=min(1.0, max(0.0, light.softness + self.softness)),
            warmth=min(1.0, max(-1.0, light.warmth + self.warmth)),
        )

    def placed(self, plan: Plan) -> Plan:
        """The plan, changed; a product that stands is never turned. Whether it fits the canvas, composition decides."""
        rotation = 0.0 if self.straighten else plan.rotation + self.turn
        return replace(
            plan,
            scale=min(LARGEST, max(SMALLEST, plan.scale * self.scale)),
            center_x=min(1.0, max(0.0, 0.5 if self.center else plan.center_x + self.shift)),
            base_y=min(1.0, max(0.0, plan.base_y + self.down)),
            rotation=plan.rotation if plan.support is Support.STANDS else rotation,
            scene_seed=plan.scene_seed + self.scene_seed,
        )
