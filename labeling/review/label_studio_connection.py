"""The connection to Label Studio: one request at a time, tokens of both kinds, retries, and errors in one sentence.

Belongs here: HTTP. Not here: what is asked (label_studio.py) and how a server is started (infra/local/).

Plain `requests`, because label-studio-sdk 2.1 would bring 28 packages into this environment (opencv, nltk, black,
Faker, ...), holds numpy at 2.2, and retries calls that must not be repeated.

Only calls that may be repeated are: after a time-out nobody knows whether the server has done what it was asked.
"""

import json
import time
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Any
from urllib.parse import urlsplit

import requests

from catalog.errors import SelvedgeError, ServiceUnavailable

CONNECT_SECONDS = 5.0
ANSWER_SECONDS = 60.0
PATIENCE_SECONDS = 60.0  # a local server restarts in 5 s, a busy one in 30
FIRST_PAUSE_SECONDS = 0.25
LONGEST_PAUSE_SECONDS = 5.0
BUSY = frozenset({429, 500, 502, 503, 504})  # 500: SQLite's "database is locked" arrives as one
LOGIN = "run `selvedge review login` to store a new one"


class Refused(SelvedgeError):
    """Label Studio answered, and the answer is no. `status` is HTTP's, `fields` what it said about single fields."""

    def __init__(self, sentence: str, status: int, detail: str = "", fields: Mapping[str, Any] | None = None) -> None:
        super().__init__(sentence)
        self.status, self.detail, self.fields = status, detail, dict(fields or {})


class AnswerLost(ServiceUnavailable):
    """A call that may not be repeated got no answer; whether it was carried out has to be looked up."""


