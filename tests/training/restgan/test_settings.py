"""Settings of ReStGAN: ranges, YAML, and what a checkpoint must agree with."""

from dataclasses import replace

import pytest

from catalog.errors import SelvedgeError
from training.restgan.settings import FREE, VARIANTS, RestganSettings
from training.settings import settings_of_file


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"variant": "attngan"}, "restgan.variant is 'attngan'; use one of"),
        ({"size": 48}, "restgan.size is 48"),
        ({"stages": 3}, "restgan.stages is 3"),
        ({"batch_size": 0}, "restgan.batch_size is 0; it must be above 0"),
        ({"generator_rate": float("nan")}, "restgan.generator_rate is nan"),
        ({"divergence": -1.0}, "restgan.divergence is -1.0; it must not be below 0"),
        ({"cutout": 1.5}, "restgan.cutout is 1.5; it must lie between 0 and 1"),
        ({"precision": "fp8"}, "restgan.precision is 'fp8'"),
        ({"generator_width": 12}, "restgan.generator_width is 12; use a multiple of 8"),
    ],
)
def test_a_value_out_of_range_is_refused_in_one_sentence(change, sentence):
    with pytest.raises(SelvedgeError, match=sentence):
        RestganSettings(**change)


def test_settings_come_from_yaml_and_unknown_keys_are_named(tmp_path):
    file = tmp_path / "restgan.yaml"
    file.write_text("variant: restgan-bag\nimages: 2000\ngenerator_rate: 3e-4\nr1_gamma: null\n")
    assert settings_of_file(RestganSettings, file) == RestganSettings(
        variant="restgan-bag", images=2000, generator_rate=3e-4
    )
    file.write_text("varient: restgan\n")
    with pytest.raises(SelvedgeError, match="setting 'varient' is unknown"):
        settings_of_file(RestganSettings, file)
    file.write_text("variant: other\n")
    with pytest.raises(SelvedgeError, match="setting 'variant' is 'other'; use one of"):
        settings_of_file(RestganSettings, file)


def test_each_rung_of_the_ladder_adds_or_removes_one_thing():
    full = VARIANTS["restgan"]
    assert VARIANTS["restgan-bag"] == replace(full, recurrent=False)
    assert VARIANTS["restgan-no-table"] == replace(full, colour_table=False)
    assert VARIANTS["stackgan-aux"] == replace(VARIANTS["stackgan"], auxiliary=True)
    assert not any(vars(VARIANTS["stackgan"]).values()) and all(vars(full).values())


def test_how_long_and_how_fast_is_no_part_of_what_a_run_is():
    settings = RestganSettings()
    assert replace(settings, images=5, threads=1, checkpoint_every=3).fixed() == settings.fixed()
    assert replace(settings, seed=1).fixed() != settings.fixed()
    assert set(FREE) < set(settings.to_dict())
    assert replace(settings, images=100, batch_size=32).steps == 4
    assert replace(settings, size=64, stages=2).sides == (64, 128)
