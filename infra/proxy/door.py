"""What one proxy is told: in front of which service it stands, on which port, and where the home's token lies.

Belongs here: the token's file, the cookie that stands for it. Not here: who is let in (admission.py).
"""

import hashlib
import hmac
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from infra.secret_file import ensure_secret, stored_secret

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
        stream_folder: holds script and style of the label stream.
    """

    service: ServiceName
    port: int
    inner: int
    secrets_folder: Path
    hosts: tuple[str, ...] = ()
    stream_folder: Path | None = None

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
    return stored_secret(secrets_folder / TOKEN_FILE)


def ensure_token(secrets_folder: Path) -> str:
    """The home's token, made when there is none; deleting its file, which only its owner reads, makes a new one."""
    return ensure_secret(secrets_folder / TOKEN_FILE)


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
