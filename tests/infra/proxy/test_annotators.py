"""An annotator reaches the label stream and their own ballots; the home's owner everything."""

import json

import pytest

from infra.proxy.annotators import Person, Way, theirs, way_of
from tests.infra.proxy.behind_a_door import ADMINISTRATOR, ANNA, PORT, Entrance

PAGE = {"Accept": "text/html", "Sec-Fetch-Mode": "navigate"}


@pytest.fixture
def door(tmp_path):
    return Entrance(tmp_path, "label-studio")


CLOSED = [
    ("GET", "/api/projects"),
    ("POST", "/api/projects"),
    ("PATCH", "/api/projects/4"),
    ("DELETE", "/api/projects/4"),
    ("GET", "/api/projects/4/export?exportType=JSON"),
    ("GET", "/api/projects/4/exports"),
    ("POST", "/api/projects/4/import"),
    ("GET", "/api/invite"),
    ("POST", "/api/invite/reset-token"),
    ("GET", "/api/organizations"),
    ("GET", "/api/organizations/1/memberships"),
    ("PATCH", "/api/tasks/7"),
    ("DELETE", "/api/tasks/7"),
    ("DELETE", "/api/annotations/1"),
    ("GET", "/api/annotations/2"),
    ("PATCH", "/api/annotations/2"),
    ("POST", "/api/annotations/2/convert-to-draft"),
    ("POST", "/api/dm/actions?id=delete_tasks&project=4"),
    ("POST", "/api/dm/actions?project=4"),
    ("GET", "/api/dm/actions?project=4"),
    ("POST", "/api/users"),
    ("PATCH", "/api/users/2"),
    ("POST", "/api/webhooks"),
    ("POST", "/api/ml"),
    ("GET", "/api/storages"),
    ("GET", "/api/label_stream/anything-new"),
    ("GET", "/user/signup/?token=invited"),
    ("POST", "/user/signup/?token=invited"),
    ("GET", "/user/account"),
    ("GET", "/people"),
    ("GET", "/projects/4/settings"),
    ("GET", "/projects/4/data"),
    ("GET", "/projects/4/data/import"),
    ("GET", "/projects/4/data/export?labeling=1"),
    ("GET", "/admin/"),
    ("GET", "/docs/api"),
]


@pytest.mark.parametrize(("method", "path"), CLOSED)
def test_what_the_stream_does_not_need_is_closed(method, path, door):
    content = {"json": {"result": []}} if method in ("POST", "PATCH") else {}
    answer = door.as_annotator("of-anna", method, path, **content)
    assert answer.status_code == 403 and "vote of" not in answer.text
    if method == "GET" and not path.startswith("/api"):
        page = door.as_annotator("of-anna", method, path, headers=PAGE)
        assert page.status_code == 403 and "<h1>" in page.text
    assert door.as_annotator("of-nobody", method, path, **content).status_code in (401, 403)


@pytest.mark.parametrize(("method", "path"), [one for one in CLOSED if "convert" not in one[1]])
def test_the_owner_reaches_it(method, path, door):
    content = {"json": {"result": []}} if method in ("POST", "PATCH") else {}
    owners = [{"Authorization": f"Bearer {door.token}"}, {"Authorization": f"Token {ADMINISTRATOR['token']}"}]
    for headers in owners:
        assert door.ask(method, path, headers, **content).status_code == 200
    if not path.startswith("/user/signup"):  # a session is not enough to make accounts
        assert door.as_annotator("of-admin", method, path, **content).status_code == 200


def test_accounts_are_made_with_the_owners_token_alone(door):
    for given, status in ((ADMINISTRATOR["token"], 200), ("b" * 40, 403), ("", 403)):
        answer = door.ask(
            "POST", "/user/signup/?token=i", {"Selvedge-Owner": given, "Cookie": "csrftoken=1"}, data={"a": "b"}
        )
        assert answer.status_code == status
    told = door.ask("POST", "/user/signup/?token=i", {"Selvedge-Owner": ADMINISTRATOR["token"]}, data={"a": "b"}).json()
    assert "selvedge-owner" not in told["headers"]


