"""Alert channels: a JSON POST and a mail, each tried a few times, neither ever waiting long.

Belongs here: the two senders. Not here: what is told, and whose secrets these are (orchestration/runtime/alerts.py).

What a server answers is never repeated whole: it may quote the request, and with it a secret.
"""

import smtplib
import ssl
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from email.message import EmailMessage
from typing import Any
from urllib.parse import urlsplit

from infra.errors import ServiceFailure

ATTEMPTS = 3
WAITS = (1.0, 2.0)  # seconds between attempts; a sensor that sends has a minute for everything
TIMEOUT_SECONDS = 5.0
SERVER_ERROR, TOO_MANY = 500, 429
LOOPBACK = ("127.0.0.1", "::1", "localhost")


class _TryAgain(Exception):
    """This attempt failed in a way that the next may not."""


@dataclass(frozen=True)
class MailServer:
    """address: smtp://host:port, which must offer STARTTLS unless it is this machine, or smtps://host:port."""

    address: str
    user: str | None = None
    password: str | None = None


def post_json(address: str, content: Mapping[str, Any], token: str | None = None) -> None:
    """Post an object as JSON; a redirect is not followed, as it would take the token along.

    Raises:
        ServiceFailure: it was refused, or did not get through in three attempts. The sentence names the host alone.
    """
    import httpx

    host = urlsplit(address).hostname
    headers = {"Authorization": f"Bearer {token}"} if token else {}

    def attempt() -> None:
        try:
            status = httpx.post(address, json=dict(content), headers=headers, timeout=TIMEOUT_SECONDS).status_code
        except httpx.HTTPError as error:
            raise _TryAgain(f"does not answer ({type(error).__name__})") from error
        if status >= SERVER_ERROR or status == TOO_MANY:
            raise _TryAgain(f"answers with status {status}")
        if not httpx.codes.is_success(status):
            raise ServiceFailure(f"the webhook at {host} refuses alerts (status {status}); mend its address or token.")

    _attempts(attempt, f"the webhook at {host}")


def send_mail(server: MailServer, sender: str, to: list[str], subject: str, text: str) -> None:
    """Send a mail in plain text.

    Raises:
        ServiceFailure: the server refuses it, offers no encryption, or did not take it in three attempts.
    """
    mail = EmailMessage()
    mail["From"], mail["To"], mail["Subject"] = sender, ", ".join(to), " ".join(subject.split())
    mail.set_content(text)
    host = urlsplit(server.address).hostname

    def attempt() -> None:
        try:
            with _connected(server) as connection:
                connection.send_message(mail)
        except smtplib.SMTPAuthenticationError as error:
            raise ServiceFailure(
                f"the mail server {host} refuses its user or password (code {error.smtp_code}); mend them."
            ) from error
        except (smtplib.SMTPRecipientsRefused, smtplib.SMTPSenderRefused) as error:
            raise ServiceFailure(
                f"the mail server {host} refuses sender or recipient; mend SELVEDGE_ALERT_MAIL or _FROM."
            ) from error
        except ssl.SSLCertVerificationError as error:
            raise ServiceFailure(
                f"the certificate of the mail server {host} is not valid ({error.verify_message}); SSL_CERT_FILE names "
                "one of yours."
            ) from error
        except (OSError, smtplib.SMTPException) as error:
            raise _TryAgain(f"does not take mail ({type(error).__name__})") from error

    _attempts(attempt, f"the mail server {host}")


def _connected(server: MailServer) -> smtplib.SMTP:
    parts, context = urlsplit(server.address), ssl.create_default_context()
    host = parts.hostname or ""
    connection: smtplib.SMTP
    if parts.scheme == "smtps":
        connection = smtplib.SMTP_SSL(host, parts.port or 465, timeout=TIMEOUT_SECONDS, context=context)
    else:
        connection = smtplib.SMTP(host, parts.port or 25, timeout=TIMEOUT_SECONDS)
    try:
        if parts.scheme == "smtp":
            connection.ehlo()
            if connection.has_extn("starttls"):
                connection.starttls(context=context)
            elif host not in LOOPBACK or server.user:
                raise ServiceFailure(
                    f"the mail server {host} offers no STARTTLS, and alerts and passwords do not travel in the open; "
                    "use its other port, or smtps://."
                )
        if server.user:
            connection.login(server.user, server.password or "")
    except BaseException:
        connection.close()
        raise
    return connection


def _attempts(attempt: Callable[[], None], who: str) -> None:
    for number in range(ATTEMPTS):
        try:
            attempt()
        except _TryAgain as error:
            if number == ATTEMPTS - 1:
                raise ServiceFailure(f"{who} {error}, {ATTEMPTS} times in a row; alerts wait for it.") from error
            time.sleep(WAITS[number])
        else:
            return
