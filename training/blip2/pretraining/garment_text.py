"""Everyday facts about a drawn garment: what a passer-by would say, not what a catalogue calls it.

Belongs here: phrases for what a garment's truth shows. Not here: the catalogue's questions and values (they are looked
up here as keys, and never written), kinds of question (facts.py).

A test holds every sentence made here against the catalogue's questions and its multi-word values.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np

from training.blip2.pretraining.colour_text import colour_facts
from training.blip2.pretraining.facts import Fact


@dataclass(frozen=True)
class Topic:
    """How people speak of one visible property.

    Attributes:
        name: heads the form.
        questions: ways to ask.
        clause: caption clause with `{a}`.
        values: the catalogue's value (key only) to everyday phrases, the usual one first.
    """

    name: str
    questions: tuple[str, ...]
    clause: str
    values: dict[str, tuple[str, ...]]


TOPICS: dict[str, Topic] = {
    "Pattern": Topic(
        "surface look",
        (
            "what pattern do you see on it",
            "is it patterned, and how",
            "what is on the surface",
            "what does the cloth show",
            "what runs over it",
            "how is the cloth decorated",
            "what design has it",
        ),
        "with {a}",
        {
            "Solid": ("one colour all over", "nothing on it", "a bare single colour"),
            "Striped": ("bands of two colours", "lines running one way", "parallel lines"),
            "Checked": ("lines crossing into boxes", "a grid of boxes", "crossing bands"),
            "Printed": ("little pictures", "a scatter of motifs", "drawn figures all over"),
            "Polka Dots": ("small spots", "rows of specks", "round specks all over"),
        },
    ),
    "Sleeve Length": Topic(
        "reach of the arms",
        (
            "how far do its sleeves reach",
            "where do the sleeves stop",
            "how much sleeve is there",
            "how far down do the arms reach",
            "where do the arms end",
            "how much of the arm is covered",
            "how long are the arms of it",
        ),
        "its arms reaching {a}",
        {
            "Long Sleeves": ("to the wrist", "down to the hand", "all the way down"),
            "Short Sleeves": ("above the elbow", "over the shoulder only", "a hand down from the shoulder"),
            "Three-Quarter Sleeves": ("below the elbow", "to the forearm", "past the elbow"),
            "Sleeveless": ("nowhere, the arms are bare", "not at all", "nowhere, it has no arms"),
        },
    ),
    "Collar": Topic(
        "flaps at the throat",
        (
            "what sort of collar sits there",
            "how does the collar lie",
            "what sits around the throat",
            "how is the part at the throat made",
            "what flaps are at the throat",
            "what does the throat band look like",
        ),
        "{a} at the throat",
        {
            "Spread Collar": ("two folded flaps standing apart", "flaps set apart"),
            "Button-Down Collar": ("flaps fastened by tiny knobs", "flaps with their tips held down"),
            "Mandarin Collar": ("a low upright band", "a standing strip without flaps"),
            "Cutaway Collar": ("flaps swept far back", "flaps opened very wide"),
            "Cuban Collar": ("flat open flaps with a notch", "open flaps lying flat"),
            "Hooded": ("a cowl for the head", "a cowl hanging behind"),
            "Lapel Collar": ("long folded facings down the chest", "facings turned back on the chest"),
        },
    ),
    "Neck": Topic(
        "opening at the top",
        (
            "how is it cut around the neck",
            "what goes around the neck",
            "how does the neck look",
            "what form has the opening for the head",
            "how is the top opening cut",
            "what is the hole at the top like",
            "how does the top edge run",
        ),
        "{a} at the top",
        {
            "Round Neck": ("a close circle", "a small circle around the throat"),
            "V-Neck": ("a point aiming down", "two edges meeting in a point", "an arrow tip"),
            "Polo Collar": ("folded flaps with a short slit", "flaps and a few knobs"),
            "Scoop Neck": ("a deep wide curve", "a low bowl"),
            "Square Neck": ("a box with corners", "edges with corners"),
            "Turtle Neck": ("a tall tube up the throat", "a high rolled tube"),
            "Hooded": ("a cowl for the head", "a cowl hanging behind"),
        },
    ),
    "Fit": Topic(
        "roominess",
        (
            "how does it fit",
            "how tightly does it fit the wearer",
            "how roomy is it",
            "how wide is it cut",
            "how close does it sit to the body",
            "is there much space inside",
        ),
        "{a}",
        {
            "Regular Fit": ("neither tight nor wide", "of ordinary width", "middling in width"),
            "Slim Fit": ("cut narrow", "close to the body", "tight and narrow"),
            "Loose Fit": ("cut very wide", "baggy", "wide and roomy"),
        },
    ),
    "Fabric": Topic(
        "stuff it is made of",
        (
            "what sort of fabric is it",
            "what does the fabric look like",
            "what stuff is it made of",
            "what would it feel like",
            "what does the material look like",
            "from what was it sewn",
        ),
        "made of {a}",
        {
            "Cotton": ("plain even cloth", "soft plain cloth"),
            "Linen": ("crumpled airy cloth", "cloth of uneven threads"),
            "Denim": ("sturdy slanting twill", "work cloth with bright seams"),
            "Satin": ("silky gleaming cloth", "flowing cloth with soft gleams"),
            "Corduroy": ("ridged velvety cloth", "cloth with upright ridges"),
            "Polyester": ("thin technical cloth", "man-made cloth with a fine grid"),
            "Wool": ("knitted yarn", "rows of yarn loops"),
            "Fleece": ("fluffy thick cloth", "curly fuzzy cloth"),
            "Leather": ("smooth hide", "hide with a dull shine"),
            "Patent Leather": ("mirror-bright hide", "hide shining like glass"),
            "Suede": ("velvety brushed hide", "matt brushed hide"),
            "Canvas": ("stout sailcloth", "coarse tent cloth"),
            "Mesh": ("netting full of holes", "cloth with rows of tiny holes"),
        },
    ),
    "Closure": Topic(
        "way to fasten",
        (
            "how does it close",
            "what closes it",
            "how is it held shut",
            "how does one do it up",
            "what holds it together",
            "how does the wearer open it",
        ),
        "held shut by {a}",
        {
            "Pull-On": ("nothing, one slips inside", "nothing at all, it stretches"),
            "Button": ("a row of knobs", "round knobs"),
            "Zip": ("a metal track with a slider", "a toothed track"),
            "Drawstring": ("a cord tied in front", "two cord ends"),
            "Lace-Up": ("crossed cords", "cords through eyelets"),
            "Slip-On": ("nothing, the foot slides in", "no cords and no straps"),
            "Velcro": ("flat sticky straps", "two sticky bands"),
            "Buckle": ("a strap with a metal frame", "a metal frame on a strap"),
        },
    ),
    "Length": Topic(
        "lower end",
        (
            "how long is it",
            "at what height does the hem end",
            "where does the lower edge end",
            "how far down does it hang",
            "what part of the leg does it reach",
            "how low does it go",
        ),
        "hanging {a}",
        {
            "Full Length": ("down to the foot", "to the shoe"),
            "Cropped": ("to the calf", "a hand above the ankle"),
            "Knee Length": ("about the knee", "as far as the knee"),
            "Mini": ("high on the thigh", "well above the knee"),
            "Maxi": ("down to the ground", "almost to the floor"),
        },
    ),
    "Shape": Topic(
        "outline of the lower half",
        (
            "what shape does it take below",
            "how is it shaped",
            "what outline has the lower half",
            "how does it widen downwards",
            "how does the lower half fall",
            "what is the silhouette like",
        ),
        "its lower half {a}",
        {
            "A-Line": ("widening evenly", "like a cone"),
            "Straight": ("falling like a tube", "of equal width"),
            "Pleated": ("in sharp folds", "folded like a fan"),
            "Tiered": ("in stacked layers", "in rows of ruffles"),
            "Fit and Flare": ("narrow above then swinging out", "pinched at the middle then wide"),
        },
    ),
    "Pocket Type": Topic(
        "pouches sewn on",
        (
            "what sort of pocket does it have",
            "is there a pocket, and how is it made",
            "are there pouches on the outside",
            "what pouches does it have",
            "where could a hand or a pen go",
            "what is sewn on to carry things",
        ),
        "{a} on the outside",
        {
            "No Pocket": ("no pouch", "nothing to put things in"),
            "Patch Pocket": ("an open pouch", "a pouch stitched on, open above"),
            "Flap Pocket": ("a pouch with a lid", "a lidded pouch"),
        },
    ),
    "Toe Shape": Topic(
        "tip of the foot",
        (
            "what shape are the toes",
            "how does it look at the toe",
            "how does the tip in front end",
            "what is the front tip like",
            "how is the nose of it cut",
        ),
        "the tip {a}",
        {
            "Round Toe": ("softly curved", "blunt like an egg"),
            "Square Toe": ("cut off flat", "with two corners"),
            "Pointed Toe": ("sharp like a needle", "running to a thin tip"),
        },
    ),
    "Heel Type": Topic(
        "support at the back",
        (
            "what sort of heel is it",
            "how is the heel made",
            "what lifts the back of the foot",
            "what stands under the back of the foot",
            "how is the raised part made",
        ),
        "raised on {a}",
        {
            "Stiletto": ("a thin spike", "a pencil-thin post"),
            "Block": ("a chunky post", "a thick cube"),
            "Wedge": ("one filled slope", "a full ramp"),
        },
    ),
    "Ankle Height": Topic(
        "rim around the leg",
        (
            "how high up the ankle is it",
            "does it cover the ankle",
            "how high does the rim come",
            "does it cover the bone above the foot",
            "how far up the leg does it reach",
        ),
        "its rim {a}",
        {
            "Regular": ("under the bone", "low on the foot"),
            "High-Top": ("over the bone", "up the leg"),
        },
    ),
    "Strap Type": Topic(
        "what to hold it by",
        (
            "what sort of strap or handle is there",
            "by which strap is it carried",
            "what does one hold it by",
            "how is it carried",
            "what is fixed above to lift it",
        ),
        "carried by {a}",
        {
            "Top Handle": ("a small stiff arch", "a short arch above"),
            "Shoulder Strap": ("a long flat band", "a long band to hang"),
            "Chain Strap": ("metal links", "a row of metal rings"),
        },
    ),
}

NOUNS: dict[str, str] = {
    "Shirts": "shirt", "Tshirts": "tee-shirt", "Tops": "top", "Sweaters": "sweater", "Sweatshirts": "sweatshirt",
    "Jackets": "jacket", "Jeans": "pair of jeans", "Trousers": "pair of trousers", "Track Pants": "pair of pants",
    "Shorts": "pair of shorts", "Skirts": "skirt", "Dresses": "dress", "Casual Shoes": "shoe", "Formal Shoes": "shoe",
    "Sports Shoes": "shoe", "Heels": "shoe", "Handbags": "handbag", "Backpacks": "backpack",
}  # fmt: skip
KINDS_OF_GARMENT: dict[str, tuple[str, ...]] = {
    "Shirts": ("a buttoned blouse", "a blouse with a front opening"),
    "Tshirts": ("a tee", "a simple tee"),
    "Tops": ("a light bodice", "a lady's bodice"),
    "Sweaters": ("a pullover", "a knitted jumper"),
    "Sweatshirts": ("a gym jumper", "a thick jumper for the gym"),
    "Jackets": ("a coat", "a short coat"),
    "Jeans": ("work pants", "pants of sturdy twill"),
    "Trousers": ("slacks", "pressed slacks"),
    "Track Pants": ("running bottoms", "bottoms for running"),
    "Shorts": ("half pants", "pants cut off high"),
    "Skirts": ("a kilt-like piece hanging from the waist", "a piece hanging from the waist"),
    "Dresses": ("a frock", "a gown"),
    "Casual Shoes": ("sneakers", "a sneaker for every day"),
    "Formal Shoes": ("office brogues", "a polished pair for the office"),
    "Sports Shoes": ("trainers", "a running trainer"),
    "Heels": ("pumps", "a raised pump"),
    "Handbags": ("a purse", "a purse for the arm"),
    "Backpacks": ("a rucksack", "a sack for the back"),
}
_WORN: dict[str, tuple[str, ...]] = {
    "Topwear": ("on the upper body", "over chest and shoulders"),
    "Bottomwear": ("on the legs", "from the waist down"),
    "Dress": ("on the whole body", "from the shoulders down past the waist"),
    "Shoes": ("on the feet", "under the feet"),
    "Bags": ("in the hand or on the back", "nowhere, it holds things"),
}
_KIND_QUESTIONS = (
    "what kind of thing is this",
    "what is shown",
    "what would you call this thing",
    "what is for sale here",
)
_WORN_QUESTIONS = ("where is it worn", "on which part of the body does it go", "which part of a person would wear it")


def garment_facts(
    article_type: str, sub_category: str, attributes: Mapping[str, str], main_lab: np.ndarray, second_lab: np.ndarray
) -> list[Fact]:
    """What is true of a garment, in everyday words.

    Args:
        article_type, sub_category, attributes: the drawn truth, as keys.
        main_lab, second_lab: CIELAB of the cloth and of what is drawn on it.
    """
    facts = [
        _choice_fact("kind of thing", article_type, KINDS_OF_GARMENT, _KIND_QUESTIONS, "{a}"),
        _choice_fact("place on the body", sub_category, _WORN, _WORN_QUESTIONS, "worn {a}"),
        *colour_facts(main_lab, "most of it", "main tint", "mostly {a}"),
    ]
    for attribute, value in attributes.items():
        topic = TOPICS[attribute]
        facts.append(_choice_fact(topic.name, value, topic.values, topic.questions, topic.clause))
    if attributes.get("Pattern", "Solid") != "Solid":
        facts += colour_facts(second_lab, "the design on it", "second tint", "its design {a}")[:3]
    # The first two ask what it is; a question that names it would give that away.
    return facts[:2] + [replace(fact, about=NOUNS[article_type]) for fact in facts[2:]]


def garment_subject(article_type: str, rng: np.random.Generator) -> str:
    """How a caption begins."""
    if rng.random() < 0.25:
        return ("a thing to wear or carry", "something from a wardrobe", "an item for sale")[int(rng.integers(3))]
    phrases = KINDS_OF_GARMENT[article_type]
    return phrases[int(rng.integers(len(phrases)))]


def _choice_fact(
    topic: str, value: str, values: Mapping[str, tuple[str, ...]], questions: tuple[str, ...], clause: str
) -> Fact:
    others = tuple(phrases for key, phrases in values.items() if key != value)
    return Fact(topic, value, questions, values[value], others, clause)
