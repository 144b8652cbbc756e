"""Publishing: faithful or not at all, nothing recomputed without a cause, every row stamped."""

import errno
import json
import os
from pathlib import Path

import pandas as pd
import pytest

from catalog.errors import SelvedgeError
from catalog.tables import as_table, read_frame, write_table
from inference.descriptions.check import check_published, summarise_checks
from inference.descriptions.journal import Journal
from inference.descriptions.publish import describe
from inference.descriptions.writer import BudgetSpent, Draft
from tests.inference.facts_for_tests import SCHEMA, drawn_facts

NAME_OF = {"base_colour": "Colour"}


def shop(count=6, first=1):
    """Products and confident attributes of drawn garments."""
    products, attributes = [], []
    for product_id in range(first, first + count):
        values = dict(drawn_facts(product_id).values)
        row = {
            "drop": "d1",
            "product_id": product_id,
            "article_type": values.pop("article_type"),
            "gender": values.pop("gender"),
        }
        products.append(row | {"master_category": "Apparel", "brand": "Tern & Thistle"})
        for key, value in values.items():
            name = next(n for n in SCHEMA.attributes if n.lower().replace(" ", "_") == key or NAME_OF.get(key) == n)
            row = {"drop": "d1", "product_id": product_id, "attribute": name, "value": value, "confidence": 0.9}
            row |= {"abstained": False, "model_uri": "models:/blip2-attributes/3", "model_digest": "d" * 64}
            attributes.append(row | {"input_hash": f"{product_id}/{name}/{value}"})
    return pd.DataFrame(products), pd.DataFrame(attributes)


PRODUCTS, ATTRIBUTES = shop()


class Scripted:
    """A writer that answers from a list of functions of (facts, feedback); the last repeats."""

    name, prompt_version, model_version = "scripted", "p1", "m1"

    def __init__(self, *answers):
        self.answers, self.calls = answers, []

    def write(self, facts, feedback):
        mine = [call for call in self.calls if call[0] == facts.product_id]
        self.calls.append((facts.product_id, list(feedback)))
        return self.answers[min(len(mine), len(self.answers) - 1)](facts, feedback)


def truth(facts, feedback):
    """Every fact, plainly."""
    from inference.descriptions.grammar import GrammarWriter
    from tests.inference.facts_for_tests import WORDING

    return Draft(GrammarWriter(WORDING, "scripted").write(facts).text, tokens_in=100, tokens_out=20)


def lie(facts, feedback):
    return Draft(truth(facts, feedback).text + " It is made of cashmere.", tokens_in=100, tokens_out=20)


def run(writer=None, previous=None, products=PRODUCTS, attributes=ATTRIBUTES, **more):
    return describe(products, attributes, previous, writer, SCHEMA, **more)


def test_rows_are_faithful_stamped_and_fit_their_table(tmp_path):
    made = run()
    frame = read_frame(write_table(made.frame, tmp_path / "descriptions.parquet", "descriptions"))
    assert list(frame.product_id) == list(PRODUCTS.product_id) and made.written == len(PRODUCTS)
    for row in frame.itertuples():
        checks = json.loads(row.checks)
        assert checks["coverage"] == 1.0 and not (checks["unsupported"] or checks["contradictions"] or checks["banned"])
        assert len(checks["facts"]) == 2 + sum(ATTRIBUTES.product_id == row.product_id)
        assert row.model_version == "models:/blip2-attributes/3@dddddddddddd" and row.prompt_version.startswith(
            "sentences-"
        )
        assert (row.writer, row.attempt, len(row.input_hash)) == ("grammar", 1, 64)
    assert check_published(frame, PRODUCTS, ATTRIBUTES, SCHEMA) == []


def test_nothing_is_written_a_second_time():
    first = run(Scripted(truth))
    again = Scripted(truth)
    second = run(again, first.frame)
    assert (second.written, second.reused, again.calls) == (0, len(PRODUCTS), [])
    assert as_table(second.frame, "descriptions") == as_table(first.frame, "descriptions")


def test_exactly_the_changed_row_is_written_again():
    first = run()
    changed = ATTRIBUTES.copy()
    changed.loc[changed.product_id == 3, "input_hash"] += "/new image"
    second = run(None, first.frame, attributes=changed)
    assert (second.written, second.reused) == (1, len(PRODUCTS) - 1)
    assert list(first.frame.input_hash != second.frame.input_hash) == [i == 3 for i in PRODUCTS.product_id]


@pytest.mark.parametrize("column", ["article_type", "gender"])
def test_a_changed_trusted_column_counts(column):
    first = run()
    products = PRODUCTS.copy()
    products.loc[0, column] = {"article_type": "Blazers", "gender": "Girls"}[column]
    assert run(None, first.frame, products=products).written == 1


