"""Rounds: opened whole or not at all, the same when opened again, and nothing goes out that tells a side."""

import json
import re
from pathlib import Path

import pandas as pd
import pytest

from catalog.errors import SelvedgeError
from labeling.review.ledger.ledger import Ledger
from labeling.review.pairs.kinds import AttributeCards
from labeling.review.rounds.material import Material, gather_material
from labeling.review.rounds.registration import register_round
from labeling.review.rounds.tasks import round_tasks
from tests.labeling.review.rounds_for_tests import (
    attribute_table,
    card_material,
    catalogue,
    new_ledger,
    photo,
    plan,
    product_reader,
    text_material,
)


@pytest.fixture
def ledger(tmp_path: Path) -> Ledger:
    return new_ledger(tmp_path)


@pytest.mark.parametrize(
    ("kind", "material"), [("attribute-cards", card_material()), ("descriptions", text_material())]
)
def test_what_goes_out(ledger: Ledger, kind: str, material: Material) -> None:
    round_ = register_round(ledger, plan(kind=kind), material, *catalogue())
    tasks = list(round_tasks(ledger, round_.plan.round_id, material))
    pairs = ledger.pairs(round_.plan.round_id)
    assert len(tasks) == len(pairs) == 20 + 2 + 1 + 1
    assert [task["key"] for task in tasks] == sorted(pairs)
    for task in tasks:
        assert set(task) == {"key", "photo", "left", "right"}
        sent, pair = json.dumps(task), pairs[task["key"]]
        secrets = ["candidate", "champion", "blip2", "may-one", "gold", "repeat", round_.key.hex(), pair.left]
        assert not [secret for secret in secrets if secret in sent]
        assert (task["left"] == task["right"]) >= (pair.slot == "aa")
        assert pair.slot != "gold" or task["left"] != task["right"]
        assert pair.words == len(re.sub("<[^>]*>", " ", task["left"] + task["right"]).split())
    by_slot = {(pair.item, pair.slot): task for task, pair in zip(tasks, pairs.values(), strict=True)}
    for (item, slot), task in by_slot.items():
        if slot == "repeat":
            plain = by_slot[item, "plain"]
            assert (task["left"], task["right"]) == (plain["right"], plain["left"])
            assert task["photo"] == plain["photo"] and task["key"] != plain["key"]


def test_sides_are_what_the_map_says(ledger: Ledger) -> None:
    material = card_material()
    register_round(ledger, plan(), material, *catalogue())
    for task in round_tasks(ledger, "may-one", material):
        pair = ledger.pairs("may-one")[task["key"]]
        left, right = material.of(pair.left)[pair.item], material.of(pair.left)[pair.item]
        if pair.slot in ("plain", "repeat"):
            right = material.of("champion" if pair.left == "candidate" else "candidate")[pair.item]
        shown = [material.kind.render(side) for side in material.kind.level(left, right)]
        if pair.slot == "gold":
            assert task[str(pair.sound)] == shown[0] != task["right" if pair.sound == "left" else "left"]
        else:
            assert [task["left"], task["right"]] == shown


def test_opening_again_gives_the_round_there_is(ledger: Ledger, tmp_path: Path) -> None:
    material = card_material()
    first = register_round(ledger, plan(), material, *catalogue())
    tasks = list(round_tasks(ledger, "may-one", material))
    again = new_ledger(tmp_path)
    assert register_round(again, plan(), card_material(), *catalogue()) == first
    assert list(round_tasks(again, "may-one", card_material())) == tasks
    with pytest.raises(SelvedgeError, match=r"another plan \(different: items\)"):
        register_round(ledger, plan(items=21), material, *catalogue())


def test_results_that_changed_since_are_not_shown(ledger: Ledger) -> None:
    register_round(ledger, plan(), card_material(), *catalogue())
    tables = attribute_table(1), attribute_table(3)
    changed = gather_material(AttributeCards(), *tables, product_reader(), 7)
    with pytest.raises(SelvedgeError, match="not what was registered"):
        list(round_tasks(ledger, "may-one", changed))


def test_a_failure_registers_nothing(ledger: Ledger) -> None:
    def read(product_id: int) -> bytes:
        return photo(product_id) if product_id % 3 else b"broken"

    with pytest.raises(SelvedgeError, match="cannot be shown"):
        register_round(ledger, plan(), card_material(read=read), *catalogue())
    with pytest.raises(SelvedgeError, match="planned for descriptions"):
        register_round(ledger, plan(kind="descriptions"), card_material(), *catalogue())
    with pytest.raises(SelvedgeError, match="needs 115 test products"):
        register_round(ledger, plan(items=100), card_material(), *catalogue())
    assert ledger.rounds() == []


def test_only_products_with_both_results_are_drawn(ledger: Ledger) -> None:
    short = attribute_table(2)
    tables = attribute_table(1), short[short["product_id"] <= 30]
    material = gather_material(AttributeCards(), *tables, product_reader(), 7)
    register_round(ledger, plan(), material, *catalogue())
    assert max(pair.item for pair in ledger.pairs("may-one").values()) <= 30


def gold_material(candidate_wrong: float, champion_wrong: float) -> Material:
    tables = attribute_table(1, wrong=candidate_wrong), attribute_table(2, wrong=champion_wrong)
    return gather_material(AttributeCards(), *tables, product_reader(), 7)


@pytest.mark.parametrize(
    ("candidate_wrong", "champion_wrong", "planted_in"),
    [(0.0, 1.0, {"candidate"}), (1.0, 0.0, {"champion"}), (0.5, 0.5, {"candidate", "champion"})],
)
def test_an_error_is_planted_in_whichever_version_is_right(
    ledger: Ledger, tmp_path: Path, candidate_wrong: float, champion_wrong: float, planted_in: set[str]
) -> None:
    material = gold_material(candidate_wrong, champion_wrong)
    register_round(ledger, plan(gold_share=0.5), material, *catalogue())
    golden = [pair for pair in ledger.pairs("may-one").values() if pair.slot == "gold"]
    assert len(golden) == 10 and {pair.left for pair in golden} == planted_in
    tasks = list(round_tasks(ledger, "may-one", material))
    shown = {task["key"]: task for task in tasks}
    for pair in golden:
        assert material.can_be_planted(pair.left, pair.item)
        own = material.of(pair.left)[pair.item]
        planted = material.kind.plant(own, material.products[pair.item], material.seed)
        sides = [material.kind.render(strip_side) for strip_side in (own, planted)]
        task = shown[pair.task_key]
        assert [task["left"], task["right"]] == (sides if pair.sound == "left" else sides[::-1])
    again = round_tasks(new_ledger(tmp_path), "may-one", gold_material(candidate_wrong, champion_wrong))
    assert json.dumps(list(again)).encode() == json.dumps(tasks).encode()


def test_two_versions_that_are_never_right_leave_nothing_to_plant_an_error_in(ledger: Ledger) -> None:
    with pytest.raises(SelvedgeError, match=r"needs 2 gold pairs, but an error can be planted in 0 test products only"):
        register_round(ledger, plan(), gold_material(1.0, 1.0), *catalogue())
    assert ledger.rounds() == []


def test_a_version_without_results_is_told() -> None:
    nothing = pd.DataFrame(columns=["product_id", "attribute", "value", "abstained"])
    with pytest.raises(SelvedgeError, match="the champion has no results"):
        gather_material(AttributeCards(), attribute_table(1), nothing, product_reader(), 7)
