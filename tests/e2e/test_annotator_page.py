"""The script that the proxy puts into the label stream, beside a stand-in for Label Studio's own.

Belongs here: what it says, and when. Not here: the page itself in a real Label Studio (test_blind_page.py).
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import labeling.review
from labeling.review.label_page import Pace

pytestmark = [pytest.mark.e2e, pytest.mark.slow, pytest.mark.xdist_group("discovery"), pytest.mark.timeout(120)]

SCRIPT = Path(labeling.review.__file__).with_name("annotator_page.js")
PACE = Pace(144, 1.5, 12.0)
STAND_IN = f"""<body><div class="sv {PACE.style_class}"><div class="sv-verdict"><input type="radio"></div></div><script>
window.Htx = {{ task: {{ id: 1, dataObj: {{ left: "<p>{"word " * 30}</p>", right: "<p>blue</p>" }} }} }};
window.presses = [];
window.fetch = async address => new Response(address.includes("history")
  ? '[{{"taskId": 1, "annotationId": 5}}, {{"taskId": 2, "annotationId": 6}}, '
    + '{{"taskId": 3, "annotationId": null}}]' : "{{}}");
const button = document.createElement("button");
button.ariaLabel = "Next task";
button.onclick = () => {{ presses.push(button.ariaLabel); button.ariaLabel = "Postpone task"; }};
</script></body>"""


DRAWING = """<body><div class="sv sv-drawing"><div class="sv-tools"><span class="lsf-label">body<span
class="lsf-label__hotkey">1</span></span></div><input id="words"></div><script>
window.unselected = 0;
window.Htx = { task: { id: 1 }, annotationStore: { selected: { unselectAll: () => { unselected += 1; } } } };
window.fetch = async () => new Response('{"finished_task_number": 4, "task_number": 50}');
</script></body>"""


@pytest.fixture
def stand_in() -> str:
    return STAND_IN


@pytest.fixture
def page(stand_in: str) -> Iterator[Any]:
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path="/usr/bin/chromium", args=["--no-sandbox"])
        opened = browser.new_page()
        opened.route("**/*", lambda route: route.fulfill(body=stand_in, content_type="text/html"))
        opened.goto("http://127.0.0.1/projects/7/data")
        opened.add_script_tag(content=SCRIPT.read_text())
        yield opened
        browser.close()


def vote(page: Any, seconds: float) -> str:
    """What is said of a vote that took so long; Label Studio sends it with the pair already off the page."""
    body = f'{{"lead_time": {seconds}}}'
    page.evaluate(
        """async body => {
            const pair = document.querySelector(".sv"), task = Htx.task;
            pair.remove();
            Htx.task = undefined;
            await window.fetch("/api/tasks/1/annotations?x=1", { method: "POST", body });
            document.body.append(pair);
            Htx.task = task;
        }""",
        body,
    )
    return str(page.inner_text("#sv-hint"))


def test_an_annotator_is_told_where_they_are_and_what_to_do(page: Any) -> None:
    page.wait_for_function("document.querySelector('#sv-count')?.textContent === '2 of 144 done'")
    page.keyboard.press("Enter")
    assert page.inner_text("#sv-hint") == "Choose first: press 1, 2, 3 or 4."
    assert vote(page, 2.7) == ""  # 31 words at 12 a second take 2.6
    assert "This one is a warning" in vote(page, 2.5)
    assert "again too fast" in vote(page, 0.4)
    # After a correction it goes forward, and never postpones a pair that was not voted on.
    page.evaluate("document.body.append(button), window.fetch('/api/annotations/5', { method: 'PATCH' })")
    page.wait_for_function("document.querySelector('#sv-hint').textContent === 'Corrected.'")
    assert page.evaluate("presses") == ["Next task"]
    page.evaluate("document.body.append(Object.assign(document.createElement('h3'), "
                  "{ textContent: 'No More Tasks Left in Queue' }))")  # fmt: skip
    page.wait_for_selector("#sv-end")
    assert page.inner_text("#sv-end").startswith("Thank you!")


@pytest.mark.parametrize("stand_in", [DRAWING])
def test_where_people_draw_everybodys_pictures_count_and_a_class_begins_a_region(page: Any) -> None:
    page.wait_for_function("document.querySelector('#sv-count')?.textContent === '4 of 50 done'")
    for press in ("1", "2", "Control+1", "Enter"):  # only the first is the key of a class
        page.keyboard.press(press)
    assert page.evaluate("unselected") == 1
    page.locator(".lsf-label").click()
    page.locator("#words").press("1")
    assert page.evaluate("unselected") == 2
