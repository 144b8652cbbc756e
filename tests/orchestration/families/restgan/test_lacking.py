"""Whether a catalogue can train ReStGAN is asked of its tables as they are: a schedule's evaluation writes nothing."""

from pathlib import Path

import pytest

from catalog import garments
from orchestration.families.restgan.declaration import lacks_bottoms
from tests.orchestration.report.small_home import SmallHome


def test_a_catalogue_that_lacks_bottoms_is_told_and_nothing_is_frozen(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    home = SmallHome(tmp_path)
    home.read_drop()
    before = sorted(home.settings.home.rglob("*"))
    lacking = lacks_bottoms(home.instance, home.settings, home.tables)
    assert lacking.startswith("the catalogue holds 4 bottoms with a picture and a group, and at least ")
    monkeypatch.setattr(garments, "choose_bottoms", lambda products, images, splits: None)
    assert lacks_bottoms(home.instance, home.settings, home.tables) == ""
    assert sorted(home.settings.home.rglob("*")) == before
