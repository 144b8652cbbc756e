"""The address of a database as a person, a file or a log may read it.

Belongs here: leaving out what is secret. Not here: what an address must look like (orchestration/runtime/addresses.py).
"""

import re

SECRET_PARAMETER = re.compile(r"pass|secret|token|key", re.IGNORECASE)

UNREADABLE = "an address that SQLAlchemy cannot read (in a password @ is written %40)"


def without_password(uri: str) -> str:
    """The address with `***` for its password, and without the parameters that are secret.

    It is taken apart by SQLAlchemy, as where it is used: a password may hold `/`.
    """
    from sqlalchemy.engine import make_url
    from sqlalchemy.exc import ArgumentError

    try:
        url = make_url(uri)
    except (ArgumentError, ValueError):  # the second: a port that is no number
        return UNREADABLE
    if "@" in (url.host or ""):  # of a password in which it should have been %40: the rest of it
        return UNREADABLE
    hidden = [name for name in url.query if SECRET_PARAMETER.search(name)]
    return url.difference_update_query(hidden).render_as_string(hide_password=True)
