"""The Label Studio of this home: the local one or the team's, and whose token speaks to it.

Belongs here: finding address and token, storing a token, annotators' accounts and their password files. Not here:
starting a server (services.py), what is asked of it (labeling/review/label_studio/).

Tokens and passwords go into files that only their owner reads, and nowhere else: no log, no result, no ledger.
"""

import hashlib
import json
import re
import secrets
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from catalog.errors import SelvedgeError, ServiceUnavailable
from catalog.files import publish_text
from orchestration.runtime.settings import LOCAL, Settings

if TYPE_CHECKING:
    from labeling.review.label_studio import LabelStudio
    from labeling.review.label_studio.accounts import Credentials

PATIENCE_SECONDS = 20.0  # of a command: a server that restarts is waited for, one that is down is reported soon


def connect(settings: Settings, patience_seconds: float = PATIENCE_SECONDS) -> "LabelStudio":
    """Label Studio as the administrator (local) or as the owner of the token (a team's), proved to answer.

    Raises:
        ServiceUnavailable: it is off, or does not answer.
        SelvedgeError: there is no token, or it is refused.
    """
    from labeling.review.label_studio import LabelStudio

    uri = settings.label_studio_uri
    if uri is None:
        raise SelvedgeError(
            "Label Studio is off; unset SELVEDGE_LABEL_STUDIO for the local one, or set it to your team's address."
        )
    if settings.label_studio == LOCAL and not _account_file(settings).exists():
        raise ServiceUnavailable(f"Label Studio at 127.0.0.1:{settings.label_studio_port} was never started; {START}.")
    server = LabelStudio(uri, _token(settings), patience_seconds)
    try:
        server.ping()
    except ServiceUnavailable as error:
        if settings.label_studio != LOCAL:
            raise
        raise ServiceUnavailable(
            f"Label Studio at 127.0.0.1:{settings.label_studio_port} does not answer; {START}."
        ) from error
    return server


LOOPBACK = "http://127.0.0.1:"  # of the local server, before its port
START = "start it with `selvedge up`, and run again"


def store_token(settings: Settings, token: str) -> str:
    """Keep the token of a team's server, once it is proved; the e-mail of its owner.

    Raises:
        SelvedgeError: Label Studio is local or off, or the token is refused. ServiceUnavailable: it does not answer.
    """
    from labeling.review.label_studio import LabelStudio

    uri = settings.label_studio_uri
    if settings.label_studio == LOCAL or uri is None:
        raise SelvedgeError(
            "only a team's Label Studio wants a token; set SELVEDGE_LABEL_STUDIO to its address, and run again."
        )
    owner = LabelStudio(uri, token, PATIENCE_SECONDS).ping()
    publish_text(token.strip() + "\n", _token_file(settings), private=True)
    return owner.email


def add_annotator(settings: Settings, email: str, unlisted: bool = False) -> tuple["Credentials", Path]:
    """A new account, and the file its password is in.

    The password is stored before the account is made: were it the other way round, a kill in between would leave an
    account that nobody can sign in to.

    Args:
        unlisted: the ledger does not know the account. One that an earlier call made, and was killed before it was
            listed, is then given again.

    Raises:
        SelvedgeError: the e-mail has an account already, or is none. ServiceUnavailable: no Label Studio.
    """
    from labeling.review.label_studio.accounts import AnnotatorExists

    server = connect(settings)
    stored = _stored_password(settings, email) is not None
    password_file, password = _password(settings, email)
    try:
        made = server.create_annotator(email, password)
    except AnnotatorExists:
        if stored and unlisted:
            return server.sign_in(email, password), password_file
        if not stored:
            password_file.unlink(missing_ok=True)
        raise
    except SelvedgeError as error:
        if not stored and not isinstance(error, ServiceUnavailable):
            password_file.unlink(missing_ok=True)  # no account has this password, though one may have this e-mail
        raise
    return made, password_file


