"""Settings of an operator: how drops look, what runs by itself when, where databases are, who is told of a failure.

Belongs here: these settings, the base of all others, and what can be said of one alone. Not here: what a schedule's
value means (orchestration/families/timetable.py), sending (alerts.py).
"""

import difflib
import re
from pathlib import Path
from typing import Annotated
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo, available_timezones

from pydantic import Field, SecretStr, field_validator
from pydantic_settings import BaseSettings

from orchestration.runtime import postgres

ON, OFF = "on", "off"
LOOPBACK = ("127.0.0.1", "::1", "localhost")
SECRETS = ("postgres", "alert_webhook", "alert_token", "alert_smtp_password")
MAIL = re.compile(r"[^@\s,<>]+@[^@\s,<>]+")


class OperatorSettings(BaseSettings):
    """What an operator sets once and then leaves alone."""

    mapping: Path | None = Field(
        None, description="a YAML file that says which columns are what, for drops in another layout than Kaggle's"
    )
    time_zone: str = Field("UTC", description="time zone of the schedules, e.g. Europe/Berlin; it knows summer time")
    schedule_inference: str = Field(
        ON, description="drops that are not published yet, nightly: on (02:00), off, or a cron expression"
    )
    schedule_retraining: str = Field(
        OFF,
        description="training of every family, weekly: on (Sunday, 03:00), off, or a cron expression; other values for "
        "single families after semicolons, as on; FAMILY off",
    )
    schedule_evaluation: str = Field(
        OFF,
        description="every champion on the newest training data, monthly: on (the 1st, 04:00), off, or a cron "
        "expression; by family as above",
    )
    schedule_report: str = Field(
        ON, description="what is left failed and what runs took, daily: on (07:00), off, or a cron expression"
    )
    fresh_hours: Annotated[float, Field(gt=0)] = Field(
        24.0, description="hours from a drop's arrival in which it is to be published"
    )
    drop_every_days: Annotated[float, Field(gt=0)] | None = Field(
        None, description="days in which a drop is expected; Dagster's own freshness goes by it, and by nothing else"
    )
    service_memory_gb: Annotated[float, Field(ge=0)] = Field(
        2.0,
        description="gigabytes that a service of `up` and its helpers may hold; beyond, it is started again while no "
        "run is under way, at most once an hour; 0: never",
    )
    disk_reserve_mb: Annotated[int, Field(ge=0, le=500)] = Field(
        4,
        description="megabytes of the home's disk that are kept, so that a full disk can be told; work begins only "
        "while there is as much again; 0: none",
    )

    postgres: SecretStr | None = Field(
        None, description="PostgreSQL database of this home, for Dagster, MLflow, ledger and Label Studio"
    )
    postgres_file: Path | None = Field(None, description="a file that holds its address, instead")

    alert_webhook: SecretStr | None = Field(None, description="address that failures are posted to, as JSON")
    alert_webhook_file: Path | None = Field(None, description="a file that holds that address, instead")
    alert_token: SecretStr | None = Field(None, description="sent to it as `Authorization: Bearer …`")
    alert_token_file: Path | None = Field(None, description="a file that holds that token, instead")
    alert_mail: str | None = Field(None, description="who is mailed failures, e.g. ops@shop.example,me@shop.example")
    alert_mail_from: str | None = Field(None, description="sender of these mails; the first who is mailed by default")
    alert_smtp: str = Field(
        "smtp://127.0.0.1:25", description="mail server: smtp://host:587 (STARTTLS) or smtps://host:465"
    )
    alert_smtp_user: str | None = Field(None, description="who signs in there")
    alert_smtp_password: SecretStr | None = Field(None, description="and with which password")
    alert_smtp_password_file: Path | None = Field(None, description="a file that holds that password, instead")
    alert_hours: Annotated[float, Field(gt=0)] = Field(
        6.0, description="hours in which a failure of the same asset and partition is told once"
    )

    @field_validator("time_zone")
    @classmethod
    def _zone(cls, name: str) -> str:
        try:
            return ZoneInfo(name).key
        except (KeyError, ValueError, OSError):  # no such file, a name that leaves the folder, or the folder itself
            close = difflib.get_close_matches(name, sorted(available_timezones()), n=1)
            like = close[0] if close else "Europe/Berlin"
            raise ValueError(f"it is no time zone of the IANA list; write one like {like}") from None

    @field_validator("mapping", "postgres_file", "alert_webhook_file", "alert_token_file", "alert_smtp_password_file")
    @classmethod
    def _absolute_file(cls, path: Path | None) -> Path | None:
        return None if path is None else path.expanduser().resolve()

    @field_validator("postgres")
    @classmethod
    def _postgres(cls, uri: SecretStr | None) -> SecretStr | None:
        return SecretStr(postgres.checked(uri.get_secret_value())) if uri and uri.get_secret_value() else None

    @field_validator("alert_webhook")
    @classmethod
    def _webhook(cls, address: SecretStr | None) -> SecretStr | None:
        if address is not None:
            web_address(address.get_secret_value())
        return address

    @field_validator("alert_mail", "alert_mail_from")
    @classmethod
    def _mail(cls, value: str | None) -> str | None:
        addresses = [address.strip() for address in (value or "").split(",") if address.strip()]
        for address in addresses:
            if not (MAIL.fullmatch(address) and address.isascii() and address.isprintable()):
                raise ValueError("it is mail addresses like ops@shop.example, with commas between them")
        return ",".join(addresses) or None

    @field_validator("alert_smtp")
    @classmethod
    def _mail_server(cls, value: str) -> str:
        parts = urlsplit(value)
        if parts.scheme not in ("smtp", "smtps") or not parts.hostname or parts.port == 0:
            raise ValueError("it is written smtp://host:587, or smtps://host:465")
        if "@" in parts.netloc:
            raise ValueError(
                "it is an address without user and password; SELVEDGE_ALERT_SMTP_USER and "
                "SELVEDGE_ALERT_SMTP_PASSWORD_FILE name them"
            )
        return value.rstrip("/")


def web_address(address: str) -> str:
    """The address itself.

    Raises:
        ValueError: it is none that a page can be asked at.
    """
    parts = urlsplit(address)
    if parts.scheme not in ("http", "https") or not parts.hostname or parts.port == 0:
        raise ValueError("it is an address that begins with https:// or http://")
    return address
