"""The connection under a server that misbehaves: what is repeated, what never is, and what a person reads.

Slow, restarting, with another clock, or not Label Studio at all. Everything else is tested on the real one
(tests/e2e/test_label_studio.py).
"""

import base64
import json
import logging
import ssl
import subprocess
import sys
import threading
import time
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path

import httpx
import pytest

from catalog.errors import SelvedgeError, ServiceUnavailable
from labeling.review.label_studio import LabelStudio
from labeling.review.label_studio.connection import AnswerLost, Connection, Refused
from tests.labeling.review.label_studio.faulty_server import FaultyServer
from tests.ports import free_port

ROOT = Path(__file__).resolve().parents[4]
TOKEN = "a" * 40


def read(sdk, options):
    """A call that may be repeated; the title of a project."""
    return sdk.projects.get(7, request_options=options).title


def make(sdk, options):
    """A call that may not: there would be two projects."""
    return sdk.projects.create(title="once", request_options=options).id


FAULTS = [
    pytest.param((500, {}, "locked"), id="500"),
    pytest.param((502, {}, ""), id="502"),
    pytest.param((503, {"Retry-After": "0"}, ""), id="503"),
    pytest.param((429, {}, "{}"), id="429"),
    pytest.param(None, id="broken off"),
]


@pytest.mark.parametrize("fault", FAULTS)
def test_a_repeatable_call_is_repeated_until_it_works(server, fault):
    server.answer = lambda number: fault if number < 4 else (200, {}, '{"title": "May"}')
    assert Connection(server.url, TOKEN).ask(read, repeatable=True) == "May"
    assert Connection(server.url, TOKEN).get("/api/x", dict) == {"title": "May"}
    assert len(server.asked) == 4 + 1


@pytest.mark.parametrize("fault", [*FAULTS, (408, {}, ""), (409, {}, "{}")])
def test_the_sdk_repeats_nothing_of_itself(server, fault):
    server.answer = lambda number: fault
    connection = Connection(server.url, TOKEN)
    with pytest.raises(SelvedgeError):
        connection.ask(make, repeatable=False)
    assert len(server.asked) == connection.requests == 1


def test_a_call_that_must_not_be_repeated_is_sent_once(server):
    server.answer = lambda number: None
    with pytest.raises(AnswerLost, match=r"^Label Studio at 127\.0\.0\.1:\d+ gave no answer"):
        Connection(server.url, TOKEN).ask(make, repeatable=False)
    server.answer = lambda number: (503, {}, "")
    with pytest.raises(ServiceUnavailable, match="failed"):
        Connection(server.url, TOKEN).ask(make, repeatable=False)
    assert len(server.asked) == 2


def test_a_slow_server_costs_the_time_out_and_no_more(server):
    server.answer = lambda number: time.sleep(1) or (200, {}, "{}")
    began = time.monotonic()
    with pytest.raises(AnswerLost, match="no answer in time"):
        Connection(server.url, TOKEN).ask(make, repeatable=False, answer_seconds=0.1)
    assert time.monotonic() - began < 0.9


def test_a_server_that_starts_late_is_waited_for_even_when_the_call_is_not_repeatable():
    port, late = free_port(), []

    def start() -> None:
        server = FaultyServer(port)
        server.answer = lambda number: (201, {}, '{"id": 3}')
        late.append(server)

    starter = threading.Timer(0.3, start)
    starter.start()
    try:
        assert Connection(f"http://127.0.0.1:{port}", TOKEN, patience_seconds=20).ask(make, repeatable=False) == 3
        assert len(late[0].asked) == 1
    finally:
        starter.join()
        late[0].stop()


def test_patience_ends_in_one_sentence(server):
    server.answer = lambda number: (503, {}, "")
    with pytest.raises(ServiceUnavailable, match=r"failed \(503 no reason given\); run again"):
        Connection(server.url, TOKEN, patience_seconds=0.1).ask(read, repeatable=True)


