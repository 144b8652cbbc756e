"""An annotator's browser that keeps everything it is sent, and the search for names in that.

Belongs here: signing in, looking and voting as a person does, and what would tell a side. Not here: what a round must
hold (test_blind_page.py).
"""

import base64
import html
import json
import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import unquote

import httpx

SHOWN = {"key", "photo", "left", "right"}  # all that a task may hold
# Label Studio's own scripts hold such words, too: they are looked for in pages and in answers of the API.
WORDS = re.compile(r"candidate|champion|challenger|opponent|\bbase.?model|run_id|mlflow|(?:models|runs):/")
# Of an MLflow run, and of a task's key.
HEX = re.compile(r"\b[0-9a-f]{32}\b")
PICTURE = re.compile(r"data:image/\w+;base64,([\w+/=]+)")
# The keys are bound as soon as a task is selected; the pictures come later.
READY = """before => window.Htx?.task && window.Htx.task.id !== before && window.Htx.annotationStore?.selected
    && document.querySelectorAll(".sv-side").length === 2 && document.querySelectorAll(".sv-verdict label").length === 4
    && document.querySelector(".sv-photo img[src^='blob:']")
    && ["left", "right"].filter(side => String(window.Htx.task.dataObj?.[side]).startsWith("data:image/")).length
        <= document.querySelectorAll(".sv-side img[src^='blob:']").length"""
# Tags and classes, without names, below each side.
SIDES = """[...document.querySelectorAll(".sv-side")].map(
    side => [...side.querySelectorAll("*")].map(one => `${one.tagName} ${one.className}`).join("\\n"))"""
# Whether what may be pressed stands wholly above Label Studio's own bar, unscrolled.
IN_SIGHT = """[".sv-verdict", ".sv-reasons", ".sv-keys"].every(one => {
    const {top, bottom, height} = document.querySelector(one).getBoundingClientRect();
    const bar = document.querySelector(".lsf-bottombar").getBoundingClientRect().top;
    return height > 0 && top >= 0 && bottom <= bar; })"""


class Piece(NamedTuple):
    """Something the browser was sent. told: it speaks of the round, unlike scripts and pictures of the page itself."""

    where: str
    text: str
    told: bool


