"""The client under a server that misbehaves: imports and votes whose answers are lost, and answers of no use."""

import json
import re

import pytest

from catalog.errors import SelvedgeError, ServiceUnavailable
from labeling.review.label_studio import LabelStudio, tasks
from labeling.review.label_studio.connection import Refused

TOKEN = "a" * 40


def methods(server) -> list[str]:
    return [asked[0] for asked in server.asked]


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        ([{"left": "a"}], "task 1 has no key"),
        ([{"key": "k"}, {"key": "k"}], "task key 'k' is there twice"),
        ([{"key": 7}], "task 1 has no key"),
    ],
)
def test_tasks_without_keys_of_their_own_are_refused(server, content, sentence):
    server.answer = lambda number: (200, {}, '{"tasks": [], "total": 0}')
    with pytest.raises(SelvedgeError, match=sentence):
        LabelStudio(server.url, TOKEN).import_tasks(1, content)
    assert "POST" not in methods(server)


def test_a_server_with_small_pages_is_read_to_the_end(server):
    def answer(number):
        page = int(re.search(r"[?&]page=(\d+)", server.asked[-1][1]).group(1))
        stored = [{"id": n, "meta": {"key": f"k{n}"}} for n in range(7)][(page - 1) * 3 : page * 3]
        return 200, {}, json.dumps({"tasks": stored, "total": 7})

    server.answer = answer
    content = [{"key": f"k{n}"} for n in range(7)]
    assert LabelStudio(server.url, TOKEN).import_tasks(1, content) == {f"k{n}": n for n in range(7)}
    assert methods(server) == ["GET"] * 3 * 2  # before and after; there is nothing to send


def signing_up(server, reset_status=201):
    """What Label Studio says while an account is made; the first link was ended by another command meanwhile."""
    links = iter(("old", "new"))

    def answer(number):
        method, path, _ = server.asked[-1]
        place = path.partition("?")[0]
        if place == "/user/signup/" and method == "POST":
            return (302, {"Location": "/projects/"}, "") if path.endswith("token=new") else (403, {}, "no")
        said = {
            "/api/users/": "[]",
            "/api/invite": json.dumps({"token": next(links, "none")}) if place == "/api/invite" else "",
            "/api/current-user/token": '{"token": "t"}',
            "/api/current-user/whoami": '{"id": 5, "email": "ann@shop.example"}',
        }
        if place == "/api/invite/reset-token":
            return reset_status, {}, '{"token": "third", "detail": "not here"}'
        return 200, {}, said.get(place, "{}")

    server.answer = answer


@pytest.mark.parametrize(("status", "told"), [(201, 0), (404, 1)])
def test_an_invitation_ends_once_an_account_was_made_with_it(server, caplog, status, told):
    signing_up(server, status)
    made = LabelStudio(server.url, TOKEN).create_annotator("Ann@shop.example", "long-enough-77")
    assert (made.user_id, made.email) == (5, "ann@shop.example")
    asked = [(method, path) for method, path, _ in server.asked if method == "POST"]
    assert asked == [
        ("POST", "/user/signup/?token=old"),
        ("POST", "/user/signup/?token=new"),
        ("POST", "/api/invite/reset-token"),
    ]
    assert len([one for one in caplog.messages if "keeps its invitation link" in one]) == told


def test_an_import_that_never_works_is_reported_and_not_tried_for_ever(server, monkeypatch):
    monkeypatch.setattr(tasks, "IMPORT_PAUSES_SECONDS", (0.0, 0.0, None))
    empty = (200, {}, '{"tasks": [], "total": 0}')
    server.answer = lambda number: (500, {}, "") if server.asked[-1][0] == "POST" else empty
    with pytest.raises(ServiceUnavailable, match=r"failed \(500"):
        LabelStudio(server.url, TOKEN).import_tasks(1, [{"key": "a"}])
    assert methods(server).count("POST") == 3


def test_a_vote_whose_answer_was_lost_is_looked_up(server):
    def answer(number):
        method, path, _ = server.asked[-1]
        if method == "POST":
            return None if number == 1 else (409, {}, '{"detail": "Annotation with this unique id already exists"}')
        if "whoami" in path:
            return 200, {}, '{"id": 5, "email": "ann@shop.example"}'
        return 200, {}, '[{"id": 8, "completed_by": 4}, {"id": 9, "completed_by": 5}]'

    server.answer = answer
    assert LabelStudio(server.url, TOKEN).annotate(1, []) == 9


def test_an_import_whose_answer_was_lost_sends_only_what_is_missing(server):
    stored: list[str] = []

    def answer(number):
        if server.asked[-1][0] == "POST":
            if not stored:
                stored.append("a")  # carried out for the first of two, and then the server died
                return None
            stored.append("b")
            return 201, {}, "{}"
        rows = [{"id": number, "meta": {"key": key}} for number, key in enumerate(stored, 1)]
        return 200, {}, json.dumps({"tasks": rows, "total": len(rows)})

    server.answer = answer
    assert LabelStudio(server.url, TOKEN).import_tasks(1, [{"key": "a"}, {"key": "b"}]) == {"a": 1, "b": 2}
    assert methods(server).count("POST") == 2


def test_a_project_whose_making_got_no_answer_is_not_made_again(server):
    server.answer = lambda number: None
    with pytest.raises(ServiceUnavailable, match="gave no answer"):
        LabelStudio(server.url, TOKEN).create_project("Round", "<View/>", "", overlap=1)
    assert methods(server) == ["POST"]


ROW = {
    "id": 3, "result": [], "completed_by": 5, "updated_by": 5, "lead_time": None, "was_cancelled": False,
    "created_at": "2026-05-01T10:00:00Z", "updated_at": "2026-05-01T10:00:00Z",
}  # fmt: skip


@pytest.mark.parametrize(
    "page",
    [
        {"tasks": [{"id": 1, "annotations": [{**ROW, "id": "three"}]}], "total": 1},
        {"tasks": [{"id": 1, "annotations": [{**ROW, "created_at": "yesterday"}]}], "total": 1},
        {"tasks": [{"id": 1, "annotations": [{"id": 3}]}], "total": 1},
        {"tasks": [{"annotations": []}], "total": 1},
        {"tasks": ["task"], "total": 1},
        {"tasks": 3, "total": 1},
        {"total": 1},
        ["page"],
    ],
)
def test_a_page_that_no_label_studio_gives_is_one_sentence_and_no_ballot(server, page):
    server.answer = lambda number: (200, {}, "[]" if "users" in server.asked[-1][1] else json.dumps(page))
    with pytest.raises(Refused, match=r"^Label Studio at 127\.0\.0\.1:\d+ gave an answer that cannot be read \(") as no:
        LabelStudio(server.url, TOKEN).pull_annotations(1)
    assert "\n" not in str(no.value)


def test_a_project_deleted_during_a_pull_is_not_taken_for_its_end(server):
    def answer(number):
        if "users" in server.asked[-1][1]:
            return 200, {}, "[]"
        if number == 2:
            return 200, {}, json.dumps({"tasks": [{"id": 1, "annotations": [ROW]}], "total": 900})
        return 404, {}, '{"detail": "No Project matches the given query."}'

    server.answer = answer
    with pytest.raises(SelvedgeError, match="project 1 is not in Label Studio at"):
        LabelStudio(server.url, TOKEN).pull_annotations(1)
