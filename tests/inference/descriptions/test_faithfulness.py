"""The check itself is checked: faults planted into faithful texts are found, and faithful texts pass."""

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from inference.descriptions.facts import ProductFacts
from inference.descriptions.faithfulness import brand_pattern, check_text, find_claims
from inference.descriptions.grammar import GrammarWriter
from inference.descriptions.wording import read_data, wording_of
from tests.inference.facts_for_tests import SCHEMA, WORDING, any_facts, drawn_facts

SHIRT = ProductFacts(
    1,
    {
        "article_type": "Shirts",
        "gender": "Men",
        "base_colour": "Navy Blue",
        "pattern": "Solid",
        "fabric": "Cotton",
        "sleeve_length": "Long Sleeves",
        "collar": "Spread Collar",
        "fit": "Slim Fit",
        "pocket_type": "No Pocket",
    },
)
FAITHFUL = "A slim-fit men's shirt in solid navy blue cotton, with a spread collar, long sleeves and no pockets."
WRITER = GrammarWriter(WORDING, "test")


def findings(text, facts=SHIRT, brands=None):
    return check_text(text, facts, WORDING, brands)


def test_a_faithful_text_passes():
    found = findings(FAITHFUL)
    assert found.faithful and found.coverage == 1.0 and found.feedback(SHIRT) == []


@pytest.mark.parametrize("number", range(10))
def test_four_thousand_grammar_texts_raise_no_alarm(number):
    """Drawn products with a share of abstentions, and every value and article type of the schema."""
    made = [drawn_facts(number * 200 + i, known=0.85) for i in range(200)]
    made += [any_facts(number * 100 + i, "details") for i in range(100)]
    made += [any_facts(number * 100 + i, "columns") for i in range(100)]
    for facts in made:
        text = WRITER.write(facts).text
        found = findings(text, facts)
        assert found.faithful, (text, found.as_dict(), facts.values)


# -- planted faults ---------------------------------------------------------------------------------------------------


def planted(number):
    """A faithful text about a drawn product, and the means to break it."""
    facts = drawn_facts(10_000 + number)
    return facts, WRITER.write(facts), random.Random(number)


@pytest.mark.parametrize("number", range(60))
def test_an_omitted_fact_is_missed(number):
    facts, draft, _ = planted(number)
    for key, value in facts.values.items():
        poorer = ProductFacts(facts.product_id, {k: v for k, v in facts.values.items() if k != key})
        text = WRITER.write(poorer).text
        implied = key == "fabric" and facts.article_type == "Jeans"
        if not implied:
            assert key in findings(text, facts).missing, (key, value, text)
            assert any(value in sentence for sentence in findings(text, facts).feedback(facts))
    assert findings(draft.text, facts).missing == ()


@pytest.mark.parametrize("number", range(60))
def test_a_planted_value_of_an_unknown_attribute_is_unsupported(number):
    facts, draft, rng = planted(number)
    asked = [name for name in SCHEMA.question_sets["details"].attributes if WORDING.key(name) not in facts.values]
    for name in asked:
        told = facts.values.values()  # "Hooded" is a collar and a neck
        value = rng.choice([value for value in SCHEMA.attributes[name].vocabulary if value not in told])
        phrase = WORDING.saying(WORDING.key(name), value).phrase
        found = findings(f"{draft.text} It has {phrase}.", facts)
        assert not found.faithful and found.missing == (), (phrase, draft.text)


@pytest.mark.parametrize("number", range(60))
def test_another_value_of_a_known_attribute_is_a_contradiction(number):
    facts, draft, rng = planted(number)
    for name in SCHEMA.question_sets["details"].attributes:
        key = WORDING.key(name)
        if key not in facts.values:
            continue
        other = rng.choice([v for v in SCHEMA.attributes[name].vocabulary if v != facts.values[key]])
        saying = WORDING.saying(key, other)
        for said in {saying.phrase, f"a {saying.adjective} look" if saying.adjective else saying.phrase}:
            found = findings(f"{draft.text} It has {said}.", facts)
            assert key in {fault.about for fault in found.contradictions}, (said, draft.text)


@pytest.mark.parametrize("number", range(60))
def test_a_denied_fact_is_a_contradiction(number):
    facts, draft, rng = planted(number)
    keys = [key for key in facts.values if key not in ("article_type", "gender", "pocket_type")]
    key = rng.choice(keys)
    word = WORDING.saying(key, facts.values[key]).adjective or WORDING.saying(key, facts.values[key]).phrase
    for denial in (f"It is not {word}.", f"It comes without anything {word}.", f"It isn't {word} at all."):
        found = findings(f"{draft.text} {denial}", facts)
        assert key in {fault.about for fault in found.contradictions}, (denial, draft.text)


def test_every_banned_claim_is_found():
    for category, claims in read_data("banned_claims.yaml")["claims"].items():
        for claim in claims:
            found = findings(f"{FAITHFUL} It is {claim} too.")
            assert category in {fault.about for fault in found.banned}, claim


def test_values_beyond_the_vocabulary_and_invented_details_are_found():
    data = read_data("wording.yaml")
    beyond = [phrase for entry in data["attributes"].values() for phrase in entry.get("beyond", [])]
    for phrase in [*beyond, *data["details"]]:
        found = findings(f"{FAITHFUL} Note the {phrase} here.")
        assert found.unsupported or found.contradictions, phrase


