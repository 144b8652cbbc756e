"""The Label Studio server of this machine: its own environment, its account, one process on the loopback address.

Belongs here: how Label Studio is installed, configured and started. Not here: what it is asked
(labeling/review/label_studio/) and what runs inside its environment (label_studio_server.py).

It answers to this machine only, takes no sign-up without an invitation, and tells nobody anything: analytics, error
reports and the look for newer versions are off. Its guard against requests to private networks stays on, so nothing
here relies on webhooks.
"""

import json
import os
import re
import secrets
import subprocess
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from urllib.parse import SplitResult, parse_qsl, unquote, urlsplit

from infra.errors import ServiceFailure
from infra.local.environments import ensure_environment
from infra.local.files import whole_file
from infra.local.lock import exclusive
from infra.local.services import Progress, Running, Service, ensure

NAME = "label-studio"
REQUIREMENTS = Path(__file__).with_name("label-studio.txt")
PORT_SETTING = "SELVEDGE_LABEL_STUDIO_PORT"
DATABASE_SETTING = "SELVEDGE_LABEL_STUDIO_DATABASE"
POSTGRESQL_PORT = 5432
SCHEMA = re.compile("-csearch_path=[a-z_]+")
# Read by the library that Label Studio connects with.
LIBPQ = {"sslmode": "PGSSLMODE", "options": "PGOPTIONS", "application_name": "PGAPPNAME"}
ADMINISTRATOR = "selvedge@localhost.local"
START_TIMEOUT_SECONDS = 480.0  # the first start makes a database by some 300 migrations: a minute, more when busy
# Label Studio reads any of its settings from LABEL_STUDIO_X, then from a plain X: what a caller's shell happens to hold
# (HOST, PORT, DEBUG, CI, USERNAME) must not decide, so each is stated here.
CONFIGURATION = {
    "LABEL_STUDIO_DISABLE_SIGNUP_WITHOUT_LINK": "true",
    "LABEL_STUDIO_ENABLE_LEGACY_API_TOKEN": "true",
    "LABEL_STUDIO_COLLECT_ANALYTICS": "false",
    "LABEL_STUDIO_LATEST_VERSION_CHECK": "false",
    "LABEL_STUDIO_SENTRY_DSN": "",
    "LABEL_STUDIO_FRONTEND_SENTRY_DSN": "",
    "LABEL_STUDIO_FEATURE_FLAGS_OFFLINE": "true",
    "LABEL_STUDIO_SSRF_PROTECTION_ENABLED": "true",
    "LABEL_STUDIO_ENABLE_LOCAL_FILES_STORAGE": "false",
    "LABEL_STUDIO_LOCAL_FILES_SERVING_ENABLED": "false",
    "LABEL_STUDIO_ALLOWED_HOSTS": "127.0.0.1,localhost",
    "LABEL_STUDIO_CORS_ALLOW_ALL_ORIGINS": "false",
    "LABEL_STUDIO_HOST": "",
    "LABEL_STUDIO_DEBUG": "false",
    "LABEL_STUDIO_CI": "false",
    "LABEL_STUDIO_TEST_ENVIRONMENT": "false",
    "LABEL_STUDIO_LOG_LEVEL": "WARNING",
    "LABEL_STUDIO_JSON_LOG": "false",
    "LABEL_STUDIO_STORAGE_TYPE": "",
    "LABEL_STUDIO_MINIO_STORAGE_ENDPOINT": "",
    "LABEL_STUDIO_GOOGLE_LOGGING_ENABLED": "false",
    "DO_NOT_TRACK": "1",
}


@dataclass(frozen=True)
class Account:
    """The administrator of the server, and the key its sessions and tokens are signed with. Never logged."""

    email: str
    password: str
    token: str
    secret_key: str

    def __repr__(self) -> str:
        return f"Account({self.email})"


def account_file(secrets_folder: Path) -> Path:
    return secrets_folder / "label-studio.json"


def ensure_account(secrets_folder: Path) -> Account:
    """The stored account, or a new one in a file that only its owner reads.

    Deleting the file rotates every secret in it: the next start gives them to the administrator.

    Raises:
        ServiceFailure: the file is not an account.
    """
    path = account_file(secrets_folder)
    secrets_folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    with exclusive(secrets_folder / ".label-studio.lock", 30, "storing Label Studio's account"):
        if path.exists():
            path.chmod(0o600)
            return _read_account(path)
        account = Account(ADMINISTRATOR, secrets.token_urlsafe(24), secrets.token_hex(20), secrets.token_urlsafe(48))
        with whole_file(path) as part:
            part.touch(0o600, exist_ok=False)
            part.write_text(json.dumps(asdict(account)))
        return account


def _read_account(path: Path) -> Account:
    try:
        stored = json.loads(path.read_text())
        account = Account(**{field.name: str(stored[field.name]) for field in fields(Account)})
    except (OSError, ValueError, KeyError, TypeError):
        account = Account("", "", "", "")
    if not all(asdict(account).values()):
        raise ServiceFailure(
            f"{path} is not a Label Studio account (it was cut or edited); delete it, and the next start makes a "
            "new one for the same projects."
        )
    return account


