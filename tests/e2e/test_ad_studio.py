"""The running service: the ad studio in a real browser, and workers and server that are killed.

Belongs here: `selvedge serve` as a whole. Not here: what its addresses answer (tests/inference/service/).
"""

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

from tests.inference.ad_images.shop import BAG, photo_of
from tests.inference.service.shop import a_catalogue, an_artefact

pytestmark = [pytest.mark.e2e, pytest.mark.slow, pytest.mark.xdist_group("studio"), pytest.mark.timeout(300)]

ROOT = Path(__file__).resolve().parents[2]
DESKTOP, PHONE = {"width": 1280, "height": 900}, {"width": 390, "height": 844}


class Running:
    """`selvedge serve` on a folder."""

    def __init__(self, folder: Path, catalogue: Path, model: Path) -> None:
        self.folder = folder
        self.command = [sys.executable, "-m", "orchestration.cli", "serve", "--port", "0", "--json"]
        self.command += ["--catalog", str(catalogue), "--model", str(model)]
        self.environment = {**os.environ, "PYTHONPATH": str(ROOT), "SELVEDGE_HOME": str(folder / "home")}
        self.environment["SELVEDGE_AD_SIZE"] = "256"
        self.start()

    def start(self) -> None:
        self.process = subprocess.Popen(
            self.command, stdout=subprocess.PIPE, text=True, cwd=self.folder, env=self.environment
        )
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        assert line, f"the command ended with {self.process.wait()}"
        self.told = json.loads(line)
        self.key = self.told["studio"].partition("#key=")[2]

    def ask(self, method: str, address: str, body: Any = None) -> Any:
        request = urllib.request.Request(self.told["address"] + address, method=method)
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
        while (told := self.ask("GET", f"/ads/{request_id}"))["state"] not in states:
            assert time.monotonic() < end, told
            time.sleep(0.05)
        return told


@pytest.fixture(scope="module")
def running(tmp_path_factory) -> Iterator[Running]:
    folder = tmp_path_factory.mktemp("studio")
    started = Running(folder, a_catalogue(folder), an_artefact(folder / "artefact").folder)
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
        opened.goto(running.told["studio"])
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
    assert running.ask("GET", f"/ads/{first}")["picked"] == 1
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


def test_what_was_accepted_is_made_once_whoever_is_killed(running):
    body = {"product": BAG, "theme": "studio", "seed": 5}
    running.ask("PUT", "/ads/killed", body)
    running.until("killed", "running")
    running.worker().kill()
    running.process.kill()
    running.process.wait()
    running.start()
    accepted = running.ask("PUT", "/ads/killed", body)
    assert accepted["state"] in ("running", "queued") and accepted["attempts"] == 1
    running.ask("PUT", "/ads/again", body)  # by another id: the same pictures
    done, again = running.until("killed", "done", "failed"), running.until("again", "done", "failed")
    assert (done["state"], done["attempts"], again["attempts"]) == ("done", 2, 1)
    assert [plan["score"] for plan in done["plans"]] == [plan["score"] for plan in again["plans"]]
    assert running.ask("GET", "/readyz")["jobs"]["running"] == 0
