"""The discovery page in a real browser: words become pictures, pictures find products, a product is looked at.

Belongs here: the page as `selvedge discover` opens it, with the model that ships with the project, on a drawn
catalogue. Not here: what its addresses answer (tests/inference/discovery/test_service.py).
"""

import base64
import io
import json
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from catalog.drawn import draw_catalogue
from catalog.workspace import read_into

pytestmark = [pytest.mark.e2e, pytest.mark.slow, pytest.mark.xdist_group("discovery"), pytest.mark.timeout(300)]

ROOT = Path(__file__).resolve().parents[2]
MODEL = ROOT / "models" / "restgan-tiny"
DESKTOP, PHONE = {"width": 1280, "height": 900}, {"width": 375, "height": 812}
PRODUCTS = 90


@pytest.fixture(scope="module")
def catalog(tmp_path_factory) -> Path:
    """A catalogue directory of drawn bottoms."""
    folder = tmp_path_factory.mktemp("catalogue")
    draw_catalogue(folder / "source", PRODUCTS, 5, articles=("Jeans", "Trousers", "Shorts", "Dresses"))
    read_into(str(folder / "source"), "autumn", folder / "tables")
    return folder / "tables"


@pytest.fixture(scope="module")
def told(catalog: Path) -> Iterator[dict[str, Any]]:
    """What the running command printed; Ctrl-C ends it well."""
    command = [sys.executable, "-m", "orchestration.cli", "discover", "--model", str(MODEL), "--catalog", str(catalog)]
    process = subprocess.Popen([*command, "--port", "0", "--json"], stdout=subprocess.PIPE, text=True, cwd=ROOT)
    assert process.stdout is not None
    line = process.stdout.readline()
    assert line, f"the command ended with {process.wait()}"
    yield json.loads(line)
    process.send_signal(signal.SIGINT)
    left, _ = process.communicate(timeout=30)
    assert (process.returncode, left) == (130, "")


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path="/usr/bin/chromium", args=["--no-sandbox"])
        yield started
        started.close()


@pytest.fixture
def page(browser, told) -> Iterator[Any]:
    """The page as it opens on a desktop; no script of it may fail."""
    opened = browser.new_page(viewport=DESKTOP)
    failures: list[str] = []
    opened.on("pageerror", lambda error: failures.append(str(error)))
    opened.goto(told["link"])
    until(opened, "document.querySelector('#about').textContent")
    yield opened
    opened.close()
    assert failures == []


def until(page, expression: str, seconds: float = 15.0) -> None:
    """Wait until an expression is true on the page.

    Playwright's own waiting evaluates a string inside the page, which the page's policy forbids, as it should.
    """
    end = time.monotonic() + seconds
    while not page.evaluate(f"Boolean({expression})"):
        assert time.monotonic() < end, f"never true: {expression}"
        time.sleep(0.03)


def words_shown(page, query: str) -> list[str]:
    """Pictures of a query's words, once they are there."""
    until(page, f"document.querySelector('#words') && state.shown === {json.dumps(query)}")
    return page.eval_on_selector_all("#words img", "images => images.map(image => image.src)")


def pixels(uri: str) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(base64.b64decode(uri.partition(",")[2]))), np.float64)


def lightness(uri: str) -> float:
    """Of what is not white in a drawn picture."""
    picture = pixels(uri)
    return float(picture[picture.min(axis=2) < 235].mean())


def look(page, tmp_path: Path, name: str) -> None:
    page.screenshot(path=tmp_path / f"{name}.png", animations="disabled")


def test_the_picture_changes_at_every_word_and_keeps_what_was_said(page, tmp_path):
    refused: list[str] = []
    page.on("console", lambda message: refused.append(message.text) if "Security Policy" in message.text else None)
    assert page.evaluate("document.activeElement.id") == "query"
    page.keyboard.type("women")
    first = words_shown(page, "women")
    page.keyboard.type(" black")
    second = words_shown(page, "women black")
    page.keyboard.type(" pants")
    third = words_shown(page, "women black pants")
    assert second[:1] == first and third[:2] == second
    assert len(set(third)) == 3
    assert lightness(third[2]) < 110
    assert page.get_attribute("#picture", "src") == third[2]
    assert page.inner_text("#phrase") == "women black pants"
    look(page, tmp_path, "typed")
    page.fill("#query", "women white pants")
    assert lightness(words_shown(page, "women white pants")[2]) > lightness(third[2]) + 60
    assert refused == []


