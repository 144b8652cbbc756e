"""The connection to Label Studio: one request at a time, tokens of both kinds, patience, and errors in one sentence.

Belongs here: our HTTP client, how often a request may be sent, what a refusal says. Not here: what is asked
(client.py) and how a server is started (infra/local/).

label-studio-sdk sends the requests, through an `httpx` client that is ours: it never gets the token, never repeats a
request (`max_retries` is 0 in every call), and never sees an answer that is not a success. `LabelStudioBase` is its
generated client without the extensions of `LabelStudio`, which import pandas and Faker (2 s instead of 0.5) and take
a page that answers 404 for the end of the list, so that a project deleted during a pull would look complete.

Only calls that may be repeated are: after a time-out nobody knows whether the server has done what it was asked.
"""

import base64
import json
import logging
import ssl
import time
from collections.abc import Callable, Generator, Mapping
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Any, TypeVar
from urllib.parse import urlsplit

import httpx

from catalog.errors import SelvedgeError, ServiceUnavailable

if TYPE_CHECKING:
    from label_studio_sdk.base_client import LabelStudioBase
    from label_studio_sdk.core.request_options import RequestOptions

Answer = TypeVar("Answer")

CONNECT_SECONDS = 5.0
ANSWER_SECONDS = 60.0
PATIENCE_SECONDS = 60.0  # a local server restarts in 5 s, a busy one in 30
FIRST_PAUSE_SECONDS = 0.25
LONGEST_PAUSE_SECONDS = 5.0
BUSY = frozenset({429, 500, 502, 503, 504})  # 500: SQLite's "database is locked" arrives as one
LOGIN = "run `selvedge review login` to store a new one"
CHECKED_VERSION = "1.23.2"
IN_PLACE_OF_THE_TOKEN = "set-by-our-own-http-client"

# At INFO httpx logs every address, and the one of a sign-up holds an invitation; at DEBUG httpcore logs cookies.
for _chatty in ("httpx", "httpcore"):
    logging.getLogger(_chatty).setLevel(logging.WARNING)


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
        if not token or not token.isascii() or any(character.isspace() for character in token):
            raise SelvedgeError(f"Label Studio's token is empty or not a token; {LOGIN}.")
        if _kind_of(token) == "access":
            raise SelvedgeError(
                "this is one of Label Studio's access tokens, which end after five minutes; take the personal access "
                f"token of the account's page (Account & Settings), with which Selvedge buys them; {LOGIN}."
            )
        self.url = url.strip().rstrip("/")
        self.token = token
        self.name = f"Label Studio at {parts.netloc.rpartition('@')[2]}"
        self.requests = 0
        self.server_ahead = timedelta(0)
        self._patience = patience_seconds
        self._auth = _TokenAuth(self.url, self.name, token)
        self._http = _Http(self.name, parts.hostname, auth=self._auth)
        self._http.event_hooks = {"request": [self._count], "response": [self._note_time]}
        self._sdk: LabelStudioBase | None = None

    def __repr__(self) -> str:
        return f"Connection({self.url})"

    def get(self, path: str, read: Callable[[Any], Answer]) -> Answer:
        """What `read` makes of the JSON at a path that the SDK has no method for; errors as `ask`'s."""
        return self.ask(lambda sdk, options: read(self._http.get(self.url + path).json()), repeatable=True)

    def post(self, path: str, read: Callable[[Any], Answer]) -> Answer:
        """As `get`, of a change that may be made twice."""
        return self.ask(lambda sdk, options: read(self._http.post(self.url + path, json={}).json()), repeatable=True)

    def ask(
        self,
        call: "Callable[[LabelStudioBase, RequestOptions], Answer]",
        *,
        repeatable: bool,
        answer_seconds: float = ANSWER_SECONDS,
    ) -> Answer:
        """What a call of the SDK's returns.

        Args:
            call: is given the SDK's client and the options for its one request; reads from the answer what is wanted.
            repeatable: carrying it out twice is the same as once; only then is it sent again after a lost answer.
            answer_seconds: how long the server may work on one request.

        Raises:
            Refused: the server said no, or something that Label Studio never says.
            AnswerLost: a call that is not repeatable got no answer.
            ServiceUnavailable: the server was away for longer than the patience.
        """
        from label_studio_sdk.core.api_error import ApiError
        from label_studio_sdk.core.parse_error import ParsingError

        sdk, options = self._client(), _options(answer_seconds)
        deadline = time.monotonic() + self._patience
        pause = FIRST_PAUSE_SECONDS
        while True:
            try:
                return call(sdk, options)
            except httpx.RequestError as error:
                if not (repeatable or _never_sent(error)):
                    raise AnswerLost(f"{self.name} gave no answer ({_short(error)}); run again.") from error
                if time.monotonic() + pause > deadline:
                    raise ServiceUnavailable(
                        f"{self.name} does not answer ({_short(error)}); start it, or check its address, and run again."
                    ) from error
            except _Busy as busy:
                if not repeatable or time.monotonic() + pause > deadline:
                    raise busy.refusal from None
                pause = max(pause, busy.wait_seconds)
            except (ApiError, json.JSONDecodeError) as error:  # a success (_Http has refused the rest) without JSON
                raise _not_label_studio(self.name, 200) from error
            except (ParsingError, AttributeError, KeyError, TypeError, ValueError) as error:
                raise Refused(
                    f"{self.name} gave an answer that cannot be read ({_words(error)}); "
                    f"correct the address, or run Label Studio {CHECKED_VERSION}.",
                    200,
                ) from error
            time.sleep(pause)
            pause = min(2 * pause, LONGEST_PAUSE_SECONDS)

    def _client(self) -> "LabelStudioBase":
        if self._sdk is None:
            from label_studio_sdk.base_client import LabelStudioBase

            self._sdk = LabelStudioBase(
                base_url=self.url, api_key=IN_PLACE_OF_THE_TOKEN, httpx_client=self._http, max_retries=0
            )
        return self._sdk

    def _count(self, request: httpx.Request) -> None:
        self.requests += 1

    def _note_time(self, response: httpx.Response) -> None:
        try:
            http_date = parsedate_to_datetime(response.headers["Date"])
        except (KeyError, ValueError, TypeError):
            return
        ahead = http_date - datetime.now(UTC)
        # The header has whole seconds and was written before the answer travelled: less than that is no difference.
        self.server_ahead = ahead if abs(ahead) > timedelta(seconds=2) else timedelta(0)