def test_another_writer_prompt_or_schema_makes_every_row_stale():
    first = run(Scripted(truth))
    newer = Scripted(truth)
    newer.prompt_version = "p2"
    other = SCHEMA.narrowed({n: {v: ["Shirts"] for v in a.vocabulary} for n, a in SCHEMA.attributes.items()}, "details")
    assert run(newer, first.frame).written == len(PRODUCTS)
    assert run(None, first.frame).written == len(PRODUCTS)
    assert describe(PRODUCTS, ATTRIBUTES, first.frame, Scripted(truth), other).written == len(PRODUCTS)


def test_a_refused_draft_is_asked_for_again_naming_what_was_wrong():
    writer = Scripted(lie, truth)
    made = run(writer)
    assert (
        set(made.frame.writer) == {"scripted:m1"} and set(made.frame.attempt) == {2} and made.refused == len(PRODUCTS)
    )
    _, feedback = next(call for call in writer.calls if call[1])
    assert len(feedback) == 1 and "cashmere" in feedback[0]
    assert all("cashmere" in json.loads(checks)["refused"][0] for checks in made.frame.checks)


def test_after_two_retries_the_grammar_writer_takes_over():
    writer = Scripted(lie)
    made = run(writer)
    assert set(made.frame.writer) == {"grammar"} and made.fell_back == len(PRODUCTS) and set(made.frame.attempt) == {4}
    assert len(writer.calls) == 3 * len(PRODUCTS) and "cashmere" not in " ".join(made.frame.text)
    assert (made.tokens_in, made.tokens_out) == (300 * len(PRODUCTS), 60 * len(PRODUCTS))


@pytest.mark.parametrize("text", ["", "Nice."])
def test_an_empty_or_bare_draft_is_never_published(text):
    made = run(
        Scripted(lambda facts, feedback: Draft(text)),
        products=PRODUCTS[["drop", "product_id"]],
        attributes=ATTRIBUTES[:0],
    )
    assert all(made.frame.text) if text == "" else set(made.frame.text) == {"Nice."}  # no facts: nothing to cover


def test_a_spent_budget_leaves_the_rest_to_the_grammar_writer():
    def until_empty(facts, feedback):
        if len(writer.calls) > 2:
            raise BudgetSpent("empty")
        return truth(facts, feedback)

    writer = Scripted(until_empty)
    made = run(writer)
    assert list(made.frame.writer) == ["scripted:m1"] * 2 + ["grammar"] * 4 and len(writer.calls) == 3


def test_abstained_answers_are_no_facts_and_are_not_mentioned():
    unsure = ATTRIBUTES.assign(abstained=True)
    made = run(attributes=unsure)
    assert all(set(json.loads(checks)["facts"]) == {"article_type", "gender"} for checks in made.frame.checks)
    assert check_published(made.frame, PRODUCTS, unsure, SCHEMA) == []


def test_a_trusted_column_overrules_the_model_and_the_conflict_is_told():
    predicted = ATTRIBUTES.iloc[:1].assign(product_id=1, attribute="Article Type", value="Belts", input_hash="x")
    made = run(attributes=pd.concat([ATTRIBUTES, predicted]))
    checks = json.loads(made.frame.checks[0])
    assert made.conflicts == 1 and checks["conflicts"] == {"article_type": "Belts"}
    assert checks["facts"]["article_type"] == PRODUCTS.article_type[0] and "belt" not in made.frame.text[0]


def test_a_predicted_type_names_the_product_where_the_catalogue_is_silent():
    products = PRODUCTS.iloc[:1].assign(article_type=None)
    predicted = ATTRIBUTES.iloc[:1].assign(attribute="Article Type", value="Belts", input_hash="x")
    assert "belt" in run(products=products, attributes=predicted).frame.text[0]


def test_a_value_nobody_can_say_faithfully_leaves_out_that_product_alone():
    odd = ATTRIBUTES.iloc[:1].assign(attribute="Colour", value="Machine Washable Red")
    with pytest.raises(SelvedgeError, match="product 1 cannot be described faithfully"):
        run(products=PRODUCTS[:1], attributes=odd)
    made = run(attributes=pd.concat([odd, ATTRIBUTES[ATTRIBUTES.product_id != 1]]))
    assert list(made.frame.product_id) == list(PRODUCTS.product_id[1:]) and made.counts()["left_out"] == 1
    assert made.doubts() == ["1 products have no description.", f"{made.left_out[1]}."]
    assert "product 1 cannot be described faithfully" in made.left_out[1] and "Machine" in made.left_out[1]