class Connection:
    """Requests to one server with one token.

    Args:
        url: http:// or https:// address of the server. token: a legacy token, or a personal access token.
        patience_seconds: how long a server may be away before a call gives up.

    Raises:
        SelvedgeError: the address or the token cannot be one.
    """

    def __init__(self, url: str, token: str, patience_seconds: float = PATIENCE_SECONDS) -> None:
        parts = urlsplit(url.strip())
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise SelvedgeError(f"Label Studio's address {url!r} must look like http://127.0.0.1:8080; correct it.")
        token = token.strip()
        if not token or not token.isascii() or any(one.isspace() for one in token):
            raise SelvedgeError(f"Label Studio's token is empty or not a token; {LOGIN}.")
        self.url = url.strip().rstrip("/")
        self.name = f"Label Studio at {parts.netloc.rpartition('@')[2]}"
        self.requests = 0
        self.server_ahead = timedelta(0)
        self._token = token
        self._patience = patience_seconds
        self._personal = token.count(".") == 2  # a JSON web token: it only buys access tokens, each for five minutes
        self._access: str | None = None
        self._session = plain_session(parts.hostname)

    def __repr__(self) -> str:
        return f"Connection({self.url})"

    def now(self) -> datetime:
        """The server's time, from its last answer: what its own timestamps are to be compared with."""
        return datetime.now(UTC) + self.server_ahead

    def get(self, path: str, **parameters: Any) -> Any:
        return self.call("GET", path, repeatable=True, params=parameters)

    def call(
        self,
        method: str,
        path: str,
        *,
        repeatable: bool,
        body: Any = None,
        params: Mapping[str, Any] | None = None,
        answer_seconds: float = ANSWER_SECONDS,
    ) -> Any:
        """The JSON of an answer; None for an empty one.

        Args:
            repeatable: carrying it out twice is the same as once; only then is it sent again after a lost answer.

        Raises:
            Refused: the server said no. AnswerLost: a call that is not repeatable got no answer.
            ServiceUnavailable: the server was away for longer than the patience.
        """
        content = None if body is None else json.dumps(body).encode()
        deadline = time.monotonic() + self._patience
        pause = FIRST_PAUSE_SECONDS
        while True:
            try:
                response = self._authorised(method, path, params, content, answer_seconds)
            except requests.RequestException as error:
                if not (repeatable or _never_sent(error)):
                    raise AnswerLost(f"{self.name} gave no answer ({_short(error)}); run again.") from error
                if time.monotonic() + pause > deadline:
                    raise ServiceUnavailable(
                        f"{self.name} does not answer ({_short(error)}); start it, or check its address, and run again."
                    ) from error
            else:
                if response.status_code not in BUSY or not repeatable or time.monotonic() + pause > deadline:
                    return self._content(response)
                pause = max(pause, _asked_to_wait(response))
            time.sleep(pause)
            pause = min(2 * pause, LONGEST_PAUSE_SECONDS)

    def _authorised(
        self, method: str, path: str, params: Mapping[str, Any] | None, content: bytes | None, answer_seconds: float
    ) -> requests.Response:
        for fresh in (False, True):
            header = f"Bearer {self._bought(fresh)}" if self._personal else f"Token {self._token}"
            response = self._send(method, path, params, content, answer_seconds, header)
            if response.status_code != 401 or not self._personal:
                return response
        return response

    def _bought(self, fresh: bool) -> str:
        if self._access is None or fresh:
            body = json.dumps({"refresh": self._token}).encode()
            answer = self._content(self._send("POST", "/api/token/refresh/", None, body, ANSWER_SECONDS, None))
            self._access = str(answer["access"])
        return self._access

    def _send(
        self,
        method: str,
        path: str,
        params: Mapping[str, Any] | None,
        content: bytes | None,
        answer_seconds: float,
        authorisation: str | None,
    ) -> requests.Response:
        headers = {"Content-Type": "application/json"} if content is not None else {}
        if authorisation:
            headers["Authorization"] = authorisation
        self.requests += 1
        response = self._session.request(
            method,
            self.url + path,
            params=params,
            data=content,
            headers=headers,
            timeout=(CONNECT_SECONDS, answer_seconds),
            allow_redirects=False,
        )
        self._note_time(response)
        return response

    def _note_time(self, response: requests.Response) -> None:
        try:
            told = parsedate_to_datetime(response.headers["Date"])
        except (KeyError, ValueError, TypeError):
            return
        ahead = told - datetime.now(UTC)
        # The header has whole seconds and was written before the answer travelled: less than that is no difference.
        self.server_ahead = ahead if abs(ahead) > timedelta(seconds=2) else timedelta(0)

    def _content(self, response: requests.Response) -> Any:
        if response.is_redirect:
            place = response.headers.get("Location", "elsewhere")
            raise Refused(f"{self.name} sends everybody to {place}; give that address instead.", response.status_code)
        if response.status_code == 204 or (response.ok and not response.content):
            return None
        try:
            answer = response.json()
        except ValueError:
            answer = None
        if response.ok and answer is not None:
            return answer
        raise self._refusal(response.status_code, answer)

    def _refusal(self, status: int, answer: Any) -> SelvedgeError:
        told = answer if isinstance(answer, Mapping) else {}
        detail, fields = str(told.get("detail", "")), told.get("validation_errors") or {}
        if status == 401:
            return Refused(f"{self.name} refused the token; {LOGIN}.", status, detail)
        if status < 400:
            return Refused(
                f"{self.name}: what answers there is not Label Studio; correct the address or the port.", status
            )
        if status >= 500:
            return ServiceUnavailable(f"{self.name} failed ({status} {detail[:200] or 'no reason given'}); run again.")
        why = "; ".join(f"{name}: {_first(words)}" for name, words in fields.items()) or detail or "no reason given"
        return Refused(f"{self.name} refused the request ({status}): {why[:300]}", status, detail, fields)


def plain_session(host: str) -> requests.Session:
    """A session that sends only what it is told to; loopback is never reached through a proxy."""
    session = requests.Session()
    session.auth = _no_other_auth
    session.headers["Accept"] = "application/json"
    session.trust_env = host not in ("127.0.0.1", "localhost", "::1")
    return session


def _no_other_auth(request: requests.PreparedRequest) -> requests.PreparedRequest:
    return request  # without this a ~/.netrc entry for the host replaces the token


def _never_sent(error: requests.RequestException) -> bool:
    return isinstance(error, requests.ConnectTimeout) or "NewConnectionError" in repr(error)


def _asked_to_wait(response: requests.Response) -> float:
    told = response.headers.get("Retry-After", "")
    return min(float(told), 30.0) if told.isdigit() else 0.0


def _short(error: requests.RequestException) -> str:
    if isinstance(error, requests.Timeout):
        return "no answer in time"
    if isinstance(error, requests.exceptions.SSLError):
        return "its certificate is not trusted"
    return "connection refused" if _never_sent(error) else "the connection broke"


def _first(words: Any) -> str:
    return str(words[0] if isinstance(words, list) and words else words).rstrip(".")