def plain_client(host: str, **settings: Any) -> httpx.Client:
    """An HTTP client that sends only what it is told to; loopback is never reached through a proxy."""
    return httpx.Client(**{**_plain(host), **settings})


class _Http(httpx.Client):
    """An HTTP client whose answers are successes; anything else is raised as what it means for us."""

    def __init__(self, name: str, host: str, **settings: Any) -> None:
        super().__init__(**{**_plain(host), **settings})
        self._name = name

    def send(self, request: httpx.Request, **settings: Any) -> httpx.Response:
        # The SDK names one number for all four time-outs; a server that takes no connection is away, not at work.
        limits = request.extensions.get("timeout", {})
        request.extensions = {**request.extensions, "timeout": {**limits, "connect": CONNECT_SECONDS}}
        response = super().send(request, **settings)
        if not response.is_success:
            raise _refusal(self._name, response)
        return response


class _TokenAuth(httpx.Auth):
    """The header of either kind of token.

    A personal access token is a JSON web token that only buys access tokens, each good for five minutes. (The SDK's
    own exchange takes one that has expired for a legacy token, or raises while it is built, and never tries again.)
    """

    requires_response_body = True

    def __init__(self, url: str, name: str, token: str) -> None:
        self._url, self._name, self._token = url, name, token
        self._personal = token.count(".") == 2
        self._access: str | None = None

    def auth_flow(self, request: httpx.Request) -> Generator[httpx.Request, httpx.Response, None]:
        if not self._personal:
            request.headers["Authorization"] = f"Token {self._token}"
            yield request
            return
        if self._access is None:
            self._access = self._bought((yield self._purchase()))
        request.headers["Authorization"] = f"Bearer {self._access}"
        response = yield request
        if response.status_code == 401:
            self._access = self._bought((yield self._purchase()))
            request.headers["Authorization"] = f"Bearer {self._access}"
            yield request

    def _purchase(self) -> httpx.Request:
        address = f"{self._url}/api/token/refresh/"
        limits = {"connect": CONNECT_SECONDS, "read": ANSWER_SECONDS, "write": ANSWER_SECONDS, "pool": ANSWER_SECONDS}
        return httpx.Request("POST", address, json={"refresh": self._token}, extensions={"timeout": limits})

    def _bought(self, response: httpx.Response) -> str:
        if not response.is_success:
            raise _refusal(self._name, response)
        try:
            return str(response.json()["access"])
        except (KeyError, TypeError, ValueError):
            raise _not_label_studio(self._name, response.status_code) from None


