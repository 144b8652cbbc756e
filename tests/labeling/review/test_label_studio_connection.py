"""The connection under a server that misbehaves: what is repeated, what never is, and what a person is told.

A small web server on loopback plays the faults a real Label Studio shows only now and then: slow, restarting, with
another clock, or not Label Studio at all. Everything else is tested on the real one (tests/e2e/test_label_studio.py).
"""

import json
import re
import threading
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from catalog.errors import SelvedgeError, ServiceUnavailable
from labeling.review import label_studio, label_studio_connection
from labeling.review.label_studio import LabelStudio
from labeling.review.label_studio_connection import AnswerLost, Connection, Refused
from tests.ports import free_port

Answer = tuple[int, dict[str, str], str]
TOKEN = "a" * 40


class QuietServer(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request: object, client_address: object) -> None: ...  # a client that gave up


class Server:
    """Answers what a test tells it to, and keeps what it was asked."""

    def __init__(self, port: int = 0) -> None:
        self.answer: Callable[[int], Answer | None] = lambda number: (200, {}, "{}")
        self.asked: list[tuple[str, str, str]] = []
        outer = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def handle_any(self) -> None:
                self.rfile.read(int(self.headers.get("Content-Length", 0)))
                outer.asked.append((self.command, self.path, self.headers.get("Authorization", "")))
                answer = outer.answer(len(outer.asked))
                if answer is None:
                    self.close_connection = True  # as a server that dies while it works
                    return
                status, headers, body = answer
                self.send_response_only(status)
                for name, value in {"Content-Length": str(len(body)), **headers}.items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(body.encode())

            do_GET = do_POST = do_PATCH = handle_any

            def log_message(self, *arguments: object) -> None: ...

        self.http = QuietServer(("127.0.0.1", port), Handler)
        self.url = f"http://127.0.0.1:{self.http.server_port}"
        self._thread = threading.Thread(target=self.http.serve_forever, kwargs={"poll_interval": 0.01})
        self._thread.start()

    def stop(self) -> None:
        self.http.shutdown()
        self._thread.join()
        self.http.server_close()


@pytest.fixture
def server(monkeypatch) -> Iterator[Server]:
    monkeypatch.setattr(label_studio_connection, "FIRST_PAUSE_SECONDS", 0.01)
    monkeypatch.setattr(label_studio_connection, "LONGEST_PAUSE_SECONDS", 0.02)
    made = Server()
    yield made
    made.stop()


@pytest.mark.parametrize("fault", [(500, {}, "locked"), (502, {}, ""), (503, {"Retry-After": "0"}, ""), None])
def test_a_repeatable_call_is_repeated_until_it_works(server, fault):
    server.answer = lambda number: fault if number < 4 else (200, {}, '{"done": 1}')
    assert Connection(server.url, TOKEN).get("/api/x") == {"done": 1}
    assert len(server.asked) == 4


def test_a_call_that_must_not_be_repeated_is_sent_once(server):
    server.answer = lambda number: None
    with pytest.raises(AnswerLost, match=r"^Label Studio at 127\.0\.0\.1:\d+ gave no answer"):
        Connection(server.url, TOKEN).call("POST", "/api/x", repeatable=False, body={})
    server.answer = lambda number: (503, {}, "")
    with pytest.raises(ServiceUnavailable, match="failed"):
        Connection(server.url, TOKEN).call("POST", "/api/x", repeatable=False, body={})
    assert len(server.asked) == 2


def test_a_slow_server_costs_the_time_out_and_no_more(server):
    server.answer = lambda number: time.sleep(1) or (200, {}, "{}")
    began = time.monotonic()
    with pytest.raises(AnswerLost, match="no answer in time"):
        Connection(server.url, TOKEN).call("POST", "/api/x", repeatable=False, body={}, answer_seconds=0.1)
    assert time.monotonic() - began < 0.9


def test_a_server_that_starts_late_is_waited_for_even_when_the_call_is_not_repeatable():
    port, late = free_port(), []
    starter = threading.Timer(0.3, lambda: late.append(Server(port)))
    starter.start()
    try:
        connection = Connection(f"http://127.0.0.1:{port}", TOKEN, patience_seconds=20)
        assert connection.call("POST", "/api/x", repeatable=False, body={"once": 1}) == {}
        assert len(late[0].asked) == 1
    finally:
        starter.join()
        late[0].stop()


def test_patience_ends_in_one_sentence(server):
    server.answer = lambda number: (503, {}, "")
    with pytest.raises(ServiceUnavailable, match=r"failed \(503 no reason given\); run again"):
        Connection(server.url, TOKEN, patience_seconds=0.1).get("/api/x")


@pytest.mark.parametrize("hours", [-3, 2])
def test_times_are_the_servers_own(server, hours):
    theirs = datetime.now(UTC) + timedelta(hours=hours)
    server.answer = lambda number: (200, {"Date": format_datetime(theirs, usegmt=True)}, "{}")
    connection = Connection(server.url, TOKEN)
    connection.get("/api/x")
    assert abs(connection.now() - theirs) < timedelta(seconds=5)


def test_a_clock_that_agrees_is_not_corrected(server):
    server.answer = lambda number: (200, {"Date": format_datetime(datetime.now(UTC), usegmt=True)}, "{}")
    connection = Connection(server.url, TOKEN)
    connection.get("/api/x")
    assert connection.server_ahead == timedelta(0)


