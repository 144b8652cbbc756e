"""Everyday facts about a picture of the generic world.

Belongs here: phrases for shapes, counts, places, textures, figures, lines, letters.
Not here: drawing them (catalog/drawn/world_canvas.py), kinds of question (facts.py).
"""

from collections import Counter
from collections.abc import Iterable

import numpy as np

from catalog.drawn.world import FLARES, LETTERS, OPENINGS, SHAPES, SURFACES, TEXTURES, Thing, WorldScene, rgb_to_lab
from training.blip2.pretraining.colour_text import colour_facts, colour_name
from training.blip2.pretraining.facts import Fact

NUMBERS = ("none", "one", "two", "three", "four", "five", "six", "seven")
_TEXTURE_WORDS = {
    "plain": "no texture", "stripes": "lines lying down", "bars": "lines standing up", "slants": "lines leaning",
    "checks": "a lattice", "dots": "discs in rows", "waves": "waves", "patches": "random blocks", "fade": "one tint fading",
    "weave": "basket weave", "grain": "short dashes", "loops": "rows of hooks", "blobs": "blobs", "leaves": "scattered leaves",
}  # fmt: skip
_OPENING_WORDS = {
    "none": "closed", "curved": "a shallow dip", "pointed": "a notch with a point", "boxy": "a boxy gap",
    "wide": "a very wide dip", "rim": "a raised slab", "flaps": "two little wings", "slit": "a narrow slit",
}  # fmt: skip
_FLARE_WORDS = {"tapering": "narrower below", "straight": "equally wide", "widening": "wider below"}
_ARM_WORDS = ("no limbs", "stumps", "limbs to the middle", "limbs below the middle", "limbs down to the end")
_LENGTH_WORDS = ("stubby", "middling", "tall", "very tall")
_FINISH_WORDS = {"flat": "flat and even", "shiny": "glossy with glints", "rough": "rough and grainy"}
_LIGHT_WORDS = {
    "even": "from everywhere", "left": "from the left", "right": "from the right", "above": "from above", "below": "from below",
}  # fmt: skip
_PLACES = (("upper left", "upper middle", "upper right"), ("left middle", "centre", "right middle"),
           ("lower left", "lower middle", "lower right"))  # fmt: skip


def scene_facts(scene: WorldScene, rng: np.random.Generator) -> list[Fact]:
    """What is true of a scene, in everyday words; `rng` picks which things are spoken of."""
    facts = [
        _fact("light", _LIGHT_WORDS[scene.light], _LIGHT_WORDS.values(), ("where does the light come from", "which side is lit"),
              "lit {a}"),
        *(colour_facts(rgb_to_lab(scene.ground), "the ground behind", "backdrop", "before a {a} ground")[:3]
          if scene.family != "surface" else []),
    ]  # fmt: skip
    make = {
        "things": _thing_facts,
        "surface": _surface_facts,
        "figure": _figure_facts,
        "lines": _line_facts,
        "letter": _letter_facts,
    }
    return facts + make[scene.family](scene, rng)


def scene_subject(scene: WorldScene) -> str:
    """How a caption begins."""
    if scene.family == "things":
        return f"{NUMBERS[len(scene.things)]} {'thing' if len(scene.things) == 1 else 'things'}"
    return {"surface": "a bare surface", "figure": "a figure", "lines": "some lines", "letter": "a letter"}[
        scene.family
    ]


def _fact(topic: str, value: str, values: Iterable[str], questions: tuple[str, ...], clause: str = "{a}") -> Fact:
    others = tuple((other,) for other in values if other != value)
    return Fact(topic, value, questions, (value,), others, clause)


def _number_fact(topic: str, number: int, of: str) -> Fact:
    return _fact(topic, NUMBERS[number], NUMBERS, (f"how many {of} are there", f"count the {of}", f"what is the number of {of}"),
                 f"{of}: {{a}}")  # fmt: skip


def _plural(shape: str) -> str:
    return {"leaf": "leaves", "fish": "fish", "cross": "crosses"}.get(shape, shape + "s")


