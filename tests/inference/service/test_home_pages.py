"""Pages of a home: nobody reads them without the right, and no text of a home becomes markup or a foreign link."""

import pytest
from starlette.testclient import TestClient

from catalog.errors import SelvedgeError, ServiceUnavailable
from inference.service.app import create_app
from inference.service.home_pages import Cell, HomeState, Section
from inference.service.keys import RIGHTS
from tests.inference.service.shop import SmallService, a_catalogue
from tests.inference.service.test_app import LIMITS

HOSTILE = '<img src=x onerror="alert(1)">'
PARTS = ("today", "champions", "rounds", "trace?product=7")


class PaperHome(HomeState):
    """A home whose records hold what they should not."""

    def today(self):
        rows = [(Cell(HOSTILE), Cell("a run", "javascript:alert(1)", HOSTILE, "bad"))]
        return [Section("Needs you", rows, "Nothing."), Section("As it stands", [], f"Empty: {HOSTILE}")]

    def champions(self):
        return [Section("Every move", [(Cell("toy"), Cell("version 2", "http://127.0.0.1:5000/#/v"))], "", ("A", "B"))]

    def rounds(self):
        raise ServiceUnavailable("the ledger does not answer; start its database.")

    @property
    def trace(self):
        def follow(product, drop):
            if product != 7:
                raise SelvedgeError(f"no drop holds product {product}.")
            hops = [{"hop": "sentence", "value": HOSTILE, "link": "javascript:1", "state": "checked", "note": drop}]
            return {"product_id": product, "drop": drop or "newest", "name": HOSTILE, "hops": hops}

        return follow


@pytest.fixture
def small(tmp_path):
    made = SmallService(tmp_path, a_catalogue(tmp_path), None, LIMITS)
    yield made
    made.batcher.stop()


@pytest.fixture
def browser(small):
    return TestClient(create_app(small.service, PaperHome()), base_url="http://127.0.0.1")


def key_of(small, *rights):
    return {"Authorization": f"Bearer {small.keys.add('reader', rights)}"}


@pytest.mark.parametrize("part", PARTS)
def test_a_part_of_a_page_wants_a_key_with_the_right(browser, small, part):
    assert browser.get(f"/parts/{part}").status_code == 401
    requests_only = {"Authorization": f"Bearer {small.keys.add('shop')}"}
    answer = browser.get(f"/parts/{part}", headers=requests_only)
    assert answer.status_code == 403 and "no right to home" in answer.json()["error"]
    assert "home" in RIGHTS


@pytest.mark.parametrize("address", ["/", "/champions", "/rounds", "/trace"])
def test_a_page_itself_holds_nothing_of_the_home_and_runs_no_script_but_its_own(browser, address):
    page = browser.get(address)
    assert page.status_code == 200 and HOSTILE not in page.text and "<script>" not in page.text
    assert "script-src 'self'" in page.headers["Content-Security-Policy"]


def test_no_text_becomes_markup_and_no_link_leads_elsewhere_than_to_a_page(browser, small):
    reader = key_of(small, "home")
    for part in ("today", "trace?product=7&drop=first"):
        text = browser.get(f"/parts/{part}", headers=reader).text
        assert "<img" not in text and "&lt;img" in text and "javascript:" not in text
    assert 'href="http://127.0.0.1:5000/#/v"' in browser.get("/parts/champions", headers=reader).text


def test_what_cannot_be_told_is_one_sentence(browser, small):
    reader = key_of(small, "home")
    for part, status, words in [
        ("rounds", 503, "the ledger does not answer"),
        ("trace?product=8", 404, "no drop holds product 8"),
        ("trace?product=green", 422, "product"),
        ("trace", 422, "product"),
    ]:
        answer = browser.get(f"/parts/{part}", headers=reader)
        assert answer.status_code == status and words in answer.json()["error"]


def test_without_a_home_there_are_no_pages(small):
    assert TestClient(create_app(small.service), base_url="http://127.0.0.1").get("/champions").status_code == 404