def test_the_nearest_products_are_of_the_catalogue_and_one_is_looked_at(page, told, tmp_path):
    assert 20 <= told["products"] < PRODUCTS
    assert page.inner_text("#about").startswith(f"{told['products']} products")
    page.keyboard.type("men blue jeans")
    words_shown(page, "men blue jeans")
    assert page.eval_on_selector_all("#filters button", "all => all.map(one => one.firstChild.textContent)") == [
        "jeans", "blue", "men",
    ]  # fmt: skip
    facts = page.eval_on_selector_all("#products small", "all => all.map(one => one.textContent)")
    assert facts and all(re.match(r"(Men|Unisex) · .*Blue · Jeans", one) for one in facts)
    for lifted in ("men", "blue", "jeans"):
        page.click(f"#filters button:has-text('{lifted}')")
        until(page, f"document.querySelector('#filters .lifted[title*={lifted}]')")
    assert page.url.endswith("?q=men+blue+jeans&lifted=gender%2Ccolour%2Ctype")
    assert page.locator("#products button").count() == 12
    until(page, "[...document.querySelectorAll('#products img')].slice(0, 4).every(one => one.naturalWidth > 60)")
    facts = page.eval_on_selector_all("#products small", "all => all.slice(0, 4).map(one => one.textContent)")
    assert sum("Jeans" in one for one in facts) >= 2
    name = page.inner_text("#products li:nth-child(2) b")
    page.click("#products li:nth-child(2) button")
    page.wait_for_selector("dialog[open]")
    assert page.inner_text("#product-name") == name
    assert re.search(r"Colour\s+\w+.*Drop\s+autumn.*Product\s+\d+", page.inner_text("#facts"), re.DOTALL)
    until(page, "document.querySelector('#product-picture').naturalWidth > 60")
    look(page, tmp_path, "product")
    page.click("#close")
    page.wait_for_selector("dialog:not([open])", state="attached")


def test_everything_is_done_by_keyboard(page, told):
    page.goto(f"{told['link']}/?q=women+red+shorts&lifted=gender,colour,type")
    words_shown(page, "women red shorts")
    page.focus("#query")
    page.keyboard.press("ArrowDown")
    names = page.eval_on_selector_all("#products b", "all => all.map(one => one.textContent)")
    page.keyboard.press("ArrowRight")
    page.keyboard.press("ArrowDown")
    at = 1 + page.evaluate("grid().columns")
    assert page.evaluate("document.activeElement.querySelector('b').textContent") == names[at]
    page.keyboard.press("Enter")
    page.wait_for_selector("dialog[open]")
    assert page.inner_text("#product-name") == names[at]
    page.keyboard.press("ArrowRight")
    assert page.inner_text("#product-name") == names[at + 1]
    assert page.inner_text("#place") == f"{at + 2} of 12"
    page.keyboard.press("Escape")
    # The dialog gives the focus back in a task of its own, after it is closed.
    until(page, f"document.activeElement.querySelector('b')?.textContent === {json.dumps(names[at + 1])}")
    page.keyboard.press("/")
    assert page.evaluate("document.activeElement.id") == "query"
    # Tab reaches the filters and then the words, where arrows go back to what was drawn before.
    for _ in range(4):
        page.keyboard.press("Tab")
    page.keyboard.press("ArrowLeft")
    assert page.inner_text("#phrase") == "women red"
    assert page.get_attribute("#words button:nth-child(2)", "aria-pressed") == "true"


def test_an_earlier_query_opens_again_as_it_was(page, tmp_path):
    page.keyboard.type("men khaki pants")
    page.keyboard.press("Enter")
    before = words_shown(page, "men khaki pants")
    page.click("#again")
    until(page, f"document.querySelector('#picture').src !== {json.dumps(before[2])}")
    another = words_shown(page, "men khaki pants")
    page.fill("#query", "women blue jeans")
    page.keyboard.press("Enter")
    words_shown(page, "women blue jeans")
    assert page.eval_on_selector_all("#history span", "all => all.map(one => one.textContent)") == ["men khaki pants"]
    look(page, tmp_path, "history")
    page.focus("#history button")
    page.keyboard.press("Enter")
    assert words_shown(page, "men khaki pants") == another
    until(page, "state.history[0].query === 'men khaki pants'")
    page.reload()
    page.wait_for_selector("#history button")
    assert words_shown(page, "men khaki pants") == another  # the address holds it, seed and all
    assert page.evaluate("state.history.length") == 2 and page.locator("#history button").count() == 1


@pytest.mark.parametrize(
    ("query", "sentence"),
    [
        ("", "The query is empty; type at least one word"),
        ("<b>black</b> jeans", "The query holds markup"),
        ("чёрные джинсы", "which is not Latin"),
        ("pants " * 500, "The query has 500 words"),
        ("lovely thing", "None of the words of 'lovely thing' is known"),
    ],
)
def test_a_query_that_cannot_be_read_says_why_in_its_place(page, query, sentence):
    page.fill("#query", query)
    page.keyboard.press("Enter")
    until(page, "document.querySelector('#says.bad')?.textContent")
    assert sentence in page.inner_text("#says")
    assert page.locator("#says b").count() == 0
    page.fill("#query", "black jeans")
    words_shown(page, "black jeans")
    assert page.inner_text("#says") == ""


