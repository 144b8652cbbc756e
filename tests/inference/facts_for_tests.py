"""Facts of drawn products and of made-up ones, for the tests of descriptions."""

import random

from catalog.drawn.spec import sample_spec
from catalog.schema import AttributeSchema, load_schema
from inference.descriptions.facts import ProductFacts
from inference.descriptions.wording import Wording, wording_of

SCHEMA: AttributeSchema = load_schema()
WORDING: Wording = wording_of(SCHEMA)
GENDERS = SCHEMA.attributes["Gender"].vocabulary


def drawn_facts(product_id: int, known: float = 1.0, seed: int = 5) -> ProductFacts:
    """A drawn product's truth; each attribute is known with probability `known`, else the model abstained."""
    spec = sample_spec(seed, product_id)
    rng = random.Random(product_id)
    values = {"article_type": spec.article_type, "gender": spec.gender}
    for name, value in {"Colour": spec.base_colour, **spec.attributes}.items():
        if rng.random() < known:
            values[WORDING.key(name)] = value
    return ProductFacts(product_id, values)


def any_facts(number: int, question_set: str) -> ProductFacts:
    """Any article type with any values of the schema that apply to it."""
    rng = random.Random(f"{question_set}/{number}")
    article_type = rng.choice([*SCHEMA.article_types, ""])
    names = SCHEMA.applicable(article_type, question_set)
    values = {"article_type": article_type} if article_type else {}
    values |= {"gender": rng.choice(GENDERS)} if rng.random() < 0.9 else {}
    for name in names:
        key = WORDING.key(name)
        if rng.random() < 0.85 and key not in ("article_type", "gender"):
            values[key] = rng.choice(SCHEMA.attributes[name].vocabulary)
    return ProductFacts(number, values, master_category=rng.choice(["Apparel", "Footwear", "Accessories", ""]))
