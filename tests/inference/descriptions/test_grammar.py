"""The grammar writer: the same text for the same product, many texts for many, and English throughout."""

import re
from collections import Counter

import pytest

from inference.descriptions.facts import ProductFacts
from inference.descriptions.faithfulness import check_text, find_claims
from inference.descriptions.grammar import GrammarWriter
from inference.descriptions.wording import Wording, read_data
from tests.inference.facts_for_tests import GENDERS, SCHEMA, WORDING, any_facts, drawn_facts

WRITER = GrammarWriter(WORDING, "models:/blip2-attributes/1")
FACTS = [drawn_facts(i, known=0.9) for i in range(800)]
TEXTS = [WRITER.write(facts).text for facts in FACTS]


def test_the_same_product_and_model_give_the_same_text():
    again = GrammarWriter(WORDING, "models:/blip2-attributes/1")
    assert [again.write(facts).text for facts in FACTS[:50]] == TEXTS[:50]


def test_another_model_version_chooses_other_plans():
    other = GrammarWriter(WORDING, "models:/blip2-attributes/2")
    assert sum(other.write(facts).text != text for facts, text in zip(FACTS, TEXTS, strict=True)) > 0.7 * len(FACTS)


def test_feedback_chooses_another_plan():
    facts = FACTS[0]
    assert len({WRITER.write(facts, ["again"] * n).text for n in range(8)}) > 2


def skeleton(text, facts):
    """A text without its facts: the plan it was made from."""
    first = text.split(". ")[0]
    for claim in sorted(find_claims(first, WORDING), key=lambda claim: -claim.start):
        first = first[: claim.start] + "#" + first[claim.end :]
    return re.sub(r"[#\s,'s-]+", "#", first)


def test_texts_vary():
    shirts = [(t, f) for t, f in zip(TEXTS, FACTS, strict=True) if f.article_type == "Shirts"]
    plans = Counter(skeleton(text, facts) for text, facts in shirts)
    assert len(plans) >= 12 and max(plans.values()) <= 0.25 * len(shirts), plans
    assert len(set(TEXTS)) > 0.97 * len(TEXTS)


def test_nothing_reads_like_a_form():
    for text in TEXTS:
        assert ": " not in text.replace("leave it out: it works both ways", "").replace("trainers: it answers", ""), (
            text
        )
        assert not re.search(r"[A-Z][a-z]+ (Sleeves|Collar|Neck|Fit|Length|Toe|Pocket)", text), text


@pytest.mark.parametrize(
    "texts", [TEXTS, [WRITER.write(any_facts(i, s)).text for s in ("details", "columns") for i in range(400)]]
)
def test_sentences_are_english(texts):
    for text in texts:
        assert text.endswith(".") and "  " not in text and " ." not in text and " ," not in text and "{" not in text, (
            text
        )
        for sentence in re.split(r"(?<=\.) ", text):
            assert sentence[0].isupper() or sentence.startswith("iPad"), text
        assert not re.search(r"\ba (?=[aeio])(?!one)|\ban (?=[bcdfgjklmnpqrstvwxyz])", text, re.IGNORECASE), text
        assert not re.search(r"\b(with|in) (with|in)\b|\band (and|in)\b|\b(\w+) \3\b", text), text


def test_plural_garments_are_plural():
    for text, facts in zip(TEXTS, FACTS, strict=True):
        plural = WORDING.article(facts.article_type).plural
        wrong = r"\b(this|it|its|it is|has|comes)\b" if plural else r"\b(these|they|their|are|have|come)\b"
        told = text.lower().removesuffix(WRITER.write(facts).style.lower())
        assert not re.search(wrong, told), text


def test_style_phrases_claim_nothing():
    """Under every article and gender they are licensed for, a style phrase is no claim and no banned promise."""
    for line in read_data("sentences.yaml")["style"]:
        text = re.sub(r"\[([^|\]]*)\|([^\]]*)\]", r"\1", line["text"])
        for article_type in ("Shirts", "Jeans", "Skirts", "Dresses", "Heels", "Handbags", "Jackets", "Belts"):
            found = check_text(text, ProductFacts(1, {"article_type": article_type}), WORDING)
            assert not (found.unsupported or found.contradictions or found.banned), (text, found)


def test_style_phrases_fit_the_person():
    for line in read_data("sentences.yaml")["style"]:
        assert set(line.get("genders", GENDERS)) <= set(GENDERS)
        assert set(line.get("types", [])) <= set(SCHEMA.article_types)
        for key, values in line.get("when", {}).items():
            assert set(values) <= {
                v for n, a in SCHEMA.attributes.items() if WORDING.key(n) == key for v in a.vocabulary
            }


def test_the_style_phrase_is_told_apart():
    drafts = [WRITER.write(facts) for facts in FACTS]
    share = sum(bool(draft.style) for draft in drafts) / len(drafts)
    assert 0.6 < share < 0.9 and all(draft.text.endswith(draft.style) for draft in drafts)


def test_every_article_type_of_the_public_catalogue_has_a_name():
    for article_type in SCHEMA.article_types:
        facts = ProductFacts(7, {"article_type": article_type, "base_colour": "Olive"})
        text = WRITER.write(facts).text
        assert check_text(text, facts, WORDING).faithful, text


def test_a_product_of_unknown_type_is_still_described():
    facts = ProductFacts(7, {"base_colour": "Black"}, master_category="Accessories")
    assert "accessory" in WRITER.write(facts).text and check_text(WRITER.write(facts).text, facts, WORDING).faithful
    assert WRITER.write(ProductFacts(8, {})).text


def test_a_shop_may_bring_attributes_of_its_own():
    wording = Wording(
        {"Hem Shape": ["Curved", "Straight Hem"], "Colour": ["Petrol"]}, {"Hem Shape": {"rounded hem": "Curved"}}
    )
    facts = ProductFacts(9, {"article_type": "Ponchos", "hem_shape": "Curved", "base_colour": "Petrol"})
    text = GrammarWriter(wording).write(facts).text
    assert "curved hem" in text and "petrol" in text and check_text(text, facts, wording).faithful
    assert check_text("A petrol poncho with a rounded hem.", facts, wording).faithful
    assert [
        f.about for f in check_text("A petrol poncho with a curved and straight hem.", facts, wording).contradictions
    ] == ["hem_shape"]
