"""The front door's pages of a home: what needs somebody comes first, every row leads to where it is recorded."""

from dataclasses import replace

import pytest

from catalog.errors import SelvedgeError
from orchestration.registry.ledger import open_ledger
from orchestration.report.home_pages import HomePages
from orchestration.runtime.instance import open_instance
from orchestration.runtime.settings import Settings
from tests.labeling.review.rounds_for_tests import annotation, listed, pair, plan
from tests.orchestration.toy_family import toy_family

TOY = toy_family()


@pytest.fixture
def settings(tmp_path):
    return Settings(
        home=tmp_path / "home", label_studio="https://studio.example.com", tracking_uri="http://mlflow.example"
    )


@pytest.fixture
def pages(settings):
    return HomePages(settings, [TOY])


def moved(ledger, version, before=None, kind="promotion"):
    record = ledger.promotions.intend(
        family="toy", kind=kind, candidate=f"toy-{version}", version=version, old_champion=before,
        previous_champion=before, who="mia", reasons=["people preferred it"], evidence={}, simulated=version == "1",
    )  # fmt: skip
    ledger.promotions.complete(record.record_id)


def cells(sections, title):
    return [row for section in sections if section.title == title for row in section.rows]


def test_an_empty_home_needs_its_services_alone_and_is_given_nothing(pages, settings):
    today = pages.today()
    assert [row[0].text for row in cells(today, "Needs you")] == ["Services"]
    assert "selvedge up" in cells(today, "Needs you")[0][1].note
    assert cells(pages.champions(), "Every move") == [] == cells(pages.rounds(), "Rounds")
    assert not settings.home.exists(), "reading makes no ledger and no database"


def test_champions_and_their_history_lead_into_the_registry(pages, settings):
    settings.home.mkdir()
    ledger = open_ledger(settings)
    moved(ledger, "1")
    moved(ledger, "2", before="1")
    (now,) = cells(pages.champions(), "Champions now")
    assert now[1].text == "version 2" and now[1].link == "http://mlflow.example/#/models/toy/versions/2"
    newest, first = cells(pages.champions(), "Every move")
    assert newest[2].note == "after version 1" and newest[4].note == "People preferred it"
    assert first[3].note == "rests on scripted annotators" and first[2].note == "the first"
    assert newest[1].link.startswith(settings.dagster_uri) and "toy" in newest[1].link


def test_an_open_round_stands_first_and_leads_to_its_project(pages, settings):
    settings.home.mkdir()
    ledger = listed(open_ledger(settings))
    ledger.open_round(replace(plan(), family="toy"), b"k" * 32, [pair(item) for item in range(3)])
    ledger.bind_project("may-one", 12)
    (needs,) = (row for row in cells(pages.today(), "Needs you") if row[0].text == "Round open")
    assert needs[1].text == "toy: 0 of 9 ballots" and "no pull yet" in needs[1].note
    assert needs[1].link == "https://studio.example.com/projects/12/data?labeling=1"
    (row,) = cells(pages.rounds(), "Rounds")
    assert [cell.text for cell in row[3:]] == ["0", "–", "open"] and row[1].link == needs[1].link
    votes = [annotation(number, f"plain-{item}", rater) for number, (item, rater) in enumerate(
        [(item, rater) for item in range(3) for rater in ("ann@shop.example", "bob@shop.example")])]  # fmt: skip
    ledger.store_pull("may-one", votes, lambda _annotation, _closed: None, lambda _rater: False)
    (row,) = cells(pages.rounds(), "Rounds")
    assert row[3].text == "6" and row[4].text == "100%" and "to" in row[4].note


def test_a_failed_run_and_a_refused_drop_say_why_and_lead_into_dagster(pages, settings):
    (settings.home / "inbox" / "bad drop").mkdir(parents=True)
    with open_instance(settings):
        pass
    needs = cells(pages.today(), "Needs you")
    (drop,) = (row for row in needs if row[0].text.startswith("Drop"))
    assert drop[1].text == "bad drop" and drop[1].note and drop[1].link.startswith(settings.dagster_uri)


def test_a_product_that_no_drop_holds_is_a_sentence(pages):
    with pytest.raises(SelvedgeError, match="holds no drop yet"):
        pages.trace(7, "")