@pytest.mark.parametrize("path", ["/api/tasks/7", "/api/tasks?project=4", "/api/tasks/7/annotations", "/api/users"])
def test_others_ballots_are_not_in_what_comes_back(path, door):
    answer = door.as_annotator("of-anna", "GET", path)
    assert answer.status_code == 200 and "ben@shop.example" not in answer.text
    assert ("anna@shop.example" in answer.text) and json.loads(answer.text)


def test_a_task_keeps_its_pair_and_ones_own_ballot(door):
    task = door.as_annotator("of-anna", "GET", "/api/tasks/7").json()
    assert task["data"] == {"key": "k", "left": "<p>email</p>"}
    assert [one["id"] for one in task["annotations"]] == [1] and task["drafts"] == [] and task["annotators"] == []


def test_a_ballot_of_nobodys_is_nobodys():
    person = Person(2, "anna@shop.example")
    assert theirs([{"id": 1, "completed_by": None, "result": []}, {"id": 2, "completed_by": 2}], person) == [
        {"id": 2, "completed_by": 2}
    ]


TAB = {
    "data": {"title": "New Tab", "filters": {"conjunction": "and", "items": []}, "semantic_search": []},
    "project": "4",
}
BY_VOTES = {"filter": "filter:tasks:annotations_results", "operator": "contains", "value": "left", "type": "String"}


@pytest.mark.parametrize(
    ("method", "path", "content", "status"),
    [
        ("POST", "/api/dm/views?tabID=0&project=4", TAB, 200),
        ("POST", "/api/dm/actions?id=next_task&tabID=1&project=4", {}, 200),
        ("GET", "/api/tasks?page=1&page_size=30&view=1&project=4", None, 200),
        ("POST", "/api/dm/views", {"data": {"filters": {"conjunction": "and", "items": [BY_VOTES]}}}, 403),
        ("POST", "/api/dm/views", {"data": {"filters": [BY_VOTES]}}, 403),
        ("POST", "/api/dm/views", {"data": {"ordering": ["tasks:annotations_results"]}}, 403),
        ("POST", "/api/dm/actions?id=next_task", {"filters": {"conjunction": "and", "items": [BY_VOTES]}}, 403),
        ("GET", "/api/tasks?query=%7B%7D", None, 403),
        ("GET", "/api/tasks?ordering=-annotations_results", None, 403),
    ],
)
def test_others_votes_are_not_asked_for_by_choosing_or_sorting(method, path, content, status, door):
    answer = door.as_annotator("of-anna", method, path, **({} if content is None else {"json": content}))
    assert answer.status_code == status, answer.text


VOTE = {"result": [{"value": {"choices": ["left"]}}], "lead_time": 3.2}


@pytest.mark.parametrize(
    ("extra", "status"),
    [
        ({}, 200),
        ({"completed_by": 2, "task": 7}, 200),
        ({"completed_by": 3}, 403),
        ({"completed_by": {"id": 3}}, 403),
        ({"updated_by": 3}, 403),
        ({"user": "ben@shop.example"}, 403),
        ({"ground_truth": True}, 403),
        ({"task": 8}, 403),
    ],
)
def test_a_ballot_is_cast_in_ones_own_name(extra, status, door):
    for method, path in (("POST", "/api/tasks/7/annotations"), ("PATCH", "/api/annotations/1")):
        answer = door.as_annotator("of-anna", method, path, json={**VOTE, **extra})
        assert answer.status_code == status, answer.text
        if status == 200:
            assert json.loads(answer.json()["body"]) == {**VOTE, **extra}


def test_a_ballot_is_json(door):
    for kind, body in (
        ("application/x-www-form-urlencoded", b"completed_by=3"),
        ("application/json", b"[]"),
        ("application/json", b"{"),
    ):
        headers = {"Content-Type": kind}
        answer = door.as_annotator("of-anna", "POST", "/api/tasks/7/annotations", headers=headers, content=body)
        assert answer.status_code == 403


