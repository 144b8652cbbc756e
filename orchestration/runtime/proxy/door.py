"""What one proxy is told: in front of which service it stands, on which port, and where the home's token lies.

Belongs here: the token's file, the cookie that stands for it. Not here: who is let in (admission.py).
"""

import hashlib
import hmac
import json
import os
import secrets
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from catalog.places import part_of, remove_parts

ServiceName = Literal["dagster", "mlflow", "label-studio"]
TITLES: dict[str, str] = {"dagster": "Dagster", "mlflow": "MLflow", "label-studio": "Label Studio"}
TOKEN_FILE = "token"
SECRETS_VARIABLE = "PROXY_SECRETS_FOLDER"  # where Dagster's web server finds the token
INNER_HEADER = b"selvedge-inner"  # of the proxy to Dagster


@dataclass(frozen=True)
class Door:
    """One proxy.

    Args:
        port: where people come in. inner: where the service listens; both on 127.0.0.1.
        secrets_folder: holds the home's token and Label Studio's account.
        hosts: further names, with port where it is not 80 or 443, under which people come in.
    """

    service: ServiceName
    port: int
    inner: int
    secrets_folder: Path
    hosts: tuple[str, ...] = ()

    @property
    def title(self) -> str:
        return TITLES[self.service]

    @property
    def allowed_hosts(self) -> frozenset[str]:
        return frozenset({f"127.0.0.1:{self.port}", f"localhost:{self.port}", *(host.lower() for host in self.hosts)})

    @property
    def told_host(self) -> str:
        """What the service is told as Host. MLflow's is a secret: it refuses every other."""
        return inner_host(self.token()) if self.service == "mlflow" else f"127.0.0.1:{self.port}"

    def token(self) -> str:
        """The home's token; empty, so that nothing equals it, while the file is missing."""
        return stored_token(self.secrets_folder)

    def administrator(self) -> tuple[str, str]:
        """E-mail and token of Label Studio's administrator; empty where there is none yet."""
        try:
            account = json.loads((self.secrets_folder / "label-studio.json").read_text())
            return str(account["email"]), str(account["token"])
        except (OSError, ValueError, KeyError, TypeError):
            return "", ""


def stored_token(secrets_folder: Path) -> str:
    """The home's token; empty when it has none."""
    try:
        return (secrets_folder / TOKEN_FILE).read_text(encoding="ascii").strip()
    except (OSError, ValueError):
        return ""


def ensure_token(secrets_folder: Path) -> str:
    """The home's token, made when there is none; deleting its file, which only its owner reads, makes a new one."""
    path = secrets_folder / TOKEN_FILE
    secrets_folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    if path.exists():
        path.chmod(0o600)
        if stored := path.read_text(encoding="ascii", errors="replace").strip():
            return stored
        path.unlink()
    remove_parts(secrets_folder, TOKEN_FILE)
    part = part_of(path)
    with os.fdopen(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        file.write(secrets.token_urlsafe(32) + "\n")
    try:
        with suppress(FileExistsError):  # unlike a rename a link does not replace what another command has just stored
            path.hardlink_to(part)
    finally:
        part.unlink()
    return path.read_text(encoding="ascii").strip()


def cookie_name(token: str) -> str:
    """A browser sends a cookie to every port of a host: two homes must not overwrite each other's."""
    return f"selvedge_{hashlib.sha256(token.encode()).hexdigest()[:8]}"


def cookie_value(token: str) -> str:
    """What the browser keeps in place of the token: who reads it cannot use it as one."""
    return hmac.new(token.encode(), b"cookie of a browser", hashlib.sha256).hexdigest()


def inner_secret(token: str) -> str:
    """What a proxy says to its service, and nobody else can; empty without a token, which nothing equals."""
    return hmac.new(token.encode(), b"the service behind the proxy", hashlib.sha256).hexdigest() if token else ""


def inner_host(token: str) -> str:
    """The name under which MLflow answers its proxy."""
    return f"{inner_secret(token)[:40]}.localhost"


def same(given: str, expected: str) -> bool:
    """Equal and not empty, in a time that tells nothing."""
    return bool(expected) and hmac.compare_digest(given.encode(), expected.encode())