GENDERS = ["Ladies", "male", "MEN", "Femmes", "Kids", "42", "Men's Wear", "Ünïsex"]


@pytest.mark.parametrize("gender", [*GENDERS, "-", "NULL", " n/a "])
@pytest.mark.parametrize("writer", [None, truth])
def test_a_gender_that_no_vocabulary_knows_is_not_said_and_stops_nothing(gender, writer):
    products = PRODUCTS.copy()
    products.loc[2, "gender"] = gender
    made = run(writer and Scripted(writer), products=products)
    assert list(made.frame.product_id) == list(PRODUCTS.product_id) and not made.left_out
    checks = [json.loads(checks) for checks in made.frame.checks]
    assert "gender" not in checks[2]["facts"]
    unsaid = {"gender": gender} if gender in GENDERS else None
    assert [each.get("unsaid") for each in checks] == [None, None, unsaid, None, None, None]
    assert check_published(made.frame, products, ATTRIBUTES, SCHEMA) == []


UNSAYABLE = ["Dress Shirts", "Cotton Jeans", "Organic Sustainable Tops", "SKU 12/7"]


@pytest.mark.parametrize("article", [*UNSAYABLE, "null", "??", "Parkas"])
def test_a_type_that_no_vocabulary_knows_is_said_faithfully_or_not_at_all(article):
    products = PRODUCTS.copy()
    products.loc[2, "article_type"] = article
    made = run(products=products)
    assert list(made.frame.product_id) == list(PRODUCTS.product_id) and not made.left_out
    assert check_published(made.frame, products, ATTRIBUTES, SCHEMA) == []
    assert json.loads(made.frame.checks[2])["facts"].get("article_type") == ("Parkas" if article == "Parkas" else None)
    assert "null" not in made.frame.text[2] and (article in " ".join(made.doubts())) == (article in UNSAYABLE)


def test_paid_drafts_survive_a_kill(tmp_path):
    def killed(facts, feedback):
        if len(paid.calls) > 3:
            raise KeyboardInterrupt
        return truth(facts, feedback)

    paid = Scripted(killed)
    with pytest.raises(KeyboardInterrupt):
        run(paid, journal=Journal(tmp_path / "drafts.jsonl"))
    with (tmp_path / "drafts.jsonl").open("a") as file:
        file.write('{"key": "cut off')
    resumed = Scripted(truth)
    made = run(resumed, journal=Journal(tmp_path / "drafts.jsonl"))
    assert len(resumed.calls) == len(PRODUCTS) - 3
    assert list(made.frame.text) == list(run(Scripted(truth)).frame.text)
    assert Journal(tmp_path / "drafts.jsonl").find(f"{made.frame.input_hash[5]}/0")
    journal = Journal(tmp_path / "drafts.jsonl")
    journal.discard()
    assert not (tmp_path / "drafts.jsonl").exists() and journal.find(f"{made.frame.input_hash[5]}/0") is None


@pytest.mark.parametrize(
    ("number", "remedy"),
    [(errno.ENOSPC, "Free some space"), (errno.EACCES, "writable for"), (errno.EROFS, "only be read")],
)
def test_a_draft_that_cannot_be_kept_is_told_with_its_remedy(tmp_path, monkeypatch, number, remedy):
    journal = Journal(tmp_path / "drafts.jsonl")

    def refuse(*arguments, **options):
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(Path, "open", refuse)
    with pytest.raises(SelvedgeError, match=remedy) as refusal:
        journal.keep("key", "text")
    assert ("space" in remedy) == ("some space" in str(refusal.value))


def test_the_summary_counts_what_the_rows_say():
    told = summarise_checks(run(Scripted(lie, truth)).frame)
    assert told["rows"] == 6 and told["coverage_mean"] == told["coverage_min"] == 1.0
    assert (
        told["writers"] == {"scripted:m1": 6} and told["attempts"] == {2: 6} and told["rows_with_refused_drafts"] == 6
    )
    assert (told["unsupported"], told["contradictions"], told["banned"]) == (0, 0, 0) and told["words_mean"] > 8
    assert summarise_checks(run().frame[:0])["coverage_mean"] is None


def test_the_check_afresh_finds_a_row_that_was_tampered_with():
    frame = run().frame
    frame.loc[2, "text"] += " In cashmere."
    frame.loc[4, "product_id"] = 999
    faulty = check_published(frame, PRODUCTS, ATTRIBUTES, SCHEMA)
    assert [row.product_id for row in faulty] == [3, 999] and "cashmere" in faulty[0].faults[0]


def test_progress_reaches_the_end():
    seen = []
    run(progress=lambda *told: seen.append(told))
    assert seen[-1] == (6, 6, "describing") and len(seen) == 6
