"""Picks in Dagster: noticed by the sensor, pulled by a run of their drop, shown with what they publish."""

import hashlib
import json
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import dagster as dg
import pytest
from PIL import Image

from catalog.errors import ServiceUnavailable
from labeling.review.label_studio.records import Annotation
from labeling.review.ledger.ledger import Ledger
from labeling.review.ledger.picks import ShownPicture
from labeling.review.picks.opening import OpenedPicks, PickRequest, open_picks
from labeling.review.picks.pulling import all_published
from orchestration.assets.partitions import DROPS
from orchestration.graph.picks import ad_picks, watches_picks
from orchestration.registry.ledger import open_ledger
from orchestration.report.ads import read_ads
from orchestration.report.home import Home
from orchestration.runtime.settings import Settings
from tests.labeling.review.rounds.paper_studio import PaperStudio
from tests.orchestration.report.small_home import SmallHome, garment
from training.reporting import Silent

NOON = datetime(2026, 5, 4, 12, tzinfo=UTC)
ANN, BOB = "ann@shop.example", "bob@shop.example"


@dataclass
class Desk:
    """The methods of `Reviews` that picks ask."""

    settings: Settings
    studio: PaperStudio = field(default_factory=PaperStudio)
    down: bool = False

    def ledger(self) -> Ledger:
        return open_ledger(self.settings)

    def server(self, patience_seconds: float | None = None) -> PaperStudio:
        if self.down:
            raise ServiceUnavailable("Label Studio at 127.0.0.1:1 does not answer.")
        return self.studio


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    made = Desk(Settings(home=tmp_path / "home"))
    for number, name in enumerate((ANN, BOB), start=1):
        made.ledger().record.list_annotator(name, number, "added")
    return made


def opened(desk: Desk, folder: Path, drop: str = "may", products: tuple[int, ...] = (1,)) -> OpenedPicks:
    """A round of a drop: three pictures of every product."""
    requests = []
    for product in products:
        shown = []
        for rank in (1, 2, 3):
            file = folder / f"{drop}-{product}-{rank}.png"
            Image.new("RGB", (24, 24), (40 * product % 256, 60 * rank, len(drop))).save(file)
            shown.append(ShownPicture(hashlib.sha256(file.read_bytes()).hexdigest(), str(file)))
        requests.append(PickRequest(f"{product}-beach/{drop}", product, tuple(shown)))
    return open_picks(desk.ledger(), desk.studio, drop, requests)


def pick(desk: Desk, round_id: str, number: int, who: str, answer: str, comment: str = "", project: int = 1) -> None:
    key = next(iter(desk.ledger().picks.tasks(round_id)))
    rater = {ANN: 1, BOB: 2}[who]
    held = desk.studio.held.setdefault(project, [])
    held.append(Annotation(number, 1, key, rater, who, None, (answer,), (), 3.0, NOON, NOON, False, comment))


def ticked(desk: Desk, instance: dg.DagsterInstance, cursor: str | None = None) -> Any:
    context = dg.build_sensor_context(instance=instance, cursor=cursor, resources={"reviews": desk})
    return watches_picks(context)


def test_new_answers_ask_for_one_pull_of_their_drop(desk: Desk, tmp_path: Path) -> None:
    instance = dg.DagsterInstance.ephemeral()
    instance.add_dynamic_partitions(DROPS.name or "", ["may", "june"])
    assert ticked(desk, instance).run_requests == []  # no round, and no Label Studio asked
    may = opened(desk, tmp_path)
    quiet = ticked(desk, instance)
    assert quiet.run_requests == []
    pick(desk, may.round.round_id, 1, ANN, "2")
    first = ticked(desk, instance, quiet.cursor)
    (request,) = first.run_requests
    assert request.partition_key == "may" and ticked(desk, instance, first.cursor).run_requests == []
    pick(desk, may.round.round_id, 2, BOB, "2")
    second = ticked(desk, instance, first.cursor)
    assert [each.partition_key for each in second.run_requests] == ["may"]
    desk.down = True
    away = ticked(desk, instance, second.cursor)
    assert away.run_requests == [] and json.loads(away.cursor) == json.loads(second.cursor)


