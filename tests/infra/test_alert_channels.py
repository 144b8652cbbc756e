"""The senders of alerts against real sockets: a web server and a mail server of the test."""

import json
import socket
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest

from infra import alert_channels
from infra.alert_channels import MailServer, post_json, send_mail
from infra.errors import ServiceFailure
from tests.mail_server import MailServerForTests
from tests.ports import free_port

SECRET = "s3cret"


@pytest.fixture(autouse=True)
def _no_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(alert_channels, "WAITS", (0.0, 0.0))


class Hook(HTTPServer):
    """Answers with the given statuses in turn, the last one for ever; keeps what it was posted."""

    def __init__(self) -> None:
        self.statuses, self.posted = [200], list[tuple[dict[str, object], str | None]]()
        super().__init__(("127.0.0.1", 0), Handler)

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.server_port}/hooks/{SECRET}"


class Handler(BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        hook = self.server
        assert isinstance(hook, Hook)
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        hook.posted.append((body, self.headers.get("Authorization")))
        status = hook.statuses.pop(0) if len(hook.statuses) > 1 else hook.statuses[0]
        self.send_response(status)
        self.send_header("Location", "http://127.0.0.1:1/elsewhere")
        self.end_headers()

    def log_message(self, *args: object) -> None: ...


@pytest.fixture
def hook() -> Iterator[Hook]:
    server = Hook()
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


def test_an_object_is_posted_as_json_with_its_token(hook):
    post_json(hook.address, {"title": "Röcke"}, SECRET)
    assert hook.posted == [({"title": "Röcke"}, f"Bearer {SECRET}")]


@pytest.mark.parametrize("status", [500, 503, 429])
def test_a_server_in_trouble_is_tried_again_and_then_given_up(hook, status):
    hook.statuses = [status, status, 204]
    post_json(hook.address, {})
    assert len(hook.posted) == 3
    hook.statuses = [status]
    with pytest.raises(ServiceFailure, match=f"answers with status {status}, 3 times in a row") as raised:
        post_json(hook.address, {}, SECRET)
    assert len(hook.posted) == 6 and SECRET not in str(raised.value)


@pytest.mark.parametrize("status", [400, 401, 404, 302])
def test_a_refusal_is_not_tried_again_and_a_redirect_is_none_to_follow(hook, status):
    hook.statuses = [status]
    with pytest.raises(ServiceFailure, match=rf"127\.0\.0\.1 refuses alerts \(status {status}\)") as raised:
        post_json(hook.address, {}, SECRET)
    assert len(hook.posted) == 1 and SECRET not in str(raised.value)


def test_nobody_at_the_address_is_one_sentence():
    with pytest.raises(ServiceFailure, match=r"does not answer \(ConnectError\), 3 times in a row") as raised:
        post_json(f"http://127.0.0.1:{free_port()}/{SECRET}", {}, SECRET)
    assert SECRET not in str(raised.value)


def test_a_mail_is_delivered_on_this_machine_without_encryption():
    with MailServerForTests() as server:
        send_mail(MailServer(server.address), "a@x.example", ["b@x.example", "c@x.example"], "Röcke\nBcc: x", "Zwölf")
    (mail,) = server.mails
    assert mail["subject"] == "Röcke Bcc: x" and mail["to"] == "b@x.example, c@x.example"
    assert mail.get_content().strip() == "Zwölf"
    assert server.recipients == ["b@x.example", "c@x.example"]


def test_a_password_is_never_sent_in_the_open():
    with MailServerForTests() as server, pytest.raises(ServiceFailure, match="offers no STARTTLS"):
        send_mail(MailServer(server.address, "me", SECRET), "a@x.example", ["b@x.example"], "s", "t")
    assert not any(SECRET in line or "AUTH" in line for line in server.lines)


def test_an_encrypted_server_takes_user_and_password(monkeypatch):
    with MailServerForTests(encrypted=True) as server:
        monkeypatch.setenv("SSL_CERT_FILE", str(server.certificate))
        send_mail(MailServer(server.address, "me", SECRET), "a@x.example", ["b@x.example"], "s", "t")
        assert server.mails and server.user == ("me", SECRET)
        server.password = "another"
        with pytest.raises(ServiceFailure, match=r"refuses its user or password \(code 535\)") as raised:
            send_mail(MailServer(server.address, "me", SECRET), "a@x.example", ["b@x.example"], "s", "t")
    assert SECRET not in str(raised.value)


def test_a_certificate_that_nobody_vouches_for_is_refused():
    with MailServerForTests(encrypted=True) as server, pytest.raises(ServiceFailure, match="certificate"):
        send_mail(MailServer(server.address, "me", SECRET), "a@x.example", ["b@x.example"], "s", "t")
    assert not server.mails and server.user is None


def test_a_refused_recipient_and_a_server_that_hangs_up_are_told():
    with MailServerForTests(refuses="b@x.example") as server, pytest.raises(ServiceFailure, match="refuses sender or"):
        send_mail(MailServer(server.address), "a@x.example", ["b@x.example"], "s", "t")
    with socket.create_server(("127.0.0.1", 0)) as silent:
        port = silent.getsockname()[1]
    with pytest.raises(ServiceFailure, match=r"does not take mail \(ConnectionRefusedError\), 3 times"):
        send_mail(MailServer(f"smtp://127.0.0.1:{port}"), "a@x.example", ["b@x.example"], "s", "t")
