"""What Label Studio is started with: an account only its owner reads, a database, and nothing of the caller's shell."""

import importlib.util
import json
import re
import stat
import threading
from pathlib import Path

import pytest

from infra.errors import ServiceFailure
from infra.local import label_studio
from infra.local.label_studio import (
    REQUIREMENTS,
    account_file,
    database_environment,
    ensure_account,
    label_studio_service,
)
from infra.proxy.door import ensure_token, inner_secret

SERVER = Path(label_studio.__file__).with_name("label_studio_server.py")


def test_an_account_is_made_once_and_only_its_owner_reads_it(tmp_path):
    made = []
    threads = [threading.Thread(target=lambda: made.append(ensure_account(tmp_path / "secrets"))) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(made) == 4 and len(set(made)) == 1
    account = made[0]
    path = account_file(tmp_path / "secrets")
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert account.password not in repr(account) and account.token not in repr(account)
    assert re.fullmatch("[0-9a-f]{40}", account.token)
    assert ensure_account(tmp_path / "another") != account
    path.chmod(0o644)
    assert ensure_account(tmp_path / "secrets") == account and stat.S_IMODE(path.stat().st_mode) == 0o600
    assert [file.name for file in path.parent.iterdir() if file.name.endswith(".part")] == []


@pytest.mark.parametrize("content", ["", "{", "[]", '{"email": "a@b.example"}', '{"email": "", "password": 1}'])
def test_an_account_that_was_cut_is_one_sentence(tmp_path, content):
    account_file(tmp_path).write_text(content)
    with pytest.raises(ServiceFailure, match=r"label-studio\.json is not a Label Studio account .* delete it"):
        ensure_account(tmp_path)


def test_the_database_is_sqlite_in_the_home_or_what_a_uri_says():
    home = Path("/data/label-studio")
    assert database_environment(None, home) == {
        "LABEL_STUDIO_DJANGO_DB": "sqlite",
        "LABEL_STUDIO_DATABASE_NAME": "/data/label-studio/data/label_studio.sqlite3",
    }
    assert database_environment("sqlite:////elsewhere/ls.db", home)["LABEL_STUDIO_DATABASE_NAME"] == "/elsewhere/ls.db"
    assert database_environment("postgresql+psycopg://ann:p%40ss@db.example:6432/reviews?sslmode=require", home) == {
        "LABEL_STUDIO_DJANGO_DB": "default",
        "LABEL_STUDIO_POSTGRE_HOST": "db.example",
        "LABEL_STUDIO_POSTGRE_PORT": "6432",
        "LABEL_STUDIO_POSTGRE_USER": "ann",
        "LABEL_STUDIO_POSTGRE_PASSWORD": "p@ss",
        "LABEL_STUDIO_POSTGRE_NAME": "reviews",
        "PGSSLMODE": "require",
    }


@pytest.mark.parametrize(
    "uri",
    [
        "mysql://ann:hush@db/reviews",
        "postgresql://ann:hush@db",
        "postgresql://ann:hush@db:port/reviews",
        "postgresql://ann:hush@db/reviews?options=hush",
        "sqlite:///relative.db",
        "hush",
    ],
)
def test_another_database_is_one_sentence_without_its_password(uri):
    with pytest.raises(ServiceFailure, match="SELVEDGE_LABEL_STUDIO_DATABASE is no database") as refusal:
        database_environment(uri, Path("/home"))
    assert "hush" not in str(refusal.value)


def test_what_the_callers_shell_holds_decides_nothing(tmp_path):
    account = ensure_account(tmp_path / "secrets")
    service = label_studio_service(tmp_path, tmp_path, tmp_path / "secrets", 8080, Path("/venv/bin/python"))
    environment = service.environment
    for name in ("HOST", "PORT", "DEBUG", "CI", "DJANGO_DB", "DATABASE_NAME", "SENTRY_DSN", "LOG_LEVEL"):
        assert f"LABEL_STUDIO_{name}" in environment
    assert environment["LABEL_STUDIO_DISABLE_SIGNUP_WITHOUT_LINK"] == "true"
    assert environment["LABEL_STUDIO_COLLECT_ANALYTICS"] == "false"
    visible = json.dumps([service.command, dict(environment)])
    assert account.password not in visible and account.token not in visible and account.secret_key not in visible


def test_behind_its_proxy_it_answers_nobody_else(tmp_path):
    """The server's process has an environment of its own: what the proxy says is computed there by its own lines."""
    specification = importlib.util.spec_from_file_location("server", SERVER)
    server = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(server)
    secret, token_file = inner_secret(ensure_token(tmp_path)), tmp_path / "token"
    guarded = server.BehindTheProxy(lambda environ, start: start("200 OK", []) or [b"in"], token_file)

    def asked(method, path, given):
        began = []
        environ = {"REQUEST_METHOD": method, "PATH_INFO": path, **({"HTTP_SELVEDGE_INNER": given} if given else {})}
        body = b"".join(guarded(environ, lambda status, headers: began.append(status)))
        assert (body == b"in") == (began == ["200 OK"])
        return began[0]

    assert asked("POST", "/user/signup/", secret) == asked("GET", "/health", "") == "200 OK"
    for given in ("", "guessed", token_file.read_text().strip(), inner_secret("")):
        for method, path in (("GET", "/user/login/"), ("POST", "/user/signup/"), ("POST", "/health")):
            assert asked(method, path, given) == "403 Forbidden"
    token_file.unlink()
    assert asked("GET", "/api/users", secret) == asked("GET", "/api/users", inner_secret("")) == "403 Forbidden"
    service = label_studio_service(tmp_path, tmp_path, tmp_path, 8080, Path("/venv/python"), None, token_file)
    assert service.command[-1] == str(token_file)


def test_every_package_is_pinned():
    lines = [line for line in REQUIREMENTS.read_text().splitlines() if line and not line.startswith("#")]
    assert len(lines) > 100 and all(re.fullmatch(r"[A-Za-z0-9._-]+==[A-Za-z0-9.+]+", line) for line in lines)
    assert {"label-studio==1.23.2"} < set(lines)