def test_a_ballot_too_large_to_read_is_refused(door, monkeypatch):
    monkeypatch.setattr("infra.proxy.messages.LARGEST_BUFFERED_BYTES", 10)
    assert door.as_annotator("of-anna", "POST", "/api/tasks/7/annotations", json=VOTE).status_code == 413


def test_the_list_of_rounds_stands_in_for_projects(door):
    for path in ("/", "/projects", "/projects/"):
        page = door.as_annotator("of-anna", "GET", path, headers=PAGE)
        assert page.status_code == 200 and 'href="/projects/4/data?labeling=1">Round &lt;1&gt;<' in page.text
        assert door.as_annotator("of-nobody", "GET", path, headers=PAGE).headers["location"] == "/user/login/"


def test_the_stream_carries_our_page_with_its_policy_kept(door, tmp_path):
    (tmp_path / "annotator_page.js").write_text("1")
    (tmp_path / "annotator_page.css").write_text("a {}")
    door.show_stream(tmp_path)
    for who in ("of-anna", "of-admin"):
        page = door.as_annotator(who, "GET", "/projects/4/data?labeling=1", headers=PAGE)
        assert 'src="/selvedge/annotator_page.js"></script></head>' in page.text
        assert page.headers["content-security-policy"] == "script-src 'self'" and "etag" not in page.headers
    script = door.ask("GET", "/selvedge/annotator_page.js")
    assert script.headers["content-type"].startswith("text/javascript") and script.text == "1"
    door.show_stream(None)
    assert "/selvedge/" not in door.as_annotator("of-anna", "GET", "/projects/4/data?labeling=1", headers=PAGE).text
    assert door.ask("GET", "/selvedge/annotator_page.js").status_code == 404
    assert door.ask("GET", "/selvedge/../secrets").status_code in (401, 403)


def test_an_own_name_lets_annotators_in_and_no_other(tmp_path):
    door = Entrance(tmp_path, "label-studio", ("labels.shop.example",))
    for host, origin, status in (
        ("labels.shop.example", "https://labels.shop.example", 200),
        ("labels.shop.example", "https://evil.example", 403),
        ("evil.example", "https://evil.example", 403),
    ):
        headers = {"Host": host, "Origin": origin}
        answer = door.as_annotator("of-anna", "POST", "/api/tasks/7/annotations", headers=headers, json=VOTE)
        assert answer.status_code == status
    headers = {
        "Host": "labels.shop.example",
        "Origin": "https://labels.shop.example",
        "Referer": "https://labels.shop.example/a?b",
    }
    told = door.as_annotator("of-anna", "POST", "/api/tasks/7/annotations", headers=headers, json=VOTE).json()[
        "headers"
    ]
    assert (told["host"], told["origin"]) == (f"127.0.0.1:{PORT}", f"http://127.0.0.1:{PORT}")
    assert told["referer"] == f"http://127.0.0.1:{PORT}/a?b"


def test_nobody_is_signed_in_with_the_session_of_the_one_before(door):
    signed_in = door.ask("POST", "/user/login/", data={"email": "a"})
    assert "sessionid=of-admin" in signed_in.headers["set-cookie"]
    assert door.ask("GET", "/user/login/").json() == {"who": None}
    assert door.ask("GET", "/api/tasks/7").status_code == 401
    assert door.as_annotator("of-anna", "GET", "/api/annotations/2").status_code == 403


def test_whose_session_it_is_is_asked_each_time(door):
    assert door.as_annotator("of-anna", "GET", "/api/annotations/1").status_code == 200
    assert door.as_annotator("of-ben", "GET", "/api/annotations/1").status_code == 403
    assert ANNA["id"] == 2 and way_of("GET", "/api/annotations/1/", {}) is Way.OWN
