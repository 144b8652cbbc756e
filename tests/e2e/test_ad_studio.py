"""The running service: the page that tells of it, the ad studio in a real browser, what a kill leaves.

Belongs here: `selvedge serve` as a whole, and the commands of docs/serve.md. Not here: what its addresses answer
(tests/inference/service/).
"""

import hashlib
import json
import os
import re
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest
from PIL import Image

from catalog.files import publish_bytes
from inference.service.jobs import Jobs
from inference.service.making import Order, photo_file
from inference.service.tables import open_database
from tests.e2e.console import ROOT, command_block
from tests.inference.ad_images.shop import BAG, photo_of
from tests.inference.service.shop import an_artefact

pytestmark = [pytest.mark.e2e, pytest.mark.slow, pytest.mark.xdist_group("studio"), pytest.mark.timeout(300)]

PROGRAM = f"{sys.executable} -m orchestration.cli"
PAGE_ADDRESS = "http://127.0.0.1:8090"
DESKTOP, PHONE = {"width": 1280, "height": 900}, {"width": 390, "height": 844}


class Running:
    """`selvedge serve` as docs/serve.md starts it, on a free port. key: of the client that the page adds."""

    def __init__(self, folder: Path, model: Path) -> None:
        self.folder = folder
        settings = {"SELVEDGE_HOME": str(folder / "home"), "SELVEDGE_AD_SIZE": "256"}
        self.environment = {**os.environ, "PYTHONPATH": str(ROOT), **settings}
        printed = self.bash(command_block("serve.md", "selvedge catalog draw"))
        self.key = re.search(r"selvedge_\S{20,}", printed)[0]  # type: ignore[index]
        command = command_block("serve.md", "selvedge serve").strip().replace("selvedge", PROGRAM, 1)
        options = ["--port", "0", "--json", "--model", str(model)]
        self.process = subprocess.Popen(
            [*command.split(), *options], stdout=subprocess.PIPE, text=True, cwd=folder, env=self.environment
        )
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        assert line, f"the command ended with {self.process.wait()}"
        self.printed = json.loads(line)

    def bash(self, block: str, **environment: str) -> str:
        """What the commands of a block print."""
        text = re.sub(r"^selvedge", PROGRAM, block, flags=re.MULTILINE)
        ended = subprocess.run(
            ["bash", "-e", "-o", "pipefail", "-c", text],
            cwd=self.folder, env={**self.environment, **environment}, capture_output=True, text=True, timeout=200,
        )  # fmt: skip
        assert ended.returncode == 0, ended.stderr
        return ended.stdout

    def curl(self, block: str) -> str:
        """What a block of the page prints, asked of this service."""
        return self.bash(block.replace(PAGE_ADDRESS, self.printed["address"]), KEY=self.key)

    def ask(self, method: str, address: str, body: Any = None) -> Any:
        request = urllib.request.Request(self.printed["address"] + address, method=method)
        request.add_header("Authorization", f"Bearer {self.key}")
        request.add_header("Content-Type", "application/json")
        content = None if body is None else json.dumps(body).encode()
        with urllib.request.urlopen(request, content, timeout=30) as answer:
            return json.loads(answer.read())

    def worker(self) -> psutil.Process:
        recorded = json.loads((self.folder / "home" / "service" / "service-worker-1.pid").read_text())
        return psutil.Process(recorded["pid"])

    def until(self, request_id: str, *states: str) -> dict[str, Any]:
        end = time.monotonic() + 90
        while (ad := self.ask("GET", f"/ads/{request_id}"))["state"] not in states:
            assert time.monotonic() < end, ad
            time.sleep(0.05)
        return ad


