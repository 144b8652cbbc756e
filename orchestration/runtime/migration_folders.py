"""Where Dagster's migrations are: found once a process, not once for every database that is opened.

Belongs here: the cache. Not here: migrations, and who opens databases.

alembic looks the folder up anew each time and holds what it looked up until the process ends
(`coerce_resource_to_filename` registers with `atexit`). Dagster opens its databases for every tick of a sensor, so a
code server grew by 12 MB an hour, for good.
"""

from functools import cache


def find_migrations_once() -> None:
    """From now on alembic answers with the folder that it found for the same name."""
    import alembic.util

    finder = alembic.util.coerce_resource_to_filename
    if not hasattr(finder, "cache_info"):
        alembic.util.coerce_resource_to_filename = cache(finder)
