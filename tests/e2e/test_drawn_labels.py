"""The few labels come from people: a brush stroke and a polygon, drawn in a browser, become the mask that was drawn."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from catalog.files import png_bytes
from infra.local.label_studio import ensure_account
from labeling.review.label_studio import LabelStudio
from orchestration.cli.main import run
from orchestration.runtime.settings import Settings
from training.handsoff.labels import read_labelled

pytestmark = [pytest.mark.e2e, pytest.mark.slow, pytest.mark.xdist_group("label-studio"), pytest.mark.timeout(300)]

SIDES = (60, 90)  # pixels; portrait, so that a mixed-up axis shows
CLASSES = "background,body,sleeve"
STROKE = ((0.2, 0.3), (0.7, 0.3))  # of width and height
CORNERS = ((0.5, 0.2), (0.9, 0.2), (0.9, 0.5), (0.5, 0.5))
REGIONS = "document.querySelectorAll('.lsf-outliner-item').length"


@pytest.fixture
def pictures(tmp_path: Path) -> Path:
    folder = tmp_path / "pictures"
    folder.mkdir()
    for row in range(3):
        pixels = np.full((SIDES[1], SIDES[0], 3), 250, np.uint8)
        pixels[20:70, 10:50] = (60 + 60 * row, 90, 200 - 60 * row)
        (folder / f"p{row}.png").write_bytes(png_bytes(pixels))
    return folder


@pytest.fixture
def page(door: str, home: Settings, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    from playwright.sync_api import sync_playwright

    monkeypatch.setenv("SELVEDGE_LABEL_STUDIO_PORT", door.rpartition(":")[2])
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path="/usr/bin/chromium", args=["--no-sandbox"])
        yield browser.new_page(viewport={"width": 1280, "height": 800})
        browser.close()


def printed(capsys: pytest.CaptureFixture[str], *arguments: str) -> dict[str, Any]:
    assert run(["handsoff", *arguments, "--json"]) == 0, capsys.readouterr().err
    return dict(json.loads(capsys.readouterr().out))


def sent(page: Any, press: str, skipping: bool = False) -> None:
    """Press a key or a button, and wait until the server has it."""
    with page.expect_response(
        lambda answer: "/annotations" in answer.url and answer.request.method == "POST"
    ) as posted:
        page.get_by_test_id(press).click() if skipping else page.keyboard.press(press)
    assert posted.value.status == 201


def picture_shown(page: Any, before: int | None) -> int:
    """Wait for the next picture; the task's number."""
    page.wait_for_function(
        "before => window.Htx?.task && window.Htx.task.id !== before && document.querySelector('.sv-picture canvas')"
        " && document.querySelector(\".sv-picture img[src^='blob:']\")?.complete",
        arg=before,
    )
    page.wait_for_timeout(700)
    return int(page.evaluate("window.Htx.task.id"))


def draw(page: Any) -> None:
    """A stroke of the body, then a polygon of a sleeve over its end."""
    frame = page.evaluate("""(() => {
        const image = document.querySelector(".sv-picture img[src^='blob:']").getBoundingClientRect();
        return [image.x, image.y, image.width, image.height]; })()""")

    def at(x: float, y: float) -> tuple[float, float]:
        return frame[0] + x * frame[2], frame[1] + y * frame[3]

    page.keyboard.press("1")
    page.mouse.move(*at(*STROKE[0]))
    page.mouse.down()
    page.mouse.move(*at(*STROKE[1]), steps=12)
    page.mouse.up()
    page.wait_for_function(f"{REGIONS} === 1")
    page.keyboard.press("s")
    for corner in (*CORNERS, CORNERS[0]):
        page.mouse.click(*at(*corner))
        page.wait_for_timeout(300)
    page.wait_for_function(f"{REGIONS} === 2")


def test_what_people_draw_in_the_browser_is_the_mask_that_is_collected(
    pictures: Path, page: Any, home: Settings, door: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    asking = ("ask", "--pictures", str(pictures), "--classes", CLASSES, "--number", "3")
    asked = printed(capsys, *asking)
    assert printed(capsys, *asking) | {"seconds": 0} == asked | {"resumed": True, "seconds": 0}
    owner = LabelStudio(door, ensure_account(home.secrets).token)
    account, other = (owner.create_annotator(f"{name}@example.com") for name in ("draws", "helps"))
    page.goto(asked["link"])
    page.fill("input[name=email]", account.email)
    page.fill("input[name=password]", account.password)
    page.keyboard.press("Enter")
    first = picture_shown(page, None)
    page.locator("#sv-count", has_text="0 of 3 done").wait_for()
    draw(page)
    page.screenshot(path=tmp_path / "drawn.png")
    sent(page, "Enter")
    second = picture_shown(page, first)
    page.locator("#sv-count", has_text="1 of 3 done").wait_for()
    sent(page, "bottombar-skip-button", skipping=True)
    third = picture_shown(page, second)
    shared = LabelStudio(door, other.token).next_task(asked["project"])
    assert shared is not None and shared.task_id == second != third, "skipped, and not what somebody works on"
    collected = printed(capsys, "collect", "--out", str(tmp_path / "labels"), "--project", str(asked["project"]))
    assert [collected[name] for name in ("asked", "labelled", "skipped", "unlabelled")] == [3, 1, 1, 1]
    assert (collected["annotators"], collected["regions"]) == (1, 2)
    with Image.open(tmp_path / "labels" / "masks" / f"{asked['pictures'][0]}.png") as file:
        mask = np.asarray(file)
    assert mask.shape == SIDES[::-1]
    y, x = (np.mgrid[: SIDES[1], : SIDES[0]] + 0.5) / np.array(SIDES[::-1]).reshape(2, 1, 1)
    inside = (x > CORNERS[0][0]) & (x < CORNERS[1][0]) & (y > CORNERS[0][1]) & (y < CORNERS[2][1])
    assert ((mask == 2) != inside).mean() < 0.03
    line = mask[int(STROKE[0][1] * SIDES[1]), int(STROKE[0][0] * SIDES[0]) : int(CORNERS[0][0] * SIDES[0]) - 1]
    assert (line == 1).all() and not mask[int(0.6 * SIDES[1]) :].any()
    assert read_labelled(tmp_path / "labels", 16).kinds.classes == tuple(CLASSES.split(","))
