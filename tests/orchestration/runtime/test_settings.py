"""Settings: every path follows from them, and what is wrong is told in one sentence."""

import importlib.util
from pathlib import Path

import pytest
from upath import UPath

from catalog.errors import SelvedgeError
from orchestration.families.settings import load_settings
from orchestration.runtime.manual import manual
from orchestration.runtime.settings import Settings
from training.folders import models_folder


def test_everything_of_a_home_lies_inside_it(tmp_path):
    settings = Settings(home=tmp_path)
    inside = [settings.dagster_home, settings.mlflow_home, settings.logs, settings.secrets, settings.work]
    inside += [Path(str(place)) for place in (settings.tables(), settings.objects(), settings.features())]
    assert all(path.is_relative_to(tmp_path) for path in inside)
    assert settings.mlflow_database_uri == f"sqlite:///{tmp_path}/mlflow/mlflow.db"


def test_storage_elsewhere_moves_tables_but_not_services(tmp_path):
    settings = Settings(home=tmp_path, storage="s3://bucket/selvedge/")
    assert settings.tables() == UPath("s3://bucket/selvedge/tables")
    assert settings.mlflow_home == tmp_path / "mlflow"


def test_a_relative_home_becomes_absolute(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("SELVEDGE_HOME", "state")
    assert load_settings().home == tmp_path / "state"


def test_your_own_tracking_server_is_used(tmp_path):
    assert Settings(home=tmp_path, tracking_uri="https://mlflow.company/").mlflow_uri == "https://mlflow.company"
    assert Settings(home=tmp_path, mlflow_port=5999).mlflow_uri == "http://127.0.0.1:5999"


@pytest.mark.parametrize(
    ("name", "value", "sentence"),
    [
        ("SELVEDGE_MLFLOW_PROT", "5000", "setting SELVEDGE_MLFLOW_PROT is unknown; did you mean SELVEDGE_MLFLOW_PORT?"),
        ("SELVEDGE_XYZ", "1", "setting SELVEDGE_XYZ is unknown; there are SELVEDGE_{AD_BACKDROP"),
        (
            "SELVEDGE_MLFLOW_PORT",
            "many",
            "setting SELVEDGE_MLFLOW_PORT cannot be 'many': input should be a valid",
        ),
        ("SELVEDGE_MLFLOW_PORT", "70000", "setting SELVEDGE_MLFLOW_PORT cannot be '70000': input should be less than"),
        (
            "SELVEDGE_RESTGAN_SETTING",
            "x",
            "setting SELVEDGE_RESTGAN_SETTING is unknown; did you mean SELVEDGE_RESTGAN_S",
        ),
        ("SELVEDGE_FAMILY_SETTINGS", "{}", "setting SELVEDGE_FAMILY_SETTINGS is unknown; "),
        (
            "SELVEDGE_LABEL_STUDIO_HOSTS",
            "http://a/",
            "setting SELVEDGE_LABEL_STUDIO_HOSTS cannot be 'http://a/': it is ",
        ),
        ("SELVEDGE_LABEL_STUDIO_HOSTS", "--host", "setting SELVEDGE_LABEL_STUDIO_HOSTS cannot be '--host': it is host"),
        (
            "SELVEDGE_LABEL_STUDIO",
            "http://",
            "setting SELVEDGE_LABEL_STUDIO cannot be 'http://': it lacks the server's",
        ),
        (
            "SELVEDGE_LABEL_STUDIO",
            "http://a:99999",
            "setting SELVEDGE_LABEL_STUDIO cannot be 'http://a:99999': port out",
        ),
        ("SELVEDGE_HOME", "", "setting SELVEDGE_HOME cannot be '': it is empty; leave it out, or name a folder"),
        ("SELVEDGE_HOME", "/dev/null", "setting SELVEDGE_HOME cannot be '/dev/null': /dev/null is a file; name a fol"),
        ("SELVEDGE_HOME", "/dev/null/x", "setting SELVEDGE_HOME cannot be '/dev/null/x': /dev/null is a file; name"),
        (
            "SELVEDGE_AD_SEGMENTER",
            "u2net.pt",
            "setting SELVEDGE_AD_SEGMENTER cannot be 'u2net.pt': it is champion, bedrock, none, or the",
        ),
        (
            "SELVEDGE_AD_SEGMENTER",
            "s3://b/u.onnx",
            "setting SELVEDGE_AD_SEGMENTER cannot be 's3://b/u.onnx': it is champion, bed",
        ),
        ("SELVEDGE_AD_JUDGE", "me", "setting SELVEDGE_AD_JUDGE cannot be 'me': input should be 'none', 'champion' or"),
        ("SELVEDGE_AD_WORDS", "gpt", "setting SELVEDGE_AD_WORDS cannot be 'gpt': input should be 'rules' or 'bedrock'"),
        ("SELVEDGE_AD_ROWS", "dynamodb:a b", "setting SELVEDGE_AD_ROWS cannot be what it is set to: it is dynamodb:TA"),
        ("SELVEDGE_AD_ROWS", "mysql://a:b@c/d", "setting SELVEDGE_AD_ROWS cannot be what it is set to: it is dynamodb"),
        ("SELVEDGE_THREADS", "0", "setting SELVEDGE_THREADS cannot be '0': input should be greater than or equal to 1"),
    ],
)
def test_a_wrong_setting_is_one_sentence(monkeypatch, name, value, sentence):
    monkeypatch.setenv(name, value)
    with pytest.raises(SelvedgeError) as error:
        load_settings()
    assert str(error.value).startswith(sentence) and "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("name", "values", "form"),
    [
        ("STORAGE", ("s3:/bucket", "s3:bucket", "s3://", "s3:///x", "gs://bucket", "https://shop.example"), "s3://BUCKET"),
        ("MLFLOW_ARTIFACTS", ("s3:/bucket", "s3://", "dbfs:/x"), "s3://BUCKET"),
        ("HOME", ("s3://bucket/home", "s3:/bucket", "file:///data"), "it is a folder of this machine"),
        ("TRACKING_URI", ("mlflow.company", "http:/mlflow", "https://", "http://a:99999"), "an address like https"),
        ("MLFLOW_DATABASE", ("mlflow.db", "postgresql:/a:pass@b", "sqlite:"), "it is a URI like sqlite"),
        ("LABEL_STUDIO_DATABASE", ("a:pass@b", "postgresql:x"), "it is a URI like sqlite"),
    ],
)  # fmt: skip
def test_an_address_of_the_wrong_form_is_one_sentence(monkeypatch, name, values, form):
    for value in values:
        monkeypatch.setenv(f"SELVEDGE_{name}", value)
        with pytest.raises(SelvedgeError) as refusal:
            load_settings()
        sentence = str(refusal.value)
        assert sentence.startswith(f"setting SELVEDGE_{name} cannot be ") and form in sentence and "\n" not in sentence
        assert "pass@" not in sentence