@pytest.mark.parametrize(
    ("answer", "told"),
    [
        ((200, {}, "<html>Jenkins</html>"), "what answers there is not Label Studio"),
        ((200, {}, '{"release": "9"}'), "what answers there is not Label Studio"),
        ((301, {"Location": "https://ls.example/"}, ""), r"sends everybody to https://ls\.example/; give that address"),
        ((401, {}, '{"detail": "Invalid."}'), "refused the token; run `selvedge review login` to store a new one"),
        ((403, {}, '{"detail": "No permission."}'), r"refused the request \(403\): No permission"),
        ((404, {}, "<html></html>"), "what answers there is not Label Studio"),
    ],
)
def test_every_answer_that_is_none_is_one_sentence(server, answer, told):
    server.answer = lambda number: answer
    with pytest.raises(SelvedgeError, match=told) as refusal:
        LabelStudio(server.url, TOKEN).ping()
    assert "\n" not in str(refusal.value) and TOKEN not in str(refusal.value)


def test_what_a_server_says_about_a_field_is_told(server):
    content = {"detail": "Validation error", "validation_errors": {"title": ["Too short."]}}
    server.answer = lambda number: (400, {}, json.dumps(content))
    with pytest.raises(Refused, match=r"refused the request \(400\): title: Too short$") as refusal:
        Connection(server.url, TOKEN).get("/api/x")
    assert refusal.value.fields == {"title": ["Too short."]}


def test_a_personal_token_is_never_sent_as_it_is(server):
    personal = "head.body.sign"
    server.answer = lambda number: (200, {}, '{"access": "short.lived.one"}')
    Connection(server.url, personal).get("/api/x")
    assert server.asked == [("POST", "/api/token/refresh/", ""), ("GET", "/api/x", "Bearer short.lived.one")]


def test_the_token_is_not_replaced_by_what_netrc_says(server, tmp_path, monkeypatch):
    (tmp_path / ".netrc").write_text("machine 127.0.0.1 login ann password hush\n")
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("NETRC", str(tmp_path / ".netrc"))
    Connection(server.url, TOKEN).get("/api/x")
    assert server.asked == [("GET", "/api/x", f"Token {TOKEN}")]


@pytest.mark.parametrize("url", ["", "127.0.0.1:8080", "ftp://host", "http://"])
def test_an_address_that_is_none_is_refused(url):
    with pytest.raises(SelvedgeError, match=r"must look like http://127\.0\.0\.1:8080"):
        LabelStudio(url, TOKEN)


@pytest.mark.parametrize("token", ["", "  ", "two words", "schlüssel"])
def test_a_token_that_is_none_is_refused_and_not_repeated(token):
    with pytest.raises(SelvedgeError, match="token is empty or not a token; run `selvedge review login`"):
        LabelStudio("http://127.0.0.1:8080", token)


@pytest.mark.parametrize(
    ("tasks", "told"),
    [
        ([{"left": "a"}], "task 1 has no key"),
        ([{"key": "k"}, {"key": "k"}], "task key 'k' is there twice"),
        ([{"key": 7}], "task 1 has no key"),
    ],
)
def test_tasks_without_keys_of_their_own_are_refused(server, tasks, told):
    server.answer = lambda number: (200, {}, '{"tasks": [], "total": 0}')
    with pytest.raises(SelvedgeError, match=told):
        LabelStudio(server.url, TOKEN).import_tasks(1, tasks)
    assert not [one for one in server.asked if one[0] == "POST"]


def test_a_server_with_small_pages_is_read_to_the_end(server):
    def answer(number: int) -> Answer:
        page = int(re.search(r"[?&]page=(\d+)", server.asked[-1][1]).group(1))
        tasks = [{"id": n, "meta": {"key": f"k{n}"}} for n in range(7)][(page - 1) * 3 : page * 3]
        return 200, {}, json.dumps({"tasks": tasks, "total": 7})

    server.answer = answer
    assert LabelStudio(server.url, TOKEN).task_keys(1) == {f"k{n}": n for n in range(7)}
    assert len(server.asked) == 3


def test_an_import_that_never_works_is_told_and_not_tried_for_ever(server, monkeypatch):
    monkeypatch.setattr(label_studio, "IMPORT_PAUSES_SECONDS", (0.0, 0.0, None))
    empty = (200, {}, '{"tasks": [], "total": 0}')
    server.answer = lambda number: (500, {}, "") if server.asked[-1][0] == "POST" else empty
    with pytest.raises(ServiceUnavailable, match=r"failed \(500"):
        LabelStudio(server.url, TOKEN).import_tasks(1, [{"key": "a"}])
    assert [one[0] for one in server.asked].count("POST") == 3


def test_a_vote_whose_answer_was_lost_is_found_again(server):
    def answer(number: int) -> Answer | None:
        method, path, _ = server.asked[-1]
        if method == "POST":
            return None if number == 1 else (409, {}, '{"detail": "Annotation with this unique id already exists"}')
        if "whoami" in path:
            return 200, {}, '{"id": 5}'
        return 200, {}, '[{"id": 8, "completed_by": 4}, {"id": 9, "completed_by": 5}]'

    server.answer = answer
    assert LabelStudio(server.url, TOKEN).annotate(1, []) == 9


def test_an_import_whose_answer_was_lost_sends_only_what_is_missing(server):
    there: list[str] = []

    def answer(number: int) -> Answer | None:
        method, _, _ = server.asked[-1]
        if method == "POST":
            if not there:
                there.append("a")  # carried out, for one of two, and then the server died
                return None
            there.append("b")
            return 201, {}, "{}"
        tasks = [{"id": number, "meta": {"key": key}} for number, key in enumerate(there, 1)]
        return 200, {}, json.dumps({"tasks": tasks, "total": len(tasks)})

    server.answer = answer
    assert LabelStudio(server.url, TOKEN).import_tasks(1, [{"key": "a"}, {"key": "b"}]) == {"a": 1, "b": 2}
    assert [one[0] for one in server.asked].count("POST") == 2