def test_a_certificate_that_is_not_trusted_is_named(monkeypatch):
    def handshake(client, request, **settings):
        raise httpx.ConnectError("[SSL]") from ssl.SSLCertVerificationError("self-signed certificate")

    monkeypatch.setattr(httpx.Client, "send", handshake)
    with pytest.raises(ServiceUnavailable, match=r"does not answer \(its certificate is not trusted\)"):
        Connection("https://127.0.0.1:1", TOKEN, patience_seconds=0.1).ask(read, repeatable=True)


@pytest.mark.parametrize("hours", [-3, 2])
def test_times_are_the_servers_own(server, hours):
    theirs = datetime.now(UTC) + timedelta(hours=hours)
    server.answer = lambda number: (200, {"Date": format_datetime(theirs, usegmt=True)}, "{}")
    connection = Connection(server.url, TOKEN)
    connection.get("/api/x", dict)
    assert abs(datetime.now(UTC) + connection.server_ahead - theirs) < timedelta(seconds=5)


def test_a_clock_that_agrees_is_not_corrected(server):
    server.answer = lambda number: (200, {"Date": format_datetime(datetime.now(UTC), usegmt=True)}, "{}")
    connection = Connection(server.url, TOKEN)
    connection.get("/api/x", dict)
    assert connection.server_ahead == timedelta(0)


@pytest.mark.parametrize(
    ("answer", "sentence"),
    [
        ((200, {}, "<html>Jenkins</html>"), "what answers there is not Label Studio"),
        ((200, {}, '{"release": "9"}'), "what answers there is not Label Studio"),
        ((200, {}, "[]"), r"gave an answer that cannot be read \(TypeError: .*; correct the address, or run Label"),
        ((301, {"Location": "https://ls.example/"}, ""), r"sends everybody to https://ls\.example/; give that address"),
        ((304, {}, ""), "what answers there is not Label Studio"),
        ((401, {}, '{"detail": "Invalid."}'), "refused the token; run `selvedge review login` to store a new one"),
        ((403, {}, '{"detail": "No permission."}'), r"refused the request \(403\): No permission"),
        ((404, {}, "<html></html>"), "what answers there is not Label Studio"),
        ((404, {}, '["strange"]'), "what answers there is not Label Studio"),
    ],
)
def test_every_answer_that_is_none_is_one_sentence(server, answer, sentence):
    server.answer = lambda number: answer
    with pytest.raises(SelvedgeError, match=sentence) as refusal:
        LabelStudio(server.url, TOKEN).ping()
    assert "\n" not in str(refusal.value) and TOKEN not in str(refusal.value)


def test_what_a_server_says_about_a_field_is_passed_on(server):
    content = {"detail": "Validation error", "validation_errors": {"title": ["Too short."]}}
    server.answer = lambda number: (400, {}, json.dumps(content))
    with pytest.raises(Refused, match=r"refused the request \(400\): title: Too short$") as refusal:
        Connection(server.url, TOKEN).ask(make, repeatable=False)
    assert refusal.value.fields == {"title": ["Too short."]}


def test_a_personal_token_is_never_sent_as_it_is(server):
    personal = "head.body.sign"
    server.answer = lambda number: (200, {}, '{"access": "short.lived.token", "title": "May"}')
    connection = Connection(server.url, personal)
    assert [connection.ask(read, repeatable=True) for _ in range(2)] == ["May", "May"]
    access = ("GET", "/api/projects/7/", "Bearer short.lived.token")
    assert server.asked == [("POST", "/api/token/refresh/", ""), access, access]


def test_an_access_token_pasted_for_a_personal_one_is_named(server):
    def token_for(use):
        payload = base64.urlsafe_b64encode(json.dumps({"token_type": use, "user_id": 7}).encode()).decode().rstrip("=")
        return f"eyJhbGciOiJIUzI1NiJ9.{payload}.c2lnbmF0dXJl"

    with pytest.raises(
        SelvedgeError, match="access tokens, which end after five minutes; take the personal"
    ) as refusal:
        Connection(server.url, f" {token_for('access')}\n")
    assert token_for("access") not in str(refusal.value) and "`selvedge review login`" in str(refusal.value)
    Connection(server.url, token_for("refresh"))
    Connection(server.url, "head.WzFd.sign")  # a payload that is a list says nothing
    assert server.asked == []


