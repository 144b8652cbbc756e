"""A process that opens Dagster's databases again and again holds no more for it."""

import gc
from contextlib import ExitStack
from pathlib import Path

import alembic.util
import pytest

from orchestration.runtime.instance import open_instance
from orchestration.runtime.migration_folders import find_migrations_once
from orchestration.runtime.settings import Settings


def stacks_held(settings: Settings, times: int) -> int:
    """How many more exit stacks there are after opening the runs' database so many times."""
    gc.collect()
    before = sum(isinstance(thing, ExitStack) for thing in gc.get_objects())
    for _ in range(times):
        with open_instance(settings) as instance:
            instance.get_runs(limit=1)
    gc.collect()
    return sum(isinstance(thing, ExitStack) for thing in gc.get_objects()) - before


def test_opening_an_instance_leaves_nothing_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(alembic.util, "coerce_resource_to_filename", _uncached())
    settings = Settings(home=tmp_path)
    stacks_held(settings, 1)  # makes the databases
    assert stacks_held(settings, 8) >= 8, "alembic holds nothing any more: find_migrations_once can go"
    find_migrations_once()
    assert stacks_held(settings, 8) < 4  # of instances that are still open


def _uncached() -> object:
    finder = alembic.util.coerce_resource_to_filename
    return getattr(finder, "__wrapped__", finder)