@pytest.fixture(scope="module")
def running(tmp_path_factory) -> Iterator[Running]:
    """In a home in which server and worker of an earlier one were killed over the request `left`, as its worker is."""
    folder = tmp_path_factory.mktemp("studio")
    (folder / "home").mkdir()
    photo = photo_of(BAG)
    sha256 = hashlib.sha256(photo).hexdigest()
    publish_bytes(photo, folder / "home" / "objects" / "service" / photo_file(sha256))
    order = Order("web-shop--left", photo_file(sha256), sha256, None, None, "studio", None, (256, 256), 0, "refuse")
    jobs = Jobs(open_database(f"sqlite:///{folder / 'home' / 'service.db'}"), lease=0.0)
    jobs.accept("web-shop", "left", "of an earlier one", order.plain(), 8)
    assert jobs.claim().attempts == 1
    started = Running(folder, an_artefact(folder / "artefact").folder)
    assert started.until("left", "running")["attempts"] in (1, 2)
    while started.ask("GET", "/ads/left")["attempts"] < 2:
        time.sleep(0.05)
    started.worker().kill()
    yield started
    started.process.send_signal(signal.SIGINT)
    left, _ = started.process.communicate(timeout=60)
    assert (started.process.returncode, left) == (130, "")
    assert not any("service-worker" in " ".join(child.cmdline()) for child in psutil.Process().children(recursive=True))


@pytest.fixture
def page(running) -> Iterator[Any]:
    """The studio as its link opens it on a desktop; no script of it may fail, and nothing may break its policy."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path="/usr/bin/chromium", args=["--no-sandbox"])
        opened = browser.new_page(viewport=DESKTOP)
        failures: list[str] = []
        opened.on("pageerror", lambda error: failures.append(str(error)))
        opened.on("console", lambda said: failures.append(said.text) if "Security Policy" in said.text else None)
        opened.goto(running.printed["studio"])
        opened.wait_for_selector("#studio:not([hidden])")
        yield opened
        browser.close()
        assert failures == []


def look(page, tmp_path: Path, name: str) -> None:
    page.screenshot(path=tmp_path / f"{name}.png", animations="disabled", full_page=True)


def until(page, expression: str, seconds: float = 60.0) -> None:
    """Wait until an expression is true on the page, whose policy forbids Playwright's own waiting."""
    end = time.monotonic() + seconds
    while not page.evaluate(f"Boolean({expression})"):
        assert time.monotonic() < end, f"never true: {expression}"
        time.sleep(0.03)


def test_the_pages_of_the_home_are_one_click_away_and_ask_for_no_key_again(page, running, tmp_path):
    for name, heading in [("Today", "Needs you"), ("Champions", "Champions now"), ("Rounds", "Rounds")]:
        page.click(f"#rooms a:text-is('{name}')")
        until(page, f"[...document.querySelectorAll('#parts h2')].some((h) => h.textContent === '{heading}')")
        assert page.inner_text("h1") == name and page.get_attribute("#rooms a[aria-current]", "href") in page.url
        look(page, tmp_path, name.lower())
    page.click("#rooms a:text-is('Trace')")
    until(page, "document.activeElement.id === 'product'")
    page.keyboard.type("10008")
    page.keyboard.press("Enter")
    until(page, "document.querySelector('#says.bad')")
    assert "holds no drop yet" in page.inner_text("#says") and page.url.endswith("/trace?product=10008")
    page.set_viewport_size(PHONE)
    assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")
    page.evaluate("sessionStorage.clear()")
    page.goto(f"{running.printed['address']}/rounds")
    until(page, "document.activeElement.id === 'key'")
    page.keyboard.type(running.key)  # of a client that may ask for ads, and not look into the home
    page.keyboard.press("Enter")
    until(page, "document.querySelector('#says.bad')")
    assert "no right to home" in page.inner_text("#says")