@pytest.mark.parametrize(
    ("text", "about"),
    [
        ("The collar is button-down.", "collar"),
        ("Its neckline is round.", "neck"),
        ("The cut is loose.", "fit"),
        ("A regular shirt for most days.", "fit"),
        ("Pockets sit on the chest.", "pocket_type"),
        ("There is one flap pocket.", "pocket_type"),
        ("It is a light navy.", "base_colour"),
        ("A dark navy blue tone.", "base_colour"),
        ("Made of pure silk.", "fabric"),
        ("This dress is ready.", "article_type"),
        ("A women's favourite.", "gender"),
        ("It fastens with a zip.", "closure"),
        ("Good for casual days.", "usage"),
        ("Right for summer.", "season"),
        ("Only 3 left.", "number"),
        ("Without a collar.", "collar"),
        ("It has neither stripes nor a solid colour.", "pattern"),
        ("It has no zip.", "closure"),
    ],
)
def test_a_fault_is_found_however_it_is_said(text, about):
    found = findings(f"{FAITHFUL} {text}")
    assert about in {fault.about for fault in (*found.unsupported, *found.contradictions)}, found


@pytest.mark.parametrize(
    "text",
    [
        "Wear it with jeans.",  # worn with the product
        "Layer it under a jacket or over a T-shirt.",
        "An all-round favourite that suits most days.",  # everyday senses of suit, round, spread, regular, straight
        "Spread the word.",
        "A regular at the table.",
        "It goes straight from the hanger to the street.",
        "Dress it up or dress it down.",
        "A solid choice.",
        "It falls straight to the hip.",
        "No stripes, checks or prints.",  # true of a solid shirt
        "It is not striped.",
        "Not only solid but navy.",
        "The collar sits neatly and the sleeves end at the wrist.",
        "THE SHIRT IS SOLID; ITS SLEEVES: LONG.",
    ],
)
def test_common_words_in_another_sense_and_true_statements_pass(text):
    found = findings(f"{FAITHFUL} {text}")
    assert found.faithful, found


def test_synonyms_hyphens_and_plurals_count_as_mentions():
    said = "This gentleman’s slim fitting shirt: plain navy cotton, full sleeves, the collar spread, no chest pocket."
    assert findings(said).missing == ()
    skirt = ProductFacts(2, {"article_type": "Skirts", "pattern": "Polka Dots", "shape": "A-Line"})
    assert findings("A dotted skirt in an a–line shape".replace("–", "-"), skirt).faithful


def test_a_fact_whose_name_holds_a_banned_word_may_be_said():
    facts = ProductFacts(3, {"article_type": "Shirts", "fit": "Comfort Fit"})
    assert findings("This shirt has a comfort fit.", facts).faithful
    assert [f.about for f in findings("This comfort-fit shirt is all comfort.", facts).banned] == ["fabric feel"]


def test_a_negation_ends_where_its_sentence_part_does():
    assert findings(
        "A slim-fit men's shirt in solid navy blue cotton with no pockets and long sleeves, spread collar."
    ).faithful
    assert findings(FAITHFUL.replace("long sleeves and no pockets", "no pockets, long sleeves")).faithful


def test_brands_are_named_by_nobody():
    brands = brand_pattern(["Tern & Thistle", "Tamsin Grey", "Denim", "Xy"], WORDING)
    found = findings(f"{FAITHFUL} Goes with Tern & Thistle.", brands=brands)
    assert [(f.about, f.text) for f in found.unsupported] == [("brand", "Tern & Thistle")]
    assert brand_pattern(["Denim", "Step", "These", "101"], WORDING) is not None
    assert brand_pattern(["Denim", "Step", "These"], WORDING) is None and brand_pattern([], WORDING) is None
    assert findings(FAITHFUL, brands=brands).faithful


def test_a_value_the_model_was_never_taught_is_still_recognised():
    taught = SCHEMA.narrowed({"Colour": {"Navy Blue": ["Shirts"]}, "Fabric": {"Cotton": ["Shirts"]}}, "details")
    found = check_text(f"{FAITHFUL} With a burgundy wing collar in viscose.", SHIRT, wording_of(taught))
    assert {fault.about for fault in found.contradictions} == {"base_colour", "collar", "fabric"} and not found.missing


@given(st.text(max_size=300), st.integers(0, 200))
def test_any_text_can_be_checked_and_every_finding_is_in_it(text, number):
    """Whatever a language model answers, the check gives findings whose words stand in the text."""
    facts = drawn_facts(number)
    mixed = f"{text} {WRITER.write(facts).text} {text}"
    found = findings(mixed, facts)
    assert 0 <= found.coverage <= 1
    for fault in (*found.unsupported, *found.contradictions, *found.banned):
        assert fault.text.lower() in mixed.lower()
    assert all(mixed[claim.start : claim.end] == claim.text for claim in find_claims(mixed, WORDING))


def test_empty_text_covers_nothing():
    found = findings("")
    assert found.coverage == 0.0 and set(found.missing) == set(SHIRT.values)


def test_no_phrase_says_two_values_of_one_attribute():
    """A saying shared by two values would let one of them pass for the other."""
    for name, attribute in SCHEMA.attributes.items():
        key = WORDING.key(name)
        if key in WORDING.shelves or key == "article_type":
            continue
        for value in attribute.vocabulary:
            saying = WORDING.saying(key, value)
            for said in filter(None, [value, saying.adjective, saying.phrase, *saying.verb]):
                exact = {
                    r.value
                    for claim in find_claims(said, WORDING)
                    for r in claim.readings
                    if r.exact and r.attribute == key
                }
                assert exact <= {value}, (key, value, said, exact)
