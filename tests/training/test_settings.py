"""Settings from YAML: unknown keys and wrong types are refused by name."""

from dataclasses import asdict, fields, is_dataclass, replace
from pathlib import Path

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from catalog.errors import SelvedgeError
from orchestration.families import FAMILIES
from training.blip2.settings import Blip2CandidateSettings, LoraSettings
from training.settings import (
    as_yaml,
    declared_ranges,
    hold_to_ranges,
    refuse_absent_devices,
    settings_from,
    settings_of_file,
)


def test_yaml_becomes_settings(tmp_path: Path):
    file = tmp_path / "blip2.yaml"
    file.write_text(
        "base: tiny\nrisk: 0.2\nlora:\n  steps: 7\n  learning_rate: 2e-3\n  targets: [q, v, wo]\n  threads: null\n"
    )
    read = settings_of_file(Blip2CandidateSettings, file)
    assert read == Blip2CandidateSettings(
        base="tiny", risk=0.2, lora=LoraSettings(steps=7, learning_rate=2e-3, targets=("q", "v", "wo"))
    )
    file.write_text("")
    assert settings_of_file(Blip2CandidateSettings, file) == Blip2CandidateSettings()


def test_what_a_nested_mapping_leaves_out_keeps_the_default_of_the_whole():
    """Not the nested dataclass's own: a family may choose other defaults for its parts."""
    from training.restgan.candidate import RestganCandidateSettings as Restgan

    whole = Restgan()
    read = settings_from(Restgan, {"restgan": {"images": 96}}, "restgan.yaml")
    assert read.restgan == replace(whole.restgan, images=96) and read.restgan.stages == whole.restgan.stages == 2


def test_a_candidate_that_was_opened_before_a_setting_was_renamed_is_trained_with_it():
    assert settings_from(Blip2CandidateSettings, {"continue_on_coarse": True}, "an opening").continue_base is True
    assert "RENAMED" not in asdict(Blip2CandidateSettings())


@pytest.mark.parametrize(
    ("values", "sentence"),
    [
        ({"lora": {"step": 3}}, "setting 'step' is unknown; did you mean 'steps'"),
        ({"lora": {"steps": "many"}}, "'steps' is 'many'; give a value of type int"),
        ({"lora": {"steps": True}}, "'steps' is True"),
        ({"lora": {"steps": 0}}, "lora.steps is 0; it must be above 0"),
        ({"lora": {"targets": "q"}}, "'targets' is 'q'; give a list"),
        ({"lora": {"precision": "fp16"}}, "'precision' is 'fp16'; use one of"),
        ({"lora": {"learning_rate": "fast"}}, "'learning_rate' is 'fast'; give a number"),
        ({"lora": 3}, "'lora' must be a mapping"),
        ({"decoding": "beam"}, "'decoding' is 'beam'; use one of"),
        ({"continuation": {"steps": -1}}, "continuation.steps is -1"),
        ({"lora": {"seed": -1}}, "^blip2.yaml: setting lora.seed is -1; it must not be below 0"),
        ({"risk": 5}, "^blip2.yaml: setting risk is 5.0; it must lie between 0 and 1"),
        ({"lora": {"targets": []}}, "'targets' is a list of 0; give a list of at least one value"),
        ({"lora": {"seed": 10**30}}, "'seed' is too large a number"),
        ({"lora": {"targets": ["q_proj", "v_proj"]}}, "'targets' is 'q_proj'; use one of"),
        ({"lora": {"targets": []}}, "give a list"),
        ({"lora": {"learning_rate": float("nan")}}, "'learning_rate' is nan; give a finite number"),
        ({"lora": {"threads": -2}}, "lora.threads is -2; it must lie between 1 and 1024"),
        ({"lora": {"dropout": 1.0}}, "lora.dropout is 1.0"),
        ({"continuation": {"image_rate": -1.0}}, "continuation.image_rate is -1.0"),
        ({"risk": 5}, "setting risk is 5.0; it must lie between 0 and 1"),
        ({"risk": 0}, "setting risk is 0.0"),
        ({"merge_tolerance": float("inf")}, "give a finite number"),
        ({"base": "tiny\0"}, "printable characters"),
        ({"base": 3}, "give a value of type str"),
        ({"decoding": ["auto"]}, "'decoding' is a list of 1; use one of"),
        ({"zzz": 1}, "is unknown; known are"),
    ],
)
def test_wrong_settings_are_named(values, sentence):
    with pytest.raises(SelvedgeError, match=sentence):
        settings_from(Blip2CandidateSettings, values, "blip2.yaml")


@pytest.mark.parametrize(
    ("values", "sentence"),
    [
        ({"restgan": {"device": "gpu"}}, "restgan.device is 'gpu'; use auto, cpu, cuda"),
        ({"restgan": {"threads": -1}}, "restgan.threads is -1"),
        ({"restgan": {"beta1": 1.0}}, "restgan.beta1 is 1.0"),
        ({"judge": {"device": "gpu"}}, "judge.device is 'gpu'"),
        ({"judge": {"seed": -3}}, "judge.seed is -3"),
        ({"judge": {"precision": "fp8"}}, "'precision' is 'fp8'; use one of"),
        ({"judge": {"size": 0}}, "judge.size is 0"),
        ({"shares": [0.5, 0.5, 0.0]}, "setting shares is 0.0"),
        ({"shares": [0.5, 0.4]}, "give three positive shares"),
        ({"threshold": float("nan")}, "give a finite number"),
    ],
)
def test_a_family_of_another_kind_is_held_to_its_ranges_as_well(values, sentence):
    from training.restgan.candidate import RestganCandidateSettings

    with pytest.raises(SelvedgeError, match=sentence):
        settings_from(RestganCandidateSettings, values, "restgan.yaml")


