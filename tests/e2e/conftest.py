"""Fixtures of the tests that start real services."""

from collections.abc import Iterator

import pytest

from infra.local.environments import NotInstalled
from tests.e2e.label_studio_home import LabelStudioHome
from tests.ports import free_port


@pytest.fixture(scope="session")
def label_studio(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LabelStudioHome]:
    """A running Label Studio. Tests that use it belong to the xdist group `label-studio`, so that it starts once."""
    home = LabelStudioHome(tmp_path_factory.mktemp("label-studio"), free_port())
    try:
        home.start()
    except NotInstalled as reason:
        pytest.skip(str(reason))
    yield home
    home.stop()
