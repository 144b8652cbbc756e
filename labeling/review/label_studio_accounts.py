"""Annotators' accounts in Label Studio: made one by one while sign-up is closed.

Belongs here: making an account and signing in to one. Not here: where credentials are stored, and what is done with
them (label_studio.py).

An account made through the users API has no password, and none can be given to it through any API (1.23.2 community).
What works everywhere is what an invited person does: open the invitation link, which only the administrator's token
reveals, and send its form. The API's own session rules would get in the way of the forms, so they have a session each.
"""

import re
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import urlsplit

import requests

from catalog.errors import SelvedgeError, ServiceUnavailable
from labeling.review.label_studio_connection import (
    ANSWER_SECONDS,
    CONNECT_SECONDS,
    Connection,
    Refused,
    plain_session,
)

PASSWORD_LENGTH = 8
TIMEOUT = (CONNECT_SECONDS, ANSWER_SECONDS)
HOTKEYS = {"annotation:annotation:submit": {"key": "enter", "active": True}}  # by default Ctrl and Enter


class AnnotatorExists(SelvedgeError):
    """There is an account with this e-mail already."""


@dataclass(frozen=True)
class Credentials:
    """An annotator's account. The token is whichever kind the server accepts."""

    user_id: int
    email: str
    password: str
    token: str

    def __repr__(self) -> str:
        return f"Credentials({self.user_id}, {self.email})"


def sign_up(connection: Connection, email: str, password: str | None) -> Credentials:
    """A new account; see LabelStudio.create_annotator."""
    email = email.strip().lower()  # as the server keeps it
    local, _, domain = email.partition("@")
    if not (local and "." in domain and "@" not in domain and not any(one.isspace() for one in email)):
        raise SelvedgeError(f"{email!r} is not an e-mail address; an annotator signs in with one.")
    password = secrets.token_urlsafe(12) if password is None else password
    if len(password) < PASSWORD_LENGTH:
        raise SelvedgeError(f"the password of {email} has fewer than {PASSWORD_LENGTH} characters; give a longer one.")
    _refuse_known(connection, email)
    invitation = {"token": str(connection.get("/api/invite")["token"])}
    with _browser(connection) as browser:
        form = {"email": email, "password": password}
        status, page = _post_form(connection, browser, "/user/signup/", form, invitation)
        if status != 302:
            _refuse_known(connection, email)  # somebody was faster
            raise SelvedgeError(f"{connection.name} made no account for {email}: {_form_error(page)}.")
        return _credentials(connection, browser, email, password)


def sign_in(connection: Connection, email: str, password: str) -> Credentials:
    """An account that exists; see LabelStudio.sign_in."""
    email = email.strip().lower()
    with _browser(connection) as browser:
        form = {"email": email, "password": password}
        status, _ = _post_form(connection, browser, "/user/login/", form, {})
        if status != 302:
            raise SelvedgeError(f"{connection.name} does not know {email} with this password; correct one of them.")
        return _credentials(connection, browser, email, password)


def _refuse_known(connection: Connection, email: str) -> None:
    if any(str(user["email"]).lower() == email for user in connection.get("/api/users/")):
        raise AnnotatorExists(
            f"an annotator {email} exists already in {connection.name}; use the stored password, or another e-mail."
        )


def _browser(connection: Connection) -> requests.Session:
    return plain_session(urlsplit(connection.url).hostname or "")


def _post_form(
    connection: Connection, browser: requests.Session, path: str, form: Mapping[str, str], query: Mapping[str, str]
) -> tuple[int, str]:
    place = connection.url + path
    try:
        browser.get(place, params=query, timeout=TIMEOUT)
        content = {**form, "csrfmiddlewaretoken": browser.cookies.get("csrftoken", "")}
        headers = {"Referer": place}
        response = browser.post(
            place, params=query, data=content, headers=headers, timeout=TIMEOUT, allow_redirects=False
        )
    except requests.RequestException as error:
        raise ServiceUnavailable(f"{connection.name} does not answer; start it and run again.") from error
    return response.status_code, response.text


def _credentials(connection: Connection, browser: requests.Session, email: str, password: str) -> Credentials:
    try:
        token = str(browser.get(f"{connection.url}/api/current-user/token", timeout=TIMEOUT).json()["token"])
        try:
            theirs = Connection(connection.url, token)
            me = theirs.get("/api/current-user/whoami")
        except Refused:  # legacy tokens are switched off: a personal one, of which an account has one at a time
            answer = browser.post(f"{connection.url}/api/token/", json={}, timeout=TIMEOUT).json()
            if "token" not in answer:
                raise SelvedgeError(
                    f"{email} has a personal access token already, and {connection.name} takes no other kind; "
                    "revoke it on the account's page."
                ) from None
            theirs = Connection(connection.url, str(answer["token"]))
            me, token = theirs.get("/api/current-user/whoami"), str(answer["token"])
        theirs.call("PATCH", "/api/current-user/hotkeys/", repeatable=True, body={"custom_hotkeys": HOTKEYS})
    except (requests.RequestException, KeyError, ValueError) as error:
        raise ServiceUnavailable(
            f"{connection.name} has the account {email} but stopped answering; sign in with its password."
        ) from error
    return Credentials(int(me["id"]), email, password, token)


def _form_error(page: str) -> str:
    found = re.search(r'class="field_errors">\s*(?:<li>)?\s*([^<]+)', page)
    return found.group(1).strip().rstrip(".") if found else "it gave no reason"