def test_from_a_product_to_a_picked_and_downloaded_ad(page, running, tmp_path):
    assert "key=" not in page.url and page.evaluate("document.activeElement.id") == "product"
    look(page, tmp_path, "opened")
    page.keyboard.press("Enter")
    until(page, "document.querySelector('#says.bad')")
    assert "Name a product" in page.inner_text("#says")
    page.keyboard.type(str(BAG))
    page.select_option("#theme", "studio")
    page.focus("#product")
    page.keyboard.press("Enter")
    until(page, "document.querySelector('#stages .now')")
    look(page, tmp_path, "at-work")
    until(page, "state.ad && document.querySelectorAll('#pictures img[src]').length")
    until(page, "[...document.querySelectorAll('#plans img')].every(one => one.naturalWidth > 60)")
    assert page.locator("#plans li").count() == 9 and page.locator("#says.bad").count() == 0
    assert page.locator("#plans li.fell p").count() >= page.locator("#plans li.fell").count()
    assert re.search(r"theme studio · \d of 9 plans passed", page.inner_text("#about"))
    assert page.evaluate("document.activeElement.id") == "top-name"
    page.keyboard.press("1")
    until(page, "document.querySelector('#pictures li.picked')")
    look(page, tmp_path, "made")
    first = page.evaluate("state.ad.request_id")
    with page.expect_download() as download:
        page.click("[aria-label='Download picture 1 as PNG']")
    assert Image.open(download.value.path()).size == (256, 256)
    page.keyboard.press("c")
    page.keyboard.type("a little smaller")
    page.keyboard.press("Enter")
    until(page, f"state.ad.request_id !== '{first}' && state.ad.state === 'done'")
    assert "So far: a little smaller" in page.inner_text("#comments")
    assert "smaller" not in page.inner_text("#history button") and page.locator("#history button").count() == 1
    page.set_viewport_size(PHONE)
    until(page, "document.querySelectorAll('#pictures img[src]').length")
    look(page, tmp_path, "phone")
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), "nothing is wider than the phone"
    page.go_back()
    until(page, f"state.ad.request_id === '{first}' && document.querySelector('#pictures li.picked')")
    page.evaluate("show({ ...state.ad, state: 'refused', error: 'no picture passed.', pictures: [] })")
    assert page.inner_text("#says.bad") == "No picture passed."
    assert page.is_visible("#plans") and not page.is_visible("#best") and not page.is_visible("#comment-form")


def test_a_photograph_of_ones_own_and_what_is_refused_is_said_in_its_place(page, tmp_path):
    photo = tmp_path / "bag.png"
    photo.write_bytes(b"no picture")
    page.set_input_files("#photo", photo)
    page.click("#make")
    until(page, "document.querySelector('#says.bad')")
    assert "not an image" in page.inner_text("#says")
    photo.write_bytes(photo_of(BAG))
    page.set_input_files("#photo", photo)
    page.fill("#prompt", "a bag held by a woman")
    page.click("#make")
    until(page, "document.querySelector('#says').textContent.includes('person')")
    look(page, tmp_path, "refused")
    page.evaluate("sessionStorage.clear()")
    page.reload()
    page.wait_for_selector("#door:not([hidden])")
    page.fill("#key", "selvedge_nobody")
    page.keyboard.press("Enter")
    until(page, "document.querySelector('#door-says').textContent.includes('opens nothing')")


def test_the_page_leads_from_the_server_to_a_downloaded_ad_and_a_description(running):
    running.curl(command_block("serve.md", "curl -sX PUT http://127.0.0.1:8090/ads/summer-1"))
    assert Image.open(running.folder / "ad.png").size == (256, 256)
    accepted = running.curl(command_block("serve.md", "curl -sX PUT http://127.0.0.1:8090/ads/summer-2"))
    assert accepted.count('"state":"queued"') == 2
    printed = running.curl(command_block("serve.md", "curl -sf"))
    attributes, described = re.findall(r"\{.*?\}(?=\{\"model\"|$)", printed, re.DOTALL)
    assert json.loads(attributes)["model"] == json.loads(described)["model"] == f"file://{running.folder}/artefact"
    assert "handbag" in json.loads(described)["text"].lower()


def test_what_was_accepted_is_made_once_whoever_is_killed(running):
    left = running.until("left", "done", "refused", "failed")
    assert (left["state"], left["attempts"]) == ("done", 3) and left["ended_at"] and left["pictures"]
