"""Alerts: what an operator is told without asking, and over which channels.

Belongs here: the channels of the settings with their secrets, and an alert as each of them carries it. Not here: what
failed (assets/failed_runs.py), when it is told (defs/operations/alerts.py), the protocols (infra/alert_channels.py).

A secret comes from the environment or from a file that its owner alone may read; it stands in no log and no sentence.
"""

import socket
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from catalog.errors import SelvedgeError
from orchestration.runtime.operator_settings import LOOPBACK, web_address
from orchestration.runtime.private import secret_of_file
from orchestration.runtime.settings import Settings

WEBHOOK, MAIL = "webhook", "mail"
SHOWN = 20  # failures of one alert that are named


@dataclass(frozen=True)
class Failure:
    """One thing that failed. subject: its assets and partition. sentence: why, and what to do. link: its page."""

    subject: str
    sentence: str
    link: str = ""


@dataclass(frozen=True)
class Alert:
    """What is told at once. title: one line. lines: sentences for people. failures: the same for programs."""

    title: str
    lines: tuple[str, ...]
    link: str
    failures: tuple[Failure, ...] = field(default=())

    @property
    def text(self) -> str:
        """As a mail has it."""
        more = [f"… and {len(self.lines) - SHOWN} more."] if len(self.lines) > SHOWN else []
        return "\n\n".join([*self.lines[:SHOWN], *more, self.link])

    def content(self, home: Path) -> dict[str, Any]:
        """As a webhook has it; `text` is what chat servers show."""
        return {
            "title": self.title,
            "text": f"{self.title}\n\n{self.text}",
            "link": self.link,
            "machine": socket.gethostname(),
            "home": str(home),
            "count": max(len(self.lines), len(self.failures)),
            "failures": [asdict(failure) for failure in self.failures[:SHOWN]],
        }


def channels(settings: Settings) -> list[str]:
    """Where alerts go; empty where nobody is to be told."""
    webhook = settings.alert_webhook is not None or settings.alert_webhook_file is not None
    return [*([WEBHOOK] if webhook else []), *([MAIL] if settings.alert_mail else [])]


def check_channels(settings: Settings) -> None:
    """Everything that can be known of the channels without sending.

    Raises:
        SelvedgeError: a secret's file cannot be read, is open to others, or a setting is given twice or in part.
    """
    if WEBHOOK in channels(settings):
        _webhook(settings)
    if MAIL in channels(settings):
        _mail_secrets(settings)


def tell(settings: Settings, alert: Alert) -> dict[str, str]:
    """Send over every channel; what went wrong by channel, "" where it was taken."""
    troubles = {}
    for channel in channels(settings):
        try:
            send(settings, channel, alert)
            troubles[channel] = ""
        except SelvedgeError as error:
            troubles[channel] = str(error)
    return troubles


def send(settings: Settings, channel: str, alert: Alert) -> None:
    """Send over one channel.

    Raises:
        SelvedgeError: as `check_channels`.
        ServiceUnavailable: the server refused it, or did not take it after some attempts.
    """
    from infra.alert_channels import MailServer, post_json, send_mail
    from orchestration.runtime.services import in_our_words

    if channel == WEBHOOK:
        address, token = _webhook(settings)
        with in_our_words():
            post_json(address, alert.content(settings.home), token)
        return
    to = (settings.alert_mail or "").split(",")
    user, password = _mail_secrets(settings)
    server = MailServer(settings.alert_smtp, user, password)
    with in_our_words():
        send_mail(server, settings.alert_mail_from or to[0], to, f"[selvedge] {alert.title}", alert.text)


def _webhook(settings: Settings) -> tuple[str, str | None]:
    """Address and token."""
    from urllib.parse import urlsplit

    address, token = _secret(settings, "alert_webhook") or "", _secret(settings, "alert_token")
    try:
        parts = urlsplit(web_address(address))
    except ValueError as error:
        raise SelvedgeError(f"SELVEDGE_ALERT_WEBHOOK_FILE holds no address; {error}.") from error
    if token and parts.scheme == "http" and parts.hostname not in LOOPBACK:
        raise SelvedgeError(
            "SELVEDGE_ALERT_TOKEN would travel in the open to a webhook that begins with http://; use its https://."
        )
    return address, token


def _mail_secrets(settings: Settings) -> tuple[str | None, str | None]:
    """User and password."""
    password = _secret(settings, "alert_smtp_password")
    if bool(settings.alert_smtp_user) != bool(password):
        lacking = "SELVEDGE_ALERT_SMTP_PASSWORD_FILE" if settings.alert_smtp_user else "SELVEDGE_ALERT_SMTP_USER"
        raise SelvedgeError(f"signing in to the mail server lacks {lacking}; set it, or unset the other.")
    return settings.alert_smtp_user, password


def _secret(settings: Settings, name: str) -> str | None:
    """A secret of the environment or of its file; None where neither is set.

    Raises:
        SelvedgeError: both are set, or the file cannot be read, is empty, or is open to others.
    """
    given, path = getattr(settings, name), getattr(settings, f"{name}_file")
    variable = f"SELVEDGE_{name.upper()}"
    if given is not None and path is not None:
        raise SelvedgeError(f"{variable} and {variable}_FILE are both set; unset one.")
    if path is None:
        return None if given is None else str(given.get_secret_value())
    return secret_of_file(path, f"{variable}_FILE")
