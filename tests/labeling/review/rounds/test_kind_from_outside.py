"""A kind of pair that labeling never heard of: opened, kept, read again and reported through what it declares."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import pandas as pd
import pytest
from upath import UPath

from catalog.errors import SelvedgeError
from catalog.schema import AttributeSchema
from labeling.review.label_page import Sides
from labeling.review.ledger.ledger import Ledger
from labeling.review.pairs.kinds import AttributeCards, find_kind, need_columns
from labeling.review.pairs.products import Product
from labeling.review.pairs.rendering import escaped
from labeling.review.rounds.ballots import sync
from labeling.review.rounds.compared import Compared, keep, read_compared
from labeling.review.rounds.judging import close_round
from labeling.review.rounds.registration import register_round
from labeling.review.rounds.report import write_round_report
from labeling.review.rounds.tasks import round_tasks
from tests.labeling.review.rounds_for_tests import (
    NOON,
    annotation,
    catalogue,
    columns_of,
    listed,
    new_ledger,
    photo,
    plan,
)


@dataclass(frozen=True)
class Slogans:
    """Two slogans, each held against a picture that the kind draws itself."""

    name: str = "slogans"
    label: str = "slogans"
    base: str | None = "the copy writer"
    results: str = "descriptions"
    further: tuple[str, ...] = ()
    question: str = "Which slogan sells?"
    guidelines: str = "<p>Say it aloud.</p>"
    reasons: tuple[str, ...] = ("dull",)
    sides: Sides = "html"
    style: str = ".pair.slogans em { color: red; }"

    def read(self, table: pd.DataFrame) -> dict[int, str]:
        need_columns(table, "descriptions", ("product_id", "text"))
        return dict(zip(table["product_id"].astype(int), table["text"], strict=True))

    def products(
        self, results: pd.DataFrame, further: Mapping[str, pd.DataFrame], vocabulary: AttributeSchema | None
    ) -> Callable[[int], Product]:
        assert dict(further) == {} and vocabulary is None
        return lambda item: Product(item, {}, lambda: photo(item))

    def level(self, first: str, second: str) -> tuple[str, str]:
        return first.lower(), second.lower()

    def render(self, result: str) -> str:
        return f"<em>{escaped(result)}</em>"

    def plant(self, result: str, product: Product, seed: int) -> str | None:
        return f"do not {result}"

    def report(self, candidate: str, opponent: str) -> tuple[str, str]:
        return candidate.replace("<em>", '<em class="ours">'), opponent


KIND = Slogans()


@pytest.fixture
def compared() -> Compared:
    products, splits = catalogue(60)
    ours, theirs = (
        columns_of(products[["product_id", "drop"]].assign(text=f"Buy {word}"), "descriptions")
        for word in ("ME", "this")
    )
    return Compared(KIND, None, ours, theirs, columns_of(products, "products"), columns_of(splits, "splits"), {})


@pytest.fixture
def ledger(tmp_path: Path) -> Ledger:
    return new_ledger(tmp_path)


def test_a_kind_of_a_family_outside_goes_from_its_tables_to_the_report(
    compared: Compared, ledger: Ledger, tmp_path: Path
) -> None:
    registered = plan(kind="slogans", opponent="base", opponent_version="base-1", results=compared.results())
    register_round(ledger, registered, compared.material(7), compared.products, compared.splits)
    keep(compared, UPath(tmp_path / "rounds" / "may-one"), registered.to_json())
    again = read_compared(UPath(tmp_path / "rounds" / "may-one"), [AttributeCards(), KIND])
    assert (again.kind, again.results()) == (KIND, compared.results())
    tasks = list(round_tasks(ledger, "may-one", again.material(7)))
    plain = {"<em>buy me</em>", "<em>buy this</em>"}
    assert plain <= {task[side] for task in tasks for side in ("left", "right")}
    votes = [
        annotation(2 * number + rater, key, f"r{rater}@shop.example", "left" if pair.left == version else "right")
        for number, (key, pair) in enumerate(ledger.pairs("may-one").items())
        for rater, version in enumerate(("candidate", "champion"))
        if pair.slot == "plain"
    ]
    listed(ledger, "r0@shop.example", "r1@shop.example")
    sync(ledger, "may-one", votes, now=NOON.replace(month=6))
    close_round(UPath(tmp_path / "rounds"), ledger, "may-one", undecided=True)
    page = write_round_report(UPath(tmp_path / "rounds"), ledger, "may-one", tmp_path / "page.html", [KIND]).read_text()
    assert "beside the copy writer (version base-1): two slogans for one product" in page
    assert KIND.style in page and page.count('<article class="pair slogans">') == 10
    assert page.count('<em class="ours">buy me</em>') == page.count("<em>buy this</em>") == 10
    assert '<h4 class="o">The copy writer</h4>' in page and "results of the copy writer" in page


def test_a_kind_that_the_family_does_not_name_is_refused(compared: Compared, tmp_path: Path) -> None:
    with pytest.raises(SelvedgeError, match=r"^toys is compared in slogans, not in attribute-cards; choose one"):
        find_kind([KIND], "attribute-cards", "toys")
    keep(compared, UPath(tmp_path), "plan")
    with pytest.raises(SelvedgeError, match=r"kind 'slogans', which its family is not compared in any more \(attrib"):
        read_compared(UPath(tmp_path), [AttributeCards()])