def account_of(settings: Settings, server: "LabelStudio", email: str) -> "LabelStudio":
    """Label Studio as this annotator, whose account is made when there is none; for annotators that are programs."""
    from labeling.review.label_studio import LabelStudio
    from labeling.review.label_studio.accounts import AnnotatorExists

    _, password = _password(settings, email)
    try:
        account = server.create_annotator(email, password)
    except AnnotatorExists:
        account = server.sign_in(email, password)
    return LabelStudio(server.url, account.token)


def _token(settings: Settings) -> str:
    if settings.label_studio == LOCAL:
        from infra.local.label_studio import ensure_account
        from orchestration.runtime.services import in_our_words

        with in_our_words():
            return ensure_account(settings.secrets).token
    if settings.label_studio_token is not None:
        return settings.label_studio_token.get_secret_value()
    named, stored = settings.label_studio_token_file, _token_file(settings)
    path = named or stored
    try:
        return path.read_text(encoding="utf-8").strip()
    except (OSError, ValueError) as error:
        what = f"SELVEDGE_LABEL_STUDIO_TOKEN_FILE names {path}, which cannot be read" if named else "no token is stored"
        raise SelvedgeError(
            f"{what}; run `selvedge review login`, or set SELVEDGE_LABEL_STUDIO_TOKEN or "
            "SELVEDGE_LABEL_STUDIO_TOKEN_FILE."
        ) from error


def _account_file(settings: Settings) -> Path:
    from infra.local.label_studio import account_file

    return account_file(settings.secrets)


def _token_file(settings: Settings) -> Path:
    return settings.secrets / "label-studio-token"


def annotators_made_here(settings: Settings) -> list[str]:
    """The e-mails of the annotators whose password files this home holds: `add_annotator` made their accounts."""
    files = sorted((settings.secrets / "annotators").glob("*.json"))
    return [email for email in (str(_read_password(path).get("email", "")) for path in files) if email]


def _password_file(settings: Settings, email: str) -> Path:
    """Its name is the e-mail's; where that cannot be a file's, a hash tells two that look alike apart."""
    email = email.strip().lower()
    name = re.sub(r"[^a-z0-9@._+-]", "_", email)[:120]
    if name != email:
        older = settings.secrets / "annotators" / f"{name}.json"
        if _read_password(older).get("email") == email:
            return older
        name = f"{name[:100]}-{hashlib.sha256(email.encode()).hexdigest()[:12]}"
    return settings.secrets / "annotators" / f"{name}.json"


def _stored_password(settings: Settings, email: str) -> str | None:
    """What an earlier call stored for this annotator of this server."""
    stored = _read_password(_password_file(settings, email))
    same = _same_server(settings, stored.get("server")) and stored.get("email") == email.strip().lower()
    return str(stored["password"]) if same and "password" in stored else None


def _same_server(settings: Settings, recorded: Any) -> bool:
    """Whether a password is of the present server: the local one stays the same at another port."""
    if settings.label_studio == LOCAL:
        return isinstance(recorded, str) and recorded.startswith(LOOPBACK)
    return bool(recorded == settings.label_studio_uri)


def _read_password(path: Path) -> Mapping[str, Any]:
    """What a password file holds; nothing where there is none, or it was cut."""
    try:
        content = json.loads(path.read_text())
    except (OSError, ValueError):
        return {}
    return content if isinstance(content, Mapping) else {}


def _password(settings: Settings, email: str) -> tuple[Path, str]:
    """The file of an annotator's password, and the password: what is stored, else a new one."""
    path, stored = _password_file(settings, email), _stored_password(settings, email)
    if stored is not None:
        return path, stored
    password = secrets.token_urlsafe(12)
    content = {"server": settings.label_studio_uri, "email": email.strip().lower(), "password": password}
    publish_text(json.dumps(content, indent=1) + "\n", path, private=True)
    return path, password