def test_an_access_token_that_has_expired_is_bought_again_once(server):
    def answer(number):
        if server.asked[-1][0] == "POST":
            return 200, {}, json.dumps({"access": f"access.{number}.x"})
        return (401, {}, "{}") if number == 2 else (200, {}, '{"id": 3}')

    server.answer = answer
    assert Connection(server.url, "head.body.sign").get("/api/x", dict) == {"id": 3}
    assert [asked[2] for asked in server.asked] == ["", "Bearer access.1.x", "", "Bearer access.3.x"]
    server.answer = lambda number: (401, {}, "{}")
    with pytest.raises(Refused, match="refused the token"):
        Connection(server.url, "head.body.sign").get("/api/x", dict)
    assert len(server.asked) == 5  # what is not a token any more is not asked about twice


def test_the_token_is_not_replaced_by_what_netrc_says(server, tmp_path, monkeypatch):
    (tmp_path / ".netrc").write_text("machine 127.0.0.1 login ann password hush\n")
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("NETRC", str(tmp_path / ".netrc"))
    Connection(server.url.replace("//", "//ann:hush@"), TOKEN).get("/api/x", dict)
    Connection(server.url, TOKEN).ask(read, repeatable=True)
    assert [asked[2] for asked in server.asked] == [f"Token {TOKEN}"] * 2


def test_loopback_is_not_asked_through_a_proxy(server, monkeypatch):
    monkeypatch.setenv("HTTP_PROXY", f"http://127.0.0.1:{free_port()}")
    monkeypatch.setenv("ALL_PROXY", f"http://127.0.0.1:{free_port()}")
    assert Connection(server.url, TOKEN, patience_seconds=0.1).get("/api/x", dict) == {}


def test_no_log_holds_a_token_whatever_its_level(server, caplog):
    caplog.set_level(logging.DEBUG)
    server.answer = lambda number: (200, {"Set-Cookie": "sessionid=hush"}, '{"access": "short.lived.token"}')
    for token in (TOKEN, "head.body.sign"):
        connection = Connection(server.url, token)
        connection.ask(read, repeatable=True)
        assert token not in repr(connection)
    assert not [secret for secret in (TOKEN, "head.body.sign", "short.lived", "hush") if secret in caplog.text]


@pytest.mark.parametrize("url", ["", "127.0.0.1:8080", "ftp://host", "http://"])
def test_an_address_that_is_none_is_refused(url):
    with pytest.raises(SelvedgeError, match=r"must look like http://127\.0\.0\.1:8080"):
        LabelStudio(url, TOKEN)


@pytest.mark.parametrize("token", ["", "  ", "two words", "schlüssel"])
def test_a_token_that_is_none_is_refused_and_not_repeated(token):
    with pytest.raises(SelvedgeError, match="token is empty or not a token; run `selvedge review login`"):
        LabelStudio("http://127.0.0.1:8080", token)


def test_the_sdk_is_imported_by_the_first_request_and_brings_no_converter():
    heavy = ["cv2", "pandas", "numpy", "faker", "nltk", "lxml"]
    script = (
        "import sys; from labeling.review.label_studio import LabelStudio; from catalog.errors import SelvedgeError\n"
        "client = LabelStudio('http://127.0.0.1:1', 'a' * 40, 0.0); print('label_studio_sdk' in sys.modules)\n"
        "try: client.ping()\nexcept SelvedgeError: pass\n"
        f"print('label_studio_sdk' in sys.modules, [m for m in {heavy} if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, cwd=ROOT, check=True)
    assert done.stdout == "False\nTrue []\n"