class Visit:
    """An annotator's browser, from the link to the last page."""

    def __init__(self, browser: Any, folder: Path) -> None:
        self.folder, self._archive = folder, folder / "received.har"
        self._pieces: list[Piece] = []
        self._context = browser.new_context(
            viewport={"width": 1280, "height": 800},
            record_har_path=self._archive,
            record_har_content="embed",
            service_workers="block",  # what a worker fetches would not be recorded
        )
        self.page = self._context.new_page()
        self.page.on("websocket", lambda socket: socket.on("framereceived", self._keep_frame))
        self._task: int | None = None

    def open(self, link: str, email: str, password: str) -> None:
        """The link as it was printed: the server asks who it is, and shows the first pair."""
        self.page.goto(link)
        self.look("sign-in")
        self.page.fill("input[name=email]", email)
        self.page.fill("input[name=password]", password)
        self.page.keyboard.press("Enter")
        self.wait_for_pair()

    def wait_for_pair(self) -> None:
        self.page.wait_for_function(READY, arg=self._task)
        self._task = self.page.evaluate("window.Htx.task.id")
        self._keep_page()

    def choose(self, keys: str) -> None:
        for key in keys:
            before = self.page.locator(".sv input:checked").count()
            self.page.keyboard.press(key)
            self.page.wait_for_function(
                "before => document.querySelectorAll('.sv input:checked').length > before", arg=before
            )

    def submit(self) -> int:
        """Enter; the number of the task that the vote was for."""
        with self.page.expect_response(
            lambda answer: "/annotations" in answer.url and answer.request.method == "POST"
        ) as posted:
            self.page.keyboard.press("Enter")
        assert posted.value.status == 201
        return int(re.search(r"/tasks/(\d+)/annotations", posted.value.url)[1])

    def look_at_guidelines(self, beginning: str) -> None:
        """Open what is behind the page's own button, and close it again."""
        beside = self.page.get_by_text(beginning)  # they are below the pair as well
        self.page.get_by_text("Instructions", exact=True).click()
        beside.nth(1).wait_for()
        self.look("guidelines")
        self.page.keyboard.press("Escape")
        beside.nth(1).wait_for(state="detached")

    def look(self, name: str) -> None:
        self.page.screenshot(path=self.folder / f"{name}.png", animations="disabled")

    def leave(self) -> list[Piece]:
        """Everything that came: answers with their headers, pages after each pair, and what the browser still holds."""
        self._keep_page()
        self._keep("storage", self._context.storage_state(indexed_db=True))
        self._keep("session storage", self.page.evaluate("({...sessionStorage})"))
        self._context.close()  # writes the archive
        for entry in json.loads(self._archive.read_text())["log"]["entries"]:
            where, answer = entry["request"]["url"], entry["response"]
            content = answer.pop("content")
            text = content.get("text", "")
            if content.get("encoding") == "base64":
                text = base64.b64decode(text).decode("latin-1")
            if not text and content["size"] != 0 and answer["status"] == 200:
                # Chromium asks for the page's icon on its own, and on a busy machine hands its body to nobody.
                assert "/static/" in where, f"the body of {where} was not recorded"
                text = httpx.get(where, timeout=30, trust_env=False, follow_redirects=True).content.decode("latin-1")
            self._pieces.append(Piece(where, text, "/api/" in where or "html" in content["mimeType"]))
            self._keep(f"headers of {where}", answer)
        return self._pieces

    def _keep_page(self) -> None:
        self._pieces.append(Piece("page", self.page.content(), True))
        self._pieces.append(Piece("title", self.page.title(), True))

    def _keep_frame(self, frame: str | bytes) -> None:
        self._pieces.append(Piece("websocket", frame if isinstance(frame, str) else frame.decode("latin-1"), True))

    def _keep(self, where: str, content: Any) -> None:
        self._pieces.append(Piece(where, json.dumps(content), True))


def leaks(pieces: Iterable[Piece], names: Iterable[str]) -> dict[str, set[str]]:
    """What tells a model or a side, and where it stands.

    Args:
        names: looked for everywhere; of those with many hex digits also the first twelve.
    """
    wanted = {form for name in names for form in (name, *(one[:12] for one in re.findall("[0-9a-f]{40,}", name)))}
    found: dict[str, set[str]] = {}
    keys: set[str] = set()
    for where, text, told in pieces:
        said, tasks = plain(f"{where}\n{text}"), list(tasks_in(text)) if told else []
        keys |= {str(task.get("key")) for task in tasks}
        tells = {name for name in wanted if name.casefold() in said}
        if told:
            tells |= set(WORDS.findall(said)) | set(HEX.findall(said))
        tells |= {f"field {name}" for task in tasks for name in task.keys() - SHOWN}
        tells |= {"sides differ in kind" for task in tasks if tags(task["left"]) != tags(task["right"])}
        for one in tells:
            found.setdefault(one, set()).add(where)
    return {what: places for what, places in found.items() if what not in keys}


def plain(text: str) -> str:
    """A text and the bytes of the pictures in it, without the escapes of JSON, HTML and addresses."""
    text = re.sub(r"\\u([0-9a-fA-F]{4})", lambda match: chr(int(match[1], 16)), text).replace("\\/", "/")
    pictures = (base64.b64decode(one).decode("latin-1") for one in PICTURE.findall(text))
    return "\n".join((html.unescape(unquote(PICTURE.sub("", text))), *pictures)).casefold()


def tasks_in(text: str) -> Iterator[dict[str, Any]]:
    """Every object of a JSON text that holds a photo and two sides."""
    try:
        left = [json.loads(text)]
    except ValueError:
        return
    while left:
        one = left.pop()
        left += one if isinstance(one, list) else one.values() if isinstance(one, dict) else []
        if isinstance(one, dict) and {"photo", "left", "right"} <= one.keys():
            yield one


def tags(side: Any) -> str:
    return re.sub(r"(^|>)[^<]+", r"\1", str(side))
