"""A whole round on a ledger of its own, without a server: drawn results, votes of scripted annotators, pictures."""

from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path

import pandas as pd
from upath import UPath

import inference.tables  # noqa: F401  declares the results
from evaluation.preference_plan import PreferencePlan
from labeling.review.ledger.ledger import Ledger
from labeling.review.ledger.records import PulledAnnotation
from labeling.review.pairs.kinds import AttributeCards, Descriptions
from labeling.review.rounds import registration as rounds
from labeling.review.rounds.annotators import ScriptedAnnotator
from labeling.review.rounds.ballots import sync
from labeling.review.rounds.compared import Compared, keep
from tests.labeling.review import rounds_for_tests as drawn

NAME = "may-one"
Kind = AttributeCards | Descriptions
CARDS, DESCRIPTIONS = KINDS = AttributeCards(), Descriptions()


@dataclass(frozen=True)
class RoundsHome:
    """Where rounds of a test live: a folder, the rounds' own folder below it, and their ledger."""

    home: Path
    folder: UPath
    ledger: Ledger

    @classmethod
    def at(cls, home: Path) -> "RoundsHome":
        home.mkdir(parents=True, exist_ok=True)
        return cls(home, UPath(home / "rounds"), drawn.new_ledger(home))

    def rounds(self) -> UPath:
        return self.folder


def compared(folder: Path, kind: Kind = CARDS, products: int = 80) -> Compared:
    """Both versions' drawn results for the same products, whose pictures are files."""
    rows, splits = drawn.catalogue(products)
    rows = rows.assign(product_display_name=[f"Product {one}" for one in rows["product_id"]], base_colour="Blue")
    folder.mkdir(parents=True, exist_ok=True)
    for one in rows["product_id"]:
        (folder / f"{one}.png").write_bytes(drawn.photo(int(one)))
    images = rows[["drop", "product_id"]].assign(uri=[str(folder / f"{one}.png") for one in rows["product_id"]])
    labels = drawn.true_labels(products)
    pairs = [(one, name, value) for one, own in labels.items() for name, value in own.items()]
    table = drawn.attribute_table if kind == CARDS else drawn.description_table
    return Compared(
        kind,
        drawn.schema(),
        drawn.columns_of(table(1, products), kind.results),
        drawn.columns_of(table(2, products), kind.results),
        drawn.columns_of(rows, "products"),
        drawn.columns_of(splits, "splits"),
        {
            "images": drawn.columns_of(images, "images"),
            "qa_pairs": drawn.columns_of(pd.DataFrame(pairs, columns=["product_id", "attribute", "value"]), "qa_pairs"),
        },
    )


def opened(home: RoundsHome, kind: Kind = CARDS, project: int = 1, **changes: object) -> Ledger:
    """A round, NAME unless it is changed, open."""
    ledger = home.ledger
    content = compared(home.home / "pictures", kind)
    fields = {"round_id": NAME, "kind": kind.name, "items": 40, "results": content.results()}
    plan = drawn.plan(**{**fields, "preference": PreferencePlan(), **changes})
    rounds.register_round(ledger, plan, content.material(plan.seed), content.products, content.splits)
    keep(content, home.rounds() / plan.round_id, plan.to_json())
    ledger.bind_project(plan.round_id, project)
    return ledger


def votes(
    ledger: Ledger, preference: float, raters: int = 5, name: str = NAME, **habits: float
) -> list[PulledAnnotation]:
    """What Label Studio would hold after these annotators worked through the round.

    A round's key is drawn by the operating system. Votes that followed from it, or from sides, would decide a clear
    round otherwise once in a hundred times: here they follow from item and slot.
    """
    habits = {"consensus": 0.0, "noise": 0.0, **habits}
    people = [
        ScriptedAnnotator(f"r{number}", 3, preference=preference, **habits)  # type: ignore[arg-type]
        for number in range(raters)
    ]
    drawn.listed(ledger, *(one.email for one in people))
    found = []
    for pair in ledger.pairs(name).values():
        for one in people:
            choice, number = one.choose(replace(pair, task_key=f"{pair.slot} {pair.item}")), len(found) + 1
            vote = drawn.annotation(number, pair.task_key, one.email, choice.side, seconds=choice.seconds)
            found.append(vote)
    return found


def voted(ledger: Ledger, preference: float, raters: int = 5, name: str = NAME, **habits: float) -> None:
    """The same, pulled."""
    pulled = votes(ledger, preference, raters, name, **habits)
    sync(ledger, name, pulled, now=drawn.NOON + timedelta(days=30))