def test_a_secret_is_repeated_by_no_refusal(monkeypatch):
    monkeypatch.setenv("SELVEDGE_EVIDENCE_KEY", "short-secret")
    with pytest.raises(SelvedgeError, match="cannot be what it is set to: it has fewer than 32") as refusal:
        load_settings()
    assert "short-secret" not in str(refusal.value)
    monkeypatch.delenv("SELVEDGE_EVIDENCE_KEY")
    for name in ("TRACKING_URI", "LABEL_STUDIO", "STORAGE", "MLFLOW_ARTIFACTS"):
        monkeypatch.setenv(f"SELVEDGE_{name}", "ftp://anna:pa55word@shop.example")
        with pytest.raises(SelvedgeError) as refusal:
            load_settings()
        assert f"SELVEDGE_{name} cannot be what it is set to" in str(refusal.value)
        assert "pa55word" not in str(refusal.value)
        monkeypatch.delenv(f"SELVEDGE_{name}")
    monkeypatch.setenv("SELVEDGE_LABEL_STUDIO", "https://anna:pa55word@labels.shop.example")
    with pytest.raises(SelvedgeError, match="what it is set to: it is an address without user and password"):
        load_settings()


def test_where_ads_are_cut_out_and_kept(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    usual = load_settings()
    assert usual.ad_segmenter == "champion" and usual.ad_rows_uri == f"sqlite:///{usual.home / 'ads.db'}"
    monkeypatch.setenv("SELVEDGE_AD_SEGMENTER", "nets/u2netp.onnx")
    monkeypatch.setenv("SELVEDGE_AD_ROWS", "dynamodb:ads")
    assert load_settings().ad_segmenter == str(tmp_path / "nets" / "u2netp.onnx")
    assert load_settings().ad_rows_uri == "dynamodb:ads" and "dynamodb:ads" not in repr(load_settings())
    monkeypatch.setenv("SELVEDGE_AD_ROWS", "")
    assert load_settings().ad_rows_uri == usual.ad_rows_uri


def test_folders_are_absolute_and_buckets_as_they_are_written(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    settings = load_settings(storage="state", mlflow_artifacts="s3://shop/mlflow/")
    assert settings.root == UPath(tmp_path / "state") and settings.mlflow_artifact_root == "s3://shop/mlflow"


def test_an_unknown_field_is_refused_too():
    with pytest.raises(SelvedgeError, match="SELVEDGE_COLOUR cannot be 'blue': extra inputs are not permitted"):
        load_settings(colour="blue")


def test_the_photographs_of_the_tests_are_no_setting(monkeypatch):
    usual = load_settings()
    monkeypatch.setenv("SELVEDGE_PHOTOGRAPHS", "/somewhere")
    assert load_settings() == usual


def test_the_folder_of_base_weights_is_read_by_training_itself(monkeypatch, tmp_path):
    monkeypatch.setenv("SELVEDGE_MODELS", str(tmp_path))
    load_settings()
    assert models_folder() == tmp_path
    assert "| `SELVEDGE_MODELS` | folder of base weights" in manual({})
    with pytest.raises(SelvedgeError, match=r"SELVEDGE_MODELS cannot be .*: extra inputs are not permitted"):
        load_settings(models=tmp_path)


def test_a_bucket_needs_what_reads_it_and_what_keeps_its_logs(monkeypatch):
    find_spec = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if name == "dagster_aws" else find_spec(name))
    with pytest.raises(SelvedgeError, match=r"needs the package dagster-aws; install selvedge\[aws\]"):
        load_settings(storage="s3://shop/selvedge")
    load_settings(mlflow_artifacts="s3://shop/mlflow")


def test_a_family_has_a_setting_of_its_own_for_its_training_settings(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("SELVEDGE_BLIP2_SETTINGS", "blip2.yaml")
    monkeypatch.setenv("SELVEDGE_RESTGAN_SETTINGS", str(tmp_path / "restgan.yaml"))
    assert load_settings().family_settings == {
        "blip2-attributes": tmp_path / "blip2.yaml",
        "restgan": tmp_path / "restgan.yaml",
    }