def _thing_facts(scene: WorldScene, rng: np.random.Generator) -> list[Fact]:
    things = scene.things
    counts = Counter(thing.shape for thing in things)
    facts = [_number_fact("thing count", len(things), "things")]
    for shape in (*counts, str(rng.choice(SHAPES))):
        facts.append(_number_fact(f"{shape} count", counts.get(shape, 0), _plural(shape)))
    for thing in things:
        # A thing is spoken of by its shape, so only where the shape is the only one of its kind.
        if counts[thing.shape] == 1:
            facts += _one_thing_facts(thing, len(things))
    alone = [thing for thing in things if counts[thing.shape] == 1]
    if len(alone) >= 2:
        facts += _pair_facts(*(alone[int(i)] for i in rng.permutation(len(alone))[:2]))
    if len(things) > 1:
        biggest = max(things, key=lambda thing: thing.size)
        facts.append(
            _fact("biggest thing", biggest.shape, SHAPES, ("which thing is biggest", "what is the biggest thing"))
        )
    return facts


def _one_thing_facts(thing: Thing, things: int) -> list[Fact]:
    name = f"the {thing.shape}"
    region = _PLACES[min(2, int(thing.y * 3))][min(2, int(thing.x * 3))]
    places = [word for row in _PLACES for word in row]
    facts = [
        _fact(f"place of {name}", region, places, (f"where is {name}", f"in which part lies {name}"), f"{name} {{a}}"),
        _fact(f"filling of {name}", _TEXTURE_WORDS[thing.texture], [_TEXTURE_WORDS[t] for t in TEXTURES],
              (f"how is {name} filled", f"what is inside {name}"), f"{name} filled with {{a}}"),
        _fact(f"rim of {name}", "a drawn rim" if thing.outlined else "no rim", ("a drawn rim", "no rim"),
              (f"does {name} have a rim", f"what surrounds {name}"), f"{name} with {{a}}"),
    ]  # fmt: skip
    # Tilt of a disc cannot be seen; a fading filling has no one colour.
    if thing.texture != "fade":
        facts += colour_facts(rgb_to_lab(thing.rgb), name, f"tint of {name}", f"{name} {{a}}")[:4]
    if things == 1:
        facts.append(
            _fact("form", thing.shape, SHAPES, ("what is it", "which form is this", "what do you see"), "a {a}")
        )
        size = ("small", "middling", "big")[int(np.searchsorted((0.45, 0.62), thing.size))]
        facts.append(
            _fact("size", size, ("small", "middling", "big"), ("how big is it", "what size has it"), "{a} in size")
        )
    return facts


def _pair_facts(a: Thing, b: Thing) -> list[Fact]:
    first, second = f"the {a.shape}", f"the {b.shape}"
    pair = (first, second)
    facts = []
    if abs(a.y - b.y) > 0.08:
        facts.append(
            _fact(
                "nearer the top",
                min((a.y, first), (b.y, second))[1],
                pair,
                (f"which is nearer the top, {first} or {second}", f"what is higher up, {second} or {first}"),
            )
        )
    if abs(a.x - b.x) > 0.08:
        facts.append(
            _fact(
                "nearer the left",
                min((a.x, first), (b.x, second))[1],
                pair,
                (
                    f"which is further left, {first} or {second}",
                    f"which comes first from the left, {second} or {first}",
                ),
            )
        )
    if abs(a.size - b.size) > 0.04:
        facts.append(
            _fact(
                "bigger one",
                max((a.size, first), (b.size, second))[1],
                pair,
                (f"which is bigger, {first} or {second}", f"which takes more room, {second} or {first}"),
            )
        )
    lights = [float(rgb_to_lab(thing.rgb)[0]) for thing in (a, b)]
    if abs(lights[0] - lights[1]) > 12 and a.texture == b.texture == "plain":
        facts.append(
            _fact(
                "darker one",
                first if lights[0] < lights[1] else second,
                pair,
                (f"which is darker, {first} or {second}",),
            )
        )
    return facts  # fmt: skip


def _surface_facts(scene: WorldScene, rng: np.random.Generator) -> list[Fact]:
    f = scene.details
    return [
        _fact("texture", _TEXTURE_WORDS[f["texture"]], [_TEXTURE_WORDS[name] for name in SURFACES],
              ("what covers the surface", "which texture is this", "what does the surface show"), "covered with {a}"),
        _fact("scale", f["scale"], ("fine", "middling", "coarse"), ("how fine is the texture", "is the texture fine or coarse"),
              "{a} in scale"),
        _fact("finish", _FINISH_WORDS[f["finish"]], _FINISH_WORDS.values(), ("how would it feel", "what finish has the surface"),
              "{a}"),
        *colour_facts(rgb_to_lab(f["first"]), "the under layer", "first tint", "{a} below")[:4],
        *colour_facts(rgb_to_lab(f["second"]), "the upper layer", "second tint", "{a} above")[:4],
    ]  # fmt: skip


