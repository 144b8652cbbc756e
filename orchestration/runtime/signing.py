"""Signing what a home's own code wrote: with a key that no service of the home knows.

Belongs here: the key, signatures over a few texts. Not here: what is signed and who checks it (graph/evidence.py).

Dagster's event log says which evidence is the right one, and whoever reaches the log may write into it. The key lies in
a file that only the owner reads; several machines that share tables and Dagster are given one as a setting.
"""

import hashlib
import hmac
import json
from collections.abc import Sequence

from infra.secret_file import ensure_secret
from orchestration.runtime.settings import Settings

KEY_FILE = "evidence-key"


def signature(settings: Settings, texts: Sequence[str]) -> str:
    """HMAC-SHA256 of the texts in their order, with the home's key: 64 hex digits."""
    content = json.dumps(list(texts), ensure_ascii=True).encode()  # no two lists of texts give the same bytes
    return hmac.new(_key(settings).encode(), content, hashlib.sha256).hexdigest()


def is_signed(settings: Settings, texts: Sequence[str], given: str) -> bool:
    """Was this signature made with the home's key over these texts?"""
    return hmac.compare_digest(signature(settings, texts).encode(), given.strip().encode())


def _key(settings: Settings) -> str:
    if settings.evidence_key is not None:
        return settings.evidence_key.get_secret_value()
    return ensure_secret(settings.secrets / KEY_FILE)