def test_a_run_pulls_publishes_and_shows_orders(desk: Desk, tmp_path: Path) -> None:
    may = opened(desk, tmp_path, products=(1,))
    pick(desk, may.round.round_id, 1, ANN, "2", "too small")

    def run() -> dict[str, Any]:
        context = dg.build_asset_context(partition_key="may")
        result = ad_picks(context=context, reviews=desk, progress=Silent())
        return dict(result.metadata)

    shown = run()
    figures = ("requests", "picks", "simulated", "new", "void", "published")
    assert [shown[name] for name in figures] == [1, 1, 0, 1, 0, 1]
    assert "too small" in str(shown["orders"]) and "data:image" in str(shown["for example"])
    assert run()["new"] == 0
    pick(desk, may.round.round_id, 2, BOB, "1")
    assert run()["published"] == 0  # level: none is


def test_a_drop_without_a_round_says_how_to_open_one(desk: Desk) -> None:
    instance = dg.DagsterInstance.ephemeral()
    instance.add_dynamic_partitions(DROPS.name or "", ["june"])
    resources = {"reviews": desk, "progress": Silent()}
    ended = dg.materialize(
        [ad_picks], instance=instance, partition_key="june", resources=resources, raise_on_error=False
    )
    (failure,) = [event for event in ended.all_node_events if event.is_step_failure]
    assert "drop june has no round of picks; run `selvedge review picks open june`." in str(failure.event_specific_data)


def test_the_report_shows_the_picture_that_was_picked(tmp_path: Path) -> None:
    import pandas as pd

    from inference.tables import AD_IMAGES

    home = SmallHome(tmp_path)
    products = home.read_drop()
    first, second = (int(product) for product in products["product_id"][:2])
    rows: list[dict[str, Any]] = []
    for product in (first, second):
        for rank in (1, 2):
            file = tmp_path / f"{product}-{rank}.png"
            file.write_bytes(garment((product % 250, 90 * rank, 30)))
            row: dict[str, Any] = dict.fromkeys(AD_IMAGES.names, "") | {"seed": 0, "score": 0.0, "plan": PLAN}
            row |= {"drop": "first", "product_id": product, "rank": rank, "uri": str(file), "backdrop": "studio 1"}
            rows.append(row | {"sha256": hashlib.sha256(file.read_bytes()).hexdigest()})
    home.publish("inference/ad_images", pd.DataFrame(rows, columns=AD_IMAGES.names), "first", plans=18)
    before = read_ads(Home(home.instance, home.settings))
    assert (before.published, before.rehearsed) == (0, 0) and [card.picked for card in before.cards] == ["", ""]

    desk = Desk(home.settings)
    desk.ledger().record.list_annotator(ANN, 1, "added")
    shown = tuple(ShownPicture(row["sha256"], row["uri"]) for row in rows if row["product_id"] == first)
    round_ = open_picks(desk.ledger(), desk.studio, "first", [PickRequest("a/b", first, shown)]).round
    tasks = desk.ledger().picks.tasks(round_.round_id)
    place = [picture.sha256 for picture in next(iter(tasks.values())).shown].index(rows[1]["sha256"])
    pick(desk, round_.round_id, 1, ANN, str(place + 1))
    context = dg.build_asset_context(partition_key="first")
    ad_picks(context=context, reviews=desk, progress=Silent())
    after = read_ads(Home(home.instance, home.settings))
    assert (after.published, after.rehearsed) == (1, 0)
    assert [card.picked for card in after.cards] == ["picked by 1 person", ""]
    assert [card.product_id for card in after.cards] == [first, second]
    assert after.cards[0].picture != before.cards[0].picture and after.cards[1] == before.cards[1]
    assert list(all_published(desk.ledger())) == ["a/b"]


PLAN = json.dumps({"section": 0, "scale": 0.5, "rotation": 0})