def test_a_device_that_this_machine_lacks_is_refused_before_the_job():
    from training.restgan.candidate import RestganCandidateSettings

    read = settings_from(RestganCandidateSettings, {"judge": {"device": "cuda:99"}}, "restgan.yaml")
    with pytest.raises(SelvedgeError, match=r"judge\.device is 'cuda:99'; this machine has no such device"):
        refuse_absent_devices(read)
    refuse_absent_devices(RestganCandidateSettings())


@pytest.mark.parametrize("kind", FAMILIES, ids=lambda family: family.name)
def test_every_number_of_every_family_declares_what_it_may_be(kind):
    """A field without a range is one that is found out after the work."""

    def unbounded(part, prefix=""):
        rules = declared_ranges(type(part))
        for field in fields(part):
            value = getattr(part, field.name)
            if is_dataclass(value):
                yield from unbounded(value, f"{prefix}{field.name}.")
            elif isinstance(value, int | float) and not isinstance(value, bool) and field.name not in rules:
                yield prefix + field.name

    assert list(unbounded(kind.settings()())) == []


@pytest.mark.parametrize("kind", FAMILIES, ids=lambda family: family.name)
def test_written_settings_are_read_as_the_same(kind, tmp_path):
    file = tmp_path / "written.yaml"
    file.write_text(as_yaml(kind.settings()()))
    assert settings_of_file(kind.settings(), file) == kind.settings()()


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        ("risk: 0.1\n".encode("utf-16"), "is UTF-16 text; save it as UTF-8"),
        ("risk: 0.1\n".encode("utf-16-le"), "is UTF-16 or UTF-32 text"),
        (b"base: tin\xe9\n", r"is not UTF-8 text \(line 1\)"),
        (b"lora:\n\tsteps: 3\n", "line 2 begins with a tab"),
        (b"risk: 0.1\nrisk: 0.2\n", "line 2, the name 'risk' stands there twice"),
        (b"lora: {steps: 1, steps: 2}\n", "the name 'steps' stands there twice"),
        (b"1: 2\n", "holds 1 where a name belongs"),
        (b"risk: 2026-13-45\n", "cannot be read"),
        (b"risk: 2026-01-05\n", "'risk' is datetime.date"),
        (b"[" * 5000, "cannot be read"),
        (b"a: *b\n", "it is not YAML"),
        (b"!!python/object:os.system {}\n", "it is not YAML"),
        (b"risk: " + b"9" * 5000, "cannot be read"),
        (b"\xef\xbb\xbf- 1\n", "is not a mapping"),
        (b"x" * 1_000_001, "is larger than 1,000,000 bytes"),
    ],
)
def test_whatever_is_odd_about_a_file_is_one_sentence(tmp_path, content, sentence):
    file = tmp_path / "odd.yaml"
    file.write_bytes(content)
    with pytest.raises(SelvedgeError, match=sentence) as raised:
        settings_of_file(Blip2CandidateSettings, file)
    assert "odd.yaml" in str(raised.value) and "\n" not in str(raised.value)


ODD = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8) | st.dates(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=6,
)
NAMES = st.sampled_from(["base", "risk", "decoding", "question_set", "continue_base", "merge_tolerance", "x"])
PARTS = st.sampled_from(["rank", "targets", "learning_rate", "precision", "threads", "seed", "views", "step"])


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.dictionaries(NAMES, ODD, max_size=3), st.dictionaries(PARTS, ODD, max_size=3) | ODD)
def test_odd_settings_are_settings_or_a_sentence(tmp_path, whole, lora):
    file = tmp_path / "odd.yaml"
    file.write_text(yaml.safe_dump({**whole, "lora": lora}), encoding="utf-8")
    try:
        read = settings_of_file(Blip2CandidateSettings, file)
    except SelvedgeError as error:
        assert "\n" not in str(error) and len(str(error)) < 800
    else:
        hold_to_ranges(read.lora, "lora.")


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.binary(max_size=60))
def test_odd_bytes_are_settings_or_a_sentence(tmp_path, content):
    file = tmp_path / "odd.yaml"
    file.write_bytes(content)
    try:
        read = settings_of_file(Blip2CandidateSettings, file)
    except SelvedgeError as error:
        assert str(file) in str(error) and "\n" not in str(error)
    else:
        assert isinstance(read, Blip2CandidateSettings)


def test_unreadable_files_are_named(tmp_path: Path):
    with pytest.raises(SelvedgeError, match=r"absent\.yaml cannot be read"):
        settings_of_file(Blip2CandidateSettings, tmp_path / "absent.yaml")
    file = tmp_path / "list.yaml"
    file.write_text("- 1\n")
    with pytest.raises(SelvedgeError, match="is not a mapping"):
        settings_of_file(Blip2CandidateSettings, file)
