"""The demo's drops: faults in the first one, none in a catalogue of one's own, and an older home keeps what it has."""

import pytest

from orchestration.jobs.demo import deliveries
from orchestration.runtime.settings import Settings


@pytest.fixture
def settings(tmp_path):
    return Settings(home=tmp_path / "home", demo_products=50, demo_new_products=12)


@pytest.fixture(autouse=True)
def drawn(monkeypatch):
    """(first id, with faults) of every drop that was drawn; the drawing itself has its own tests."""
    drops = []

    def draw(folder, products, seed, *, first_id, faults, progress):
        drops.append((first_id, faults))

    monkeypatch.setattr("catalog.drawn.draw_catalogue", draw)
    return drops


def test_faults_are_planted_in_the_first_drop_alone_and_drawn_once(settings, drawn):
    first, second = deliveries(settings, None, None, None)
    assert first.source.name.endswith("-50-faults") and second.source.name.endswith("-12")
    assert deliveries(settings, None, None, None) == deliveries(settings, None, True, None) == [first, second]
    assert drawn == [(10001, True), (60001, False)]


def test_they_are_left_out_when_asked_and_in_a_home_that_has_its_drop_without_them(settings, drawn):
    plain = deliveries(settings, None, False, None)
    assert plain[0].source.name.endswith("-50")
    assert deliveries(settings, None, None, None) == plain
    assert drawn == [(10001, False), (60001, False)]


def test_nothing_is_planted_in_a_catalogue_of_ones_own(settings, drawn, tmp_path):
    (tmp_path / "styles.csv").write_text("id\n")
    assert [drop.source for drop in deliveries(settings, tmp_path, None, None)] == [tmp_path]
    assert drawn == [] and [path.name for path in tmp_path.iterdir()] == ["styles.csv"]