def test_a_word_the_model_does_not_know_is_said_and_marked(page):
    page.keyboard.type("women lovely pants")
    words_shown(page, "women lovely pants")
    assert page.inner_text("#says") == "Not known to this model and left out: lovely."
    assert page.inner_text("#words .unknown") == "lovely"


def test_the_address_is_the_search_and_back_goes_back(page, told, browser):
    page.keyboard.type("women blue jeans")
    page.keyboard.press("Enter")
    drawn = words_shown(page, "women blue jeans")
    page.fill("#query", "men khaki pants")
    page.keyboard.press("Enter")
    words_shown(page, "men khaki pants")
    page.go_back()
    assert words_shown(page, "women blue jeans") == drawn and page.input_value("#query") == "women blue jeans"
    page.go_forward()
    words_shown(page, "men khaki pants")
    other = browser.new_page(viewport=DESKTOP)
    other.goto(f"{told['link']}/?q=women+blue+jeans")
    assert words_shown(other, "women blue jeans") == drawn
    other.close()


def test_what_is_not_drawn_is_said_before_the_picture_and_found_by_name(page, tmp_path):
    page.keyboard.type("blue jeans under $50 not skinny")
    words_shown(page, "blue jeans under $50 not skinny")
    assert page.inner_text("#says") == "Not understood and left out: “under $50”, “not skinny”."
    assert page.inner_text("#phrase") == "blue jeans"
    page.fill("#query", "women dress")
    words_shown(page, "women dress")
    said = page.locator("#says .first")
    assert "draws pants, jeans and shorts only, no dress" in said.inner_text()
    assert said.bounding_box()["y"] < page.locator("#picture").bounding_box()["y"]
    facts = page.eval_on_selector_all("#listed small", "all => all.map(one => one.textContent)")
    assert facts and all(one.startswith("Women") and one.endswith("Dresses") for one in facts)
    until(page, "document.querySelector('#listed img').naturalWidth > 60")
    look(page, tmp_path, "not-drawn")
    page.click("#listed button >> nth=0")
    page.wait_for_selector("dialog[open]")
    assert "Dresses" in page.inner_text("#facts")
    page.click("#close")
    page.fill("#query", "men trakc pants")
    words_shown(page, "men trakc pants")
    page.click("#says button")
    words_shown(page, "men track pants")
    assert page.inner_text("#says") == ""


def test_names_stay_text_and_no_script_but_its_own_runs(page, told):
    assert page.evaluate("""() => {
        const script = document.createElement('script');
        script.textContent = 'window.reached = 1';
        document.body.append(script);
        return window.reached === undefined; }""")
    hostile = "<img src=x onerror='window.reached = 1'>"
    page.evaluate("""name => { const product = { drop: "d", product_id: 1, name, type: "jeans", article_type: name,
        colour: name, gender: "", brand: "", picture: "" };
        show("x", [{ text: name, known: true, picture: "", products: [product] }]); open(0); }""", hostile)  # fmt: skip
    page.wait_for_selector("dialog[open]")
    assert page.inner_text("#product-name") == hostile and hostile in page.inner_text("#products")
    page.wait_for_timeout(200)
    assert page.evaluate("window.reached === undefined")
    assert page.locator("#products b img, #product-name img").count() == 0


def test_it_fits_a_phone(page, tmp_path):
    page.set_viewport_size(PHONE)
    page.keyboard.type("women navy blue pants striped slim capri")
    assert len(words_shown(page, "women navy blue pants striped slim capri")) == 6
    fits = "document.documentElement.scrollWidth <= innerWidth"
    assert page.evaluate(fits)
    seen = page.evaluate("document.querySelector('#picture').getBoundingClientRect().bottom <= innerHeight")
    assert seen, "the picture is in sight below the words"
    look(page, tmp_path, "phone")
    page.click("#filters button:has-text('navy blue')")
    page.click("#products li:nth-child(1) button")
    page.wait_for_selector("dialog[open]")
    assert page.evaluate(fits)
    box = page.evaluate("(({left, right, top, bottom}) => [left, right, top, bottom])"
                        "(document.querySelector('dialog').getBoundingClientRect())")  # fmt: skip
    assert box[0] >= 0 and box[1] <= PHONE["width"] and box[2] >= 0 and box[3] <= PHONE["height"]
    look(page, tmp_path, "phone-product")
