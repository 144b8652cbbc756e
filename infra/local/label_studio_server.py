"""Label Studio's process: what runs inside its own virtual environment.

Belongs here: database, administrator, serving. Not here: making the environment (environments.py) and starting this
(label_studio.py). It is a script, never imported: nothing of Selvedge can be imported where it runs.

    python -I label_studio_server.py ACCOUNT_FILE PORT [TOKEN_FILE]

With 0 for the port it makes the tables and ends.

With the file of the home's token it answers the home's proxy alone: an account that only the proxy knows how to hold
back would otherwise reach everything at this port, which any program of the machine can find.

Why not the `label-studio` command: it takes another port when its own is taken, wants the password on the command line
or in the environment, leaves a stored token as it is when the account exists, and serves with Django's development
server.
"""

import hashlib
import hmac
import importlib.util
import json
import os
import signal
import sqlite3
import sys
from collections.abc import Callable, Iterable
from contextlib import closing
from pathlib import Path
from typing import Any

THREADS = 8
SQLITE_WAIT_SECONDS = 20
# The empty database of the installed version, beside its packages: homes that share an environment are spared the
# migrations, a minute each. It is kept before the administrator is made and holds no secret.
HEALTH = ("/health", "/health/")
PREPARED_DATABASE = Path(sys.prefix) / "prepared.sqlite3"


def main(arguments: list[str]) -> None:
    account, port = json.loads(Path(arguments[0]).read_text()), int(arguments[1])
    package = importlib.util.find_spec("label_studio")
    if package is None or package.origin is None:
        raise SystemExit("label-studio is not installed in this environment")
    sys.path.insert(0, str(Path(package.origin).parent))
    hide_repository(Path(package.origin).parent)
    os.environ["SECRET_KEY"] = account["secret_key"]
    os.environ["DJANGO_SETTINGS_MODULE"] = "label_studio.core.settings.label_studio"

    from django.core.wsgi import get_wsgi_application

    application = get_wsgi_application()
    tune_sqlite()
    migrate()
    if port == 0:
        return
    keep_administrator(account)

    from django.db import connections

    connections.close_all()  # this thread asks nothing more; left open, it would keep the write-ahead log from ending

    from waitress import serve

    # In order: a ballot that is being written is written before the process ends.
    signal.signal(signal.SIGTERM, lambda number, frame: sys.exit(0))
    print(f"serving on 127.0.0.1:{port}", flush=True)
    served = BehindTheProxy(application, Path(arguments[2])) if len(arguments) > 2 else application
    serve(served, host="127.0.0.1", port=port, threads=THREADS, ident=None, channel_timeout=60)


def hide_repository(package: Path) -> None:
    """Label Studio shows every annotator the last commit message of the git repository it lies in, which is the shop's
    when its environment lies there, and keeps it in a file that it reads where there is no repository.
    """
    os.environ["GIT_DIR"] = os.devnull
    (package / "core" / "version_.py").unlink(missing_ok=True)


class BehindTheProxy:
    """A WSGI application that answers its proxy alone; anybody may ask whether it lives.

    Args:
        token_file: holds the home's token, of which the proxy computes what it says (infra/proxy/door.py).
    """

    def __init__(self, application: Callable[..., Iterable[bytes]], token_file: Path) -> None:
        self._application, self._token_file = application, token_file

    def __call__(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        alive = environ["REQUEST_METHOD"] == "GET" and environ.get("PATH_INFO") in HEALTH
        if alive or hmac.compare_digest(environ.get("HTTP_SELVEDGE_INNER", "").encode(), self._secret().encode()):
            return self._application(environ, start_response)
        sentence = b"Label Studio is reached by the link that `selvedge up` prints.\n"
        headers = [("Content-Type", "text/plain; charset=utf-8"), ("Content-Length", str(len(sentence)))]
        start_response("403 Forbidden", headers)
        return [sentence]

    def _secret(self) -> str:
        try:
            token = self._token_file.read_text(encoding="ascii").strip()
        except (OSError, ValueError):
            token = ""
        # Without a token nobody is the proxy: a secret of this moment equals nothing.
        key = token.encode() or os.urandom(32)
        return hmac.new(key, b"the service behind the proxy", hashlib.sha256).hexdigest()


def tune_sqlite() -> None:
    """Readers beside a writer, and a writer that waits its turn instead of failing."""
    from django.db import connections

    options = connections.settings["default"]
    if options["ENGINE"].endswith("sqlite3"):
        options.setdefault("OPTIONS", {}).update(
            timeout=SQLITE_WAIT_SECONDS, transaction_mode="IMMEDIATE", init_command="PRAGMA journal_mode=WAL;"
        )


def migrate() -> None:
    """Bring the database to the installed version; a migration that was killed is done again."""
    from django.core.management import call_command
    from django.db import connection
    from django.db.migrations.executor import MigrationExecutor

    file = Path(connection.settings_dict["NAME"]) if connection.vendor == "sqlite" else None
    empty = not connection.introspection.table_names()  # starting Django has made the file
    if file is not None and empty and PREPARED_DATABASE.exists():
        connection.close()
        copy_database(PREPARED_DATABASE, file)
    connection.prepare_database()
    executor = MigrationExecutor(connection)
    if executor.migration_plan(executor.loader.graph.leaf_nodes()):
        print("preparing the database", flush=True)
        call_command("migrate", "--no-color", verbosity=0)
        if file is not None and empty:
            connection.close()
            copy_database(file, PREPARED_DATABASE)


def copy_database(source: Path, copy: Path) -> None:
    """SQLite's own copy, moved to its place when it is whole; homes that share an environment may do so at once."""
    part = copy.with_name(f".{copy.name}.{os.getpid()}.part")
    try:
        with closing(sqlite3.connect(source)) as reader, closing(sqlite3.connect(part)) as writer:
            reader.backup(writer)
        part.replace(copy)
    finally:
        part.unlink(missing_ok=True)


def keep_administrator(account: dict[str, Any]) -> None:
    """The administrator has the password and the token of the account file, also when the file is newer."""
    from django.db import transaction
    from organizations.models import Organization  # type: ignore[import-not-found, unused-ignore]
    from rest_framework.authtoken.models import Token  # type: ignore[import-not-found, unused-ignore]
    from users.models import User  # type: ignore[import-not-found, unused-ignore]

    with transaction.atomic():
        user = User.objects.filter(email=account["email"]).first()
        if user is None:
            user = User.objects.create_user(email=account["email"], password=account["password"])
        elif not user.check_password(account["password"]):
            user.set_password(account["password"])
        user.is_staff = user.is_superuser = True
        user.save()
        organization = Organization.objects.first()
        if organization is None:
            organization = Organization.create_organization(created_by=user, title="Selvedge")
        elif not organization.has_user(user):
            organization.add_user(user)
        user.active_organization = organization
        user.save(update_fields=["active_organization"])
        organization.jwt.api_tokens_enabled = True
        organization.jwt.legacy_api_tokens_enabled = True
        organization.jwt.save()
        if not Token.objects.filter(user=user, key=account["token"]).exists():
            Token.objects.filter(user=user).delete()
            Token.objects.create(user=user, key=account["token"])


if __name__ == "__main__":
    main(sys.argv[1:])