def label_studio_service(
    home: Path,
    logs: Path,
    secrets_folder: Path,
    port: int,
    python: Path,
    database_uri: str | None = None,
    token_file: Path | None = None,
) -> Service:
    """The declaration: one process on the loopback address, its data under `home`.

    Args:
        python: of the environment that holds Label Studio.
        database_uri: postgresql://user:password@host:port/name, or sqlite:////path; by default SQLite under `home`.
        token_file: of the home whose proxy alone is answered; None: whoever signs in is.

    Raises:
        ServiceFailure: the database URI is neither.
    """
    server = Path(__file__).with_name("label_studio_server.py")
    command = (str(python), "-I", str(server), str(account_file(secrets_folder)), str(port))
    return Service(
        name=NAME,
        command=(*command, str(token_file)) if token_file else command,
        folder=home,
        log=logs / "label-studio.log",
        port=port,
        health_url=f"http://127.0.0.1:{port}/health",
        port_setting=PORT_SETTING,
        environment={
            **CONFIGURATION,
            **database_environment(database_uri, home),
            "LABEL_STUDIO_BASE_DATA_DIR": str(home / "data"),
            "LABEL_STUDIO_PORT": str(port),
            "XDG_CONFIG_HOME": str(home / "config"),  # an installation id is kept there, otherwise in the user's home
        },
        start_timeout_seconds=START_TIMEOUT_SECONDS,
    )


def database_environment(database_uri: str | None, home: Path) -> dict[str, str]:
    """Label Studio's own variables for a database.

    Raises:
        ServiceFailure: the URI is neither PostgreSQL's nor SQLite's; the sentence does not repeat its password.
    """
    uri = urlsplit(database_uri or f"sqlite:///{home / 'data' / 'label_studio.sqlite3'}")
    if uri.scheme == "sqlite" and not uri.netloc and uri.path.startswith("//"):
        return {"LABEL_STUDIO_DJANGO_DB": "sqlite", "LABEL_STUDIO_DATABASE_NAME": uri.path[1:]}
    options, name, port = dict(parse_qsl(uri.query)), uri.path.strip("/"), _port(uri)
    scheme = uri.scheme.partition("+")[0]  # a driver is SQLAlchemy's business; Label Studio brings its own
    if scheme in ("postgresql", "postgres") and uri.hostname and name and port and _taken(options):
        environment = {
            "LABEL_STUDIO_DJANGO_DB": "default",
            "LABEL_STUDIO_POSTGRE_HOST": uri.hostname,
            "LABEL_STUDIO_POSTGRE_PORT": str(port),
            "LABEL_STUDIO_POSTGRE_USER": unquote(uri.username or "postgres"),
            "LABEL_STUDIO_POSTGRE_PASSWORD": unquote(uri.password or ""),
            "LABEL_STUDIO_POSTGRE_NAME": unquote(name),
        }
        return environment | {LIBPQ[option]: value for option, value in options.items()}
    raise ServiceFailure(
        f"{DATABASE_SETTING} is no database Label Studio can use; give postgresql://user:password@host:port/name "
        "(with ?sslmode=… if wanted) or sqlite:////absolute/path, or leave it out for SQLite in the home folder."
    )


def _taken(options: Mapping[str, str]) -> bool:
    """Parameters that Label Studio's library reads, too; of libpq's options a schema alone."""
    return set(options) <= set(LIBPQ) and SCHEMA.fullmatch(options.get("options", "-csearch_path=a")) is not None


def _port(uri: SplitResult) -> int | None:
    try:
        return uri.port or POSTGRESQL_PORT
    except ValueError:  # not a number, or above 65535
        return None


def ensure_label_studio(
    home: Path,
    logs: Path,
    secrets_folder: Path,
    port: int,
    database_uri: str | None = None,
    environments: Path | None = None,
    progress: Progress = lambda line: None,
    token_file: Path | None = None,
) -> Running:
    """A healthy Label Studio; the one that is already ours, or a new one. Installs it first where it is missing.

    Args:
        environments: a folder of environments that several homes share; `home` by default.
        token_file: as `label_studio_service`.

    Raises:
        ServiceFailure: it could not be installed, the port is taken, or it did not start.
    """
    home.mkdir(parents=True, exist_ok=True)
    database_environment(database_uri, home)  # before minutes of installing
    ensure_account(secrets_folder)
    python = ensure_environment(
        environments or home / "environments", NAME, REQUIREMENTS, logs / "label-studio-install.log", progress
    )
    return ensure(label_studio_service(home, logs, secrets_folder, port, python, database_uri, token_file), progress)


def make_tables(
    home: Path, logs: Path, secrets_folder: Path, database_uri: str, environments: Path | None, progress: Progress
) -> None:
    """The tables of the installed Label Studio in an empty database: some 300 migrations, a minute.

    Raises:
        ServiceFailure: it could not be installed, or its migrations failed.
    """
    ensure_account(secrets_folder)
    log = logs / "label-studio-install.log"
    python = ensure_environment(environments or home / "environments", NAME, REQUIREMENTS, log, progress)
    service = label_studio_service(home, logs, secrets_folder, 0, python, database_uri)
    progress(f"{NAME}: making its tables")
    command, environment = service.command, {**os.environ, **service.environment}
    result = subprocess.run(command, capture_output=True, text=True, env=environment, check=False)
    if result.returncode != 0:
        lines = [line for line in result.stderr.splitlines() if line.strip()] or ["no message"]
        raise ServiceFailure(f"Label Studio's tables could not be made ({lines[-1].strip()[:300]}).")