class _Busy(Exception):
    """The server cannot answer now; `refusal` is what is said once patience has ended."""

    def __init__(self, refusal: SelvedgeError, wait_seconds: float) -> None:
        super().__init__(str(refusal))
        self.refusal, self.wait_seconds = refusal, wait_seconds


def _kind_of(token: str) -> str:
    """What a JSON web token says it is for, `access` or `refresh`; empty for a token of another form."""
    parts = token.split(".")
    if len(parts) != 3:
        return ""
    try:
        payload = json.loads(base64.urlsafe_b64decode(parts[1] + "=" * (-len(parts[1]) % 4)))
    except ValueError:  # not base64, not UTF-8, not JSON
        return ""
    return str(payload.get("token_type", "")) if isinstance(payload, Mapping) else ""


def _plain(host: str) -> dict[str, Any]:
    return {
        "auth": _as_it_is,
        "headers": {"Accept": "application/json"},
        "timeout": httpx.Timeout(ANSWER_SECONDS, connect=CONNECT_SECONDS),
        "trust_env": host not in ("127.0.0.1", "localhost", "::1"),
        "follow_redirects": False,
    }


def _as_it_is(request: httpx.Request) -> httpx.Request:
    return request  # without this a user in the address would be sent as a password


def _options(answer_seconds: float) -> "RequestOptions":
    return {"max_retries": 0, "timeout": answer_seconds}


def _refusal(name: str, response: httpx.Response) -> Exception:
    """What an answer that is no success means: a `SelvedgeError`, or `_Busy` around the one to be raised later."""
    status = response.status_code
    if response.has_redirect_location:
        address = response.headers["Location"]
        return Refused(f"{name} sends everybody to {address}; give that address instead.", status)
    try:
        body = response.json()
    except ValueError:
        body = None
    content: Mapping[str, Any] = body if isinstance(body, Mapping) else {}
    detail, fields = str(content.get("detail", "")), content.get("validation_errors")
    fields = fields if isinstance(fields, Mapping) else {}
    refusal: SelvedgeError
    if status == 401:
        refusal = Refused(f"{name} refused the token; {LOGIN}.", status, detail)
    elif status < 400:
        refusal = _not_label_studio(name, status)
    elif status >= 500:
        refusal = ServiceUnavailable(f"{name} failed ({status} {detail[:200] or 'no reason given'}); run again.")
    else:
        why = "; ".join(f"{field}: {_first(words)}" for field, words in fields.items()) or detail or "no reason given"
        refusal = Refused(f"{name} refused the request ({status}): {why[:300]}", status, detail, fields)
    return _Busy(refusal, _asked_to_wait(response)) if status in BUSY else refusal


def _not_label_studio(name: str, status: int) -> Refused:
    return Refused(f"{name}: what answers there is not Label Studio; correct the address or the port.", status)


def _never_sent(error: httpx.RequestError) -> bool:
    return isinstance(error, (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout))


def _asked_to_wait(response: httpx.Response) -> float:
    seconds = response.headers.get("Retry-After", "")
    return min(float(seconds), 30.0) if seconds.isascii() and seconds.isdigit() else 0.0


def _short(error: httpx.RequestError) -> str:
    if isinstance(error, httpx.TimeoutException):
        return "no answer in time"
    if _is_untrusted(error):
        return "its certificate is not trusted"
    return "connection refused" if _never_sent(error) else "the connection broke"


def _is_untrusted(error: BaseException | None) -> bool:
    while error is not None and not isinstance(error, ssl.SSLError):
        error = error.__cause__ or error.__context__
    return error is not None


def _words(error: Exception) -> str:
    return " ".join(f"{type(error).__name__}: {error}".split())[:100]


def _first(words: Any) -> str:
    return str(words[0] if isinstance(words, list) and words else words).rstrip(".")
