"""Settings from YAML: unknown keys and wrong types are refused by name."""

from dataclasses import replace
from pathlib import Path

import pytest

from catalog.errors import SelvedgeError
from training.blip2.settings import Blip2CandidateSettings, LoraSettings
from training.settings import load_settings, settings_from


def test_yaml_becomes_settings(tmp_path: Path):
    file = tmp_path / "blip2.yaml"
    file.write_text(
        "base: tiny\nrisk: 0.2\nlora:\n  steps: 7\n  learning_rate: 2e-3\n  targets: [q, v, wo]\n  threads: null\n"
    )
    read = load_settings(Blip2CandidateSettings, file)
    assert read == Blip2CandidateSettings(
        base="tiny", risk=0.2, lora=LoraSettings(steps=7, learning_rate=2e-3, targets=("q", "v", "wo"))
    )
    file.write_text("")
    assert load_settings(Blip2CandidateSettings, file) == Blip2CandidateSettings()


def test_what_a_nested_mapping_leaves_out_keeps_the_default_of_the_whole():
    """Not the nested dataclass's own: a family may choose other defaults for its parts."""
    from training.restgan.candidate import RestganCandidateSettings as Restgan

    whole = Restgan()
    read = settings_from(Restgan, {"restgan": {"images": 96}}, "restgan.yaml")
    assert read.restgan == replace(whole.restgan, images=96) and read.restgan.stages == whole.restgan.stages == 2


@pytest.mark.parametrize(
    ("values", "sentence"),
    [
        ({"lora": {"step": 3}}, "setting 'step' is unknown; known are"),
        ({"lora": {"steps": "many"}}, "'steps' is 'many'; give a value of type int"),
        ({"lora": {"steps": True}}, "'steps' is True"),
        ({"lora": {"steps": 0}}, "lora.steps is 0; it must be above 0"),
        ({"lora": {"targets": "q"}}, "'targets' is 'q'; give a list"),
        ({"lora": {"precision": "fp16"}}, "'precision' is 'fp16'; use one of"),
        ({"lora": {"learning_rate": "fast"}}, "'learning_rate' is 'fast'; give a number"),
        ({"lora": 3}, "'lora' must be a mapping"),
        ({"decoding": "beam"}, "'decoding' is 'beam'; use one of"),
        ({"continuation": {"steps": -1}}, "continuation.steps is -1"),
    ],
)
def test_wrong_settings_are_named(values, sentence):
    with pytest.raises(SelvedgeError, match=sentence):
        settings_from(Blip2CandidateSettings, values, "blip2.yaml")


def test_unreadable_files_are_named(tmp_path: Path):
    with pytest.raises(SelvedgeError, match=r"absent\.yaml cannot be read"):
        load_settings(Blip2CandidateSettings, tmp_path / "absent.yaml")
    file = tmp_path / "list.yaml"
    file.write_text("- 1\n")
    with pytest.raises(SelvedgeError, match="is not a mapping"):
        load_settings(Blip2CandidateSettings, file)