def _figure_facts(scene: WorldScene, rng: np.random.Generator) -> list[Fact]:
    f = scene.details
    return [
        _fact("limbs", _ARM_WORDS[f["arms"]], _ARM_WORDS, ("what limbs has the figure", "how far do the limbs go"), "with {a}"),
        _fact("top", _OPENING_WORDS[f["opening"]], [_OPENING_WORDS[name] for name in OPENINGS],
              ("what is at the top of the figure", "how does the figure end above"), "with {a} on top"),
        _fact("taper", _FLARE_WORDS[f["flare"]], [_FLARE_WORDS[name] for name in FLARES],
              ("does the figure widen", "how do its sides run"), "{a}"),
        _fact("height", _LENGTH_WORDS[f["length"]], _LENGTH_WORDS, ("how tall is the figure", "how far down does it go"), "{a}"),
        _fact("girth", f["width"], ("slender", "middling", "broad"), ("how broad is the figure", "is it slender or broad"), "{a}"),
        _fact("base", "parted in two" if f["legs"] else "in one piece", ("parted in two", "in one piece"),
              ("is the lower part divided", "how is the lower part"), "{a} below"),
        _number_fact("knob count", f["knobs"] if f["knobs"] <= 7 else 7, "knobs"),
        _number_fact("square count", f["squares"], "little squares"),
        _fact("middle", "one seam down the middle" if f["middle_line"] else "no seam", ("one seam down the middle", "no seam"),
              ("is it parted by a seam", "what runs down the middle"), "with {a}"),
        _fact("girdle", "a belt" if f["belt"] else "no belt", ("a belt", "no belt"), ("is there a belt", "what is round the middle"),
              "with {a}"),
        _fact("filling", _TEXTURE_WORDS[f["texture"]], [_TEXTURE_WORDS[name] for name in TEXTURES],
              ("how is the figure filled", "what covers the figure"), "filled with {a}"),
        _fact("finish", _FINISH_WORDS[f["finish"]], _FINISH_WORDS.values(), ("how would the figure feel", "what finish has it"), "{a}"),
        *(colour_facts(rgb_to_lab(f["rgb"]), "the figure", "tint of the figure", "{a}")[:4] if f["texture"] != "fade" else []),
        *(_thickness(f) if f["arms"] else []),
    ]  # fmt: skip


def _thickness(facts: dict) -> list[Fact]:
    return [_fact("limb girth", facts["arm_width"], ("thin", "thick"), ("how thick are the limbs", "are the limbs thin or thick"),
                  "{a} limbs")]  # fmt: skip


def _line_facts(scene: WorldScene, rng: np.random.Generator) -> list[Fact]:
    f = scene.details
    return [
        _number_fact("line count", f["count"], "lines"),
        _fact("way", f["way"], ("across", "up and down", "slanting", "every way"), ("which way do the lines run", "how do the lines lie"),
              "running {a}"),
        _fact("stroke", f["stroke"], ("unbroken", "broken", "curvy"), ("how are the lines drawn", "what stroke have they"), "{a}"),
        _fact("weight", f["thickness"], ("thin", "thick"), ("how thick are the lines", "are they thin or thick"), "{a}"),
        _fact("ends", "with arrowheads" if f["ends"] == "arrow" else "without arrowheads", ("with arrowheads", "without arrowheads"),
              ("how do the lines end", "what is at their ends"), "ending {a}"),
        *colour_facts(rgb_to_lab(f["rgb"]), "the lines", "tint of the lines", "{a}")[:3],
    ]  # fmt: skip


def _letter_facts(scene: WorldScene, rng: np.random.Generator) -> list[Fact]:
    f = scene.details
    tilt = "leaning right" if f["tilt"] > 3 else "leaning left" if f["tilt"] < -3 else "upright"
    return [
        _fact("letter", f["letter"], list(LETTERS), ("which letter is this", "read the letter", "what is written"), "the letter {a}"),
        _fact("lean", tilt, ("leaning right", "leaning left", "upright"), ("does the letter lean", "how does it stand"), "{a}"),
        _fact("ink", colour_name(rgb_to_lab(f["rgb"])), ("black", "red", "blue", "green", "brown"),
              ("what colour is the letter", "in which ink is it written"), "in {a} ink"),
    ]  # fmt: skip
