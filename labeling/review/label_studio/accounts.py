"""Annotators' accounts in Label Studio: made one by one while sign-up is closed.

Belongs here: making an account and signing in to one. Not here: where credentials are stored, and what is done with
them (client.py).

An account made through the users API has no password, and none can be given to it through any API (1.23.2 community).
What works everywhere is what an invited person does: open the invitation link and send its form. Label Studio shows the
link to every account, so it is made invalid as soon as it was used. The SDK has no forms, and a signed-in session must
not carry a token: each gets an HTTP client of its own.
"""

import logging
import re
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import httpx

from catalog.errors import SelvedgeError, ServiceUnavailable
from labeling.review.label_studio.connection import Connection, Refused, plain_client

if TYPE_CHECKING:
    from label_studio_sdk.base_client import LabelStudioBase
    from label_studio_sdk.core.request_options import RequestOptions

_LOG = logging.getLogger("selvedge.label_studio")
PASSWORD_LENGTH = 8
INVITATIONS = 3  # links that are tried when other commands make accounts at the same time
RESET_INVITATION = "/api/invite/reset-token"  # the SDK has no method for it
OWNER_HEADER = "Selvedge-Owner"
LOOPBACK = ("127.0.0.1", "localhost")
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
    if not (local and "." in domain and "@" not in domain and not any(character.isspace() for character in email)):
        raise SelvedgeError(f"{email!r} is not an e-mail address; an annotator signs in with one.")
    password = secrets.token_urlsafe(12) if password is None else password
    if len(password) < PASSWORD_LENGTH:
        raise SelvedgeError(f"the password of {email} has fewer than {PASSWORD_LENGTH} characters; give a longer one.")
    _refuse_taken(connection, email)
    with _browser(connection) as browser:
        form = {"email": email, "password": password}
        if urlsplit(connection.url).hostname in LOOPBACK:
            browser.headers[OWNER_HEADER] = connection.token  # the home's proxy lets nobody else at this form
        for _ in range(INVITATIONS):
            invitation = {"token": connection.ask(_invitation, repeatable=True)}
            status, page = _post_form(connection, browser, "/user/signup/", form, invitation)
            if status != 403:  # another command has made an account, and the link invalid, meanwhile
                break
        browser.headers.pop(OWNER_HEADER, None)
        if status != 302:
            _refuse_taken(connection, email)  # somebody was faster
            raise SelvedgeError(f"{connection.name} made no account for {email}: {_form_error(page)}.")
        _end_invitation(connection)
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


def _refuse_taken(connection: Connection, email: str) -> None:
    if email in (address.lower() for address in connection.ask(emails, repeatable=True).values()):
        raise AnnotatorExists(
            f"an annotator {email} exists already in {connection.name}; use the stored password, or another e-mail."
        )


def emails(sdk: "LabelStudioBase", options: "RequestOptions") -> dict[int, str]:
    """The e-mail of every account, by user id; a call for `Connection.ask`."""
    return {int(user.id): str(user.email) for user in sdk.users.list(request_options=options)}


def whoami(sdk: "LabelStudioBase", options: "RequestOptions") -> tuple[int, str]:
    """User id and e-mail of the token's owner; a call for `Connection.ask`."""
    owner = sdk.users.whoami(request_options=options)
    if owner.id is None or not owner.email:
        raise ValueError("a token without an owner")
    return owner.id, owner.email


def _invitation(sdk: "LabelStudioBase", options: "RequestOptions") -> str:
    return str(sdk.organizations.invites.get_invite_link(request_options=options).token)


def _end_invitation(connection: Connection) -> None:
    """Make the invitation link invalid for whoever has read it."""
    try:
        connection.post(RESET_INVITATION, dict)
    except Refused as refusal:  # another edition than the community's; the account is made all the same
        _LOG.warning(
            "selvedge: %s keeps its invitation link (%s): whoever read it may make accounts, whose ballots are void.",
            connection.name,
            str(refusal).rstrip("."),
        )


def _browser(connection: Connection) -> httpx.Client:
    return plain_client(urlsplit(connection.url).hostname or "")


def _post_form(
    connection: Connection, browser: httpx.Client, path: str, form: Mapping[str, str], query: Mapping[str, str]
) -> tuple[int, str]:
    address = connection.url + path
    try:
        browser.get(address, params=query, follow_redirects=True)
        content = {**form, "csrfmiddlewaretoken": browser.cookies.get("csrftoken") or ""}
        response = browser.post(address, params=query, data=content, headers={"Referer": address})
    except httpx.RequestError as error:
        raise ServiceUnavailable(f"{connection.name} does not answer; start it and run again.") from error
    return response.status_code, response.text


def _credentials(connection: Connection, browser: httpx.Client, email: str, password: str) -> Credentials:
    try:
        token = str(browser.get(f"{connection.url}/api/current-user/token").json()["token"])
        try:
            theirs = Connection(connection.url, token)
            user_id, _ = theirs.ask(whoami, repeatable=True)
        except Refused:  # legacy tokens are switched off: a personal one, of which an account has one at a time
            answer = browser.post(f"{connection.url}/api/token/", json={}).json()
            if "token" not in answer:
                raise SelvedgeError(
                    f"{email} has a personal access token already, and {connection.name} takes no other kind; "
                    "revoke it on the account's page."
                ) from None
            token = str(answer["token"])
            theirs = Connection(connection.url, token)
            user_id, _ = theirs.ask(whoami, repeatable=True)
        theirs.ask(
            lambda sdk, options: sdk.users.update_hotkeys(custom_hotkeys=HOTKEYS, request_options=options),
            repeatable=True,
        )
    except (httpx.RequestError, KeyError, ValueError) as error:
        raise ServiceUnavailable(
            f"{connection.name} has the account {email} but stopped answering; sign in with its password."
        ) from error
    return Credentials(user_id, email, password, token)


def _form_error(page: str) -> str:
    reason = re.search(r'class="field_errors">\s*(?:<li>)?\s*([^<]+)', page)
    return reason.group(1).strip().rstrip(".") if reason else "it gave no reason"
