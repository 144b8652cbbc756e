"""The registry on a real MLflow server: a candidate becomes one version, an alias moves once and on evidence.

Kills and races are in test_promotion.py, where they cost milliseconds.
"""

import json
import threading
from pathlib import Path

import pytest

from catalog.errors import SelvedgeError, ServiceUnavailable
from orchestration import families
from orchestration.cli.main import run
from orchestration.families.blip2_attributes.served import SERVED as BLIP2_SERVED
from orchestration.families.restgan.served import SERVED as RESTGAN_SERVED
from orchestration.jobs.serving import LedgerChampion
from orchestration.registry.promotion import history, promote, rollback
from orchestration.registry.registry import Registry
from orchestration.registry.repair import RECORD_TAG, settle
from orchestration.registry.tracking import Lineage, tracked_run
from orchestration.runtime.installed_code import installed_code
from orchestration.runtime.settings import Settings
from tests.orchestration.registering import SERVED, FamilyForTests
from tests.orchestration.toy_family import toy_family
from tests.ports import free_port
from training.artefact_file import folder_sha256, refuse_pickles

pytestmark = [pytest.mark.e2e, pytest.mark.xdist_group("mlflow")]


@pytest.fixture
def family(mlflow_server, tmp_path):
    return FamilyForTests(Registry(mlflow_server), tmp_path)


def test_a_candidate_is_registered_once_and_becomes_challenger(family):
    version = family.candidate("c1")
    again = family.candidate("c1")
    assert (version.version, version.candidate) == (1, "c1") and again == version
    assert [v.version for v in family.registry.versions(family.name)] == [1]
    assert family.registry.aliases(family.name) == {"challenger": 1}
    assert version.uri == f"models:/{family.name}/1" and version.model_id.startswith("m-")


def test_a_candidate_with_other_files_under_the_same_name_is_refused(family):
    version = family.candidate("c1")
    refused = pytest.raises(SelvedgeError, match="c1 is registered as version 1 with other files")
    attempt = tracked_run(family.registry.uri, family.name, "c1", Lineage("training/candidate", "c1"))
    with refused, attempt as run:
        family.registry.register(family.name, "c1", family.artefact("other"), run, served=SERVED)
    assert family.registry.versions(family.name) == [version]


def test_the_logged_model_is_code_and_safetensors_without_pickle_or_code_paths(family):
    import yaml

    version = family.candidate("c1")
    folder = family.registry.artefact_path(version)
    assert folder_sha256(folder) == version.digest
    located = family.registry.client.get_logged_model(version.model_id).artifact_location
    assert located.startswith("mlflow-artifacts:/"), "a full path would bind the home to its folder"
    assert folder.is_relative_to(family.registry.settings.mlflow_home), "read where it is, not fetched"
    model = folder.parent.parent
    described = yaml.safe_load((model / "MLmodel").read_text())
    flavor = described["flavors"]["python_function"]
    assert (model / SERVED.entry.name).exists() and flavor["code"] is None
    assert not [path for path in model.rglob("*") if path.suffix in (".pkl", ".bin", ".pt")]
    assert [column["name"] for column in json.loads(described["signature"]["inputs"])] == ["image", "questions"]
    outputs = [column["name"] for column in json.loads(described["signature"]["outputs"])]
    assert outputs == ["answers", "confidences", "abstained"]
    assert (model / "requirements.txt").read_text().split() == SERVED.pinned()
    assert "selvedge" not in (model / "requirements.txt").read_text(), "on PyPI that is another project"
    code = installed_code()
    assert described["metadata"]["selvedge_code_sha256"] == code.sha256
    stored = family.registry.client.get_model_version(family.name, str(version.version))
    assert code.sha256 in stored.description and "Do not install `selvedge` by name" in stored.description


@pytest.mark.parametrize("served", [BLIP2_SERVED, RESTGAN_SERVED], ids=["blip2-attributes", "restgan"])
def test_requirements_are_pinned_without_local_labels(served):
    pinned = served.pinned()
    assert all("==" in line and "+" not in line for line in pinned) and len(set(pinned)) == len(served.requirements)
    assert any(line.startswith("torch==2.13.0") for line in pinned) and served.entry.is_file()
    assert "selvedge" not in served.requirements, "an index would give another project of that name"


def test_a_server_of_pictures_is_spared_what_reads_pictures():
    assert {"transformers", "peft", "tokenizers"} == set(BLIP2_SERVED.requirements) - set(
        RESTGAN_SERVED.requirements
    ) - {
        "pyarrow",
        "universal-pathlib",
    }


def test_a_model_kept_in_a_bucket_is_fetched_once_and_held_to_its_digest(family, monkeypatch):
    import boto3
    from moto.server import ThreadedMotoServer

    bucket = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    bucket.start()
    try:
        host, port = bucket.get_host_and_port()
        credentials = {"AWS_ACCESS_KEY_ID": "x", "AWS_SECRET_ACCESS_KEY": "y", "AWS_DEFAULT_REGION": "us-east-1"}
        endpoint = f"http://{host}:{port}"
        for name, value in {**credentials, "AWS_ENDPOINT_URL": endpoint, "MLFLOW_S3_ENDPOINT_URL": endpoint}.items():
            monkeypatch.setenv(name, value)
        boto3.client("s3").create_bucket(Bucket="models-bucket")
        family.registry.client.create_experiment(f"selvedge/{family.name}", "s3://models-bucket/mlflow")
        version = family.candidate("c1")
        folder = family.registry.artefact_path(version)
        assert folder_sha256(folder) == version.digest
        served, _, place = family.registry.location(version).partition("s3://models-bucket/")
        assert served == "" and boto3.client("s3").head_object(Bucket="models-bucket", Key=f"{place}/MLmodel")
    finally:
        bucket.stop()
    assert family.registry.artefact_path(version) == folder  # the bucket is not asked again


def test_files_changed_behind_the_registry_are_noticed(family):
    version = family.candidate("c1")
    assert (Path(family.registry.location(version)) / "MLmodel").is_file()
    (family.registry.artefact_path(version) / "adapter.safetensors").write_text("tampered")
    with pytest.raises(SelvedgeError, match="are not those that were registered"):
        family.registry.artefact_path(version)


@pytest.mark.parametrize("name", ["model.bin", "weights.pt", "state.pkl"])
def test_formats_that_run_code_are_refused(tmp_path, name):
    (tmp_path / name).write_text("x")
    with pytest.raises(SelvedgeError, match="keep weights as safetensors"):
        refuse_pickles(tmp_path)


def test_run_and_asset_lead_to_each_other(family):
    lineage = Lineage("training/x_candidate", "c1", dagster_run_id="run-1", dataset_sha256="abc")
    with tracked_run(family.registry.uri, family.name, "c1", lineage) as run:
        version = family.registry.register(family.name, "c1", family.artefact("c1"), run, served=SERVED)
        run.metrics({"macro_f1": 0.7})
    found = run.client.get_run(version.run_id)
    wanted = {"dagster.run_id": "run-1", "dagster.asset_key": "training/x_candidate", "dagster.partition": "c1"}
    assert wanted.items() <= found.data.tags.items() and found.data.tags["dataset.sha256"] == "abc"
    assert len(found.data.tags["git.sha"]) >= 7
    assert run.url.endswith(f"/runs/{version.run_id}")
    # Registering ends MLflow's idea of the run; the attempt's own end is what counts.
    assert found.info.status == "FINISHED" and found.data.metrics["macro_f1"] == 0.7


def test_a_first_candidate_replaces_nothing_and_the_next_one_the_champion(family):
    family.candidate("c1")
    first = promote(family.registry, family.rule, family.evidence("c1", None), by="ada")
    assert first.promoted and first.champion == 1 and first.old_champion is None
    assert family.registry.aliases(family.name) == {"champion": 1}
    family.candidate("c2")
    second = promote(family.registry, family.rule, family.evidence("c2", 1), by="ada")
    assert second.promoted and second.require_champion().version == 2
    assert family.registry.aliases(family.name) == {"champion": 2, "previous_champion": 1}
    records = history(family.registry, family.name)
    assert [(r.version, r.old_champion, r.who) for r in records] == [("1", None, "ada"), ("2", "1", "ada")]
    assert records[1].evidence == {"candidate:c2": family.evidence("c2", 1).sha256}


def test_the_request_api_is_told_of_each_new_champion(family, mlflow_server):
    ask = LedgerChampion(mlflow_server, family.name, needed=True)
    with pytest.raises(SelvedgeError, match=f"{family.name} has no champion yet"):
        ask()
    for number in (1, 2):
        version = family.candidate(f"c{number}")
        promote(family.registry, family.rule, family.evidence(f"c{number}", number - 1 or None))
        champion = ask()
        assert champion.uri == version.uri and champion.folder == family.registry.artefact_path(version)
        assert ask() is champion, "files are hashed once a version"


def test_asking_again_changes_nothing(family):
    family.candidate("c1")
    evidence = family.evidence("c1", None)
    promote(family.registry, family.rule, evidence)
    before = family.registry.version(family.name, 1)
    again = promote(family.registry, family.rule, evidence)
    assert again.status == "already_champion" and family.registry.version(family.name, 1) == before


def test_a_loser_is_refused_with_reasons_and_nothing_moves(family):
    family.candidate("c1")
    outcome = promote(family.registry, family.rule, family.evidence("c1", None, better_by=-0.1))
    assert outcome.status == "refused" and "not better" in " ".join(outcome.reasons)
    assert "champion" not in family.registry.aliases(family.name) and not history(family.registry, family.name)
    with pytest.raises(SelvedgeError, match=r"c1 was not promoted: .*not better"):
        outcome.require_champion()


def test_evidence_against_another_champion_is_refused(family):
    for name in ("c1", "c2", "c3"):
        family.candidate(name)
    promote(family.registry, family.rule, family.evidence("c1", None))
    promote(family.registry, family.rule, family.evidence("c2", 1))
    late = promote(family.registry, family.rule, family.evidence("c3", 1))
    assert late.status == "refused" and late.champion == 2
    assert "gathered against champion version 1, but now there is champion version 2" in late.reasons[0]


def test_of_two_promotions_at_once_one_wins_and_the_other_is_told(family, mlflow_server):
    for name in ("c1", "c2", "c3"):
        family.candidate(name)
    promote(family.registry, family.rule, family.evidence("c1", None))
    start, outcomes = threading.Barrier(2), {}

    def ask(name):
        registry = Registry(mlflow_server)
        evidence = family.evidence(name, 1)
        start.wait()
        outcomes[name] = promote(registry, family.rule, evidence)

    threads = [threading.Thread(target=ask, args=(name,)) for name in ("c2", "c3")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(outcome.status for outcome in outcomes.values()) == ["promoted", "refused"]
    winner = next(outcome for outcome in outcomes.values() if outcome.promoted)
    loser = next(outcome for outcome in outcomes.values() if not outcome.promoted)
    assert family.registry.aliases(family.name)["champion"] == winner.model.version
    assert f"now there is champion version {winner.model.version}" in loser.reasons[0]


def test_an_alias_moved_on_mlflows_page_is_told_and_recorded(family):
    for name in ("c1", "c2"):
        family.candidate(name)
    promote(family.registry, family.rule, family.evidence("c1", None))
    family.registry.client.set_registered_model_alias(family.name, "champion", "2")
    (told,) = settle(family.registry, [family.name])
    assert "found on version 2, where no promotion put it" in told and settle(family.registry, [family.name]) == []
    assert [record.kind for record in history(family.registry, family.name)] == ["promotion", "by_hand"]
    aliases = {"champion": 2, "previous_champion": 1, "challenger": 2}
    assert family.registry.aliases(family.name) == aliases
    assert rollback(family.registry, family.name).version == "1"


def test_status_tells_of_it_and_shows_the_record(family, mlflow_server, monkeypatch, capsys):
    for name in ("c1", "c2"):
        family.candidate(name)
    promote(family.registry, family.rule, family.evidence("c1", None), by="ada")
    family.registry.client.set_registered_model_alias(family.name, "champion", "2")
    monkeypatch.setenv("SELVEDGE_HOME", str(mlflow_server.home))
    monkeypatch.setenv("SELVEDGE_MLFLOW_PORT", str(mlflow_server.mlflow_port))
    monkeypatch.setattr(families, "FAMILIES", (toy_family(family.name),))
    assert run(["status", "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert len(told["warnings"]) == 1 and "where no promotion put it" in told["warnings"][0]
    shown = told["families"][family.name]
    assert (shown["aliases"]["champion"], shown["aliases"]["previous_champion"]) == (2, 1) and shown["versions"] == 2
    assert (shown["promotion"]["kind"], shown["promotion"]["by"]) == ("by_hand", "unknown")


def test_the_version_that_became_champion_is_tagged_with_its_record(family):
    family.candidate("c1")
    record = promote(family.registry, family.rule, family.evidence("c1", None), by="ada").record
    tags = family.registry.version(family.name, 1).tags
    told = json.loads(tags[f"{RECORD_TAG}{record.record_id}"])
    assert (told["by"], told["kind"], told["evidence"]) == ("ada", "promotion", dict(record.evidence))


def test_an_operator_takes_yesterdays_champion_back(family, mlflow_server, monkeypatch, capfd):
    monkeypatch.setattr(families, "FAMILIES", [toy_family(family.name)])
    yesterday, today = family.candidate("c1"), family.candidate("c2")
    promote(family.registry, family.rule, family.evidence("c1", None))
    promote(family.registry, family.rule, family.evidence("c2", yesterday.version))
    monkeypatch.setenv("SELVEDGE_HOME", str(mlflow_server.home))
    monkeypatch.setenv("SELVEDGE_MLFLOW_PORT", str(mlflow_server.mlflow_port))
    assert run(["rollback", family.name, "--reason", "too many wrong sleeves", "--json"]) == 0
    values = json.loads(capfd.readouterr().out)
    assert (values["champion"], values["old_champion"]) == (yesterday.version, today.version)
    assert family.registry.aliases(family.name)["champion"] == yesterday.version


def test_rollback_goes_back_and_further_back_but_never_returns(family):
    champion = None
    for number, name in enumerate(("c1", "c2", "c3"), start=1):
        family.candidate(name)
        promote(family.registry, family.rule, family.evidence(name, champion))
        champion = number
    first = rollback(family.registry, family.name, reason="too many wrong sleeves", by="ben")
    assert (first.version, first.old_champion, first.reasons) == ("2", "3", ("too many wrong sleeves",))
    second = rollback(family.registry, family.name)
    assert second.version == "1" and family.registry.aliases(family.name) == {"champion": 1}
    with pytest.raises(SelvedgeError, match="nothing to go back to"):
        rollback(family.registry, family.name)
    assert [record.kind for record in history(family.registry, family.name)][3:] == ["rollback", "rollback"]


def test_evidence_promotes_once_so_a_rolled_back_version_does_not_come_back_by_itself(family):
    for name in ("c1", "c2"):
        family.candidate(name)
    promote(family.registry, family.rule, family.evidence("c1", None))
    promote(family.registry, family.rule, family.evidence("c2", 1))
    rollback(family.registry, family.name)
    again = promote(family.registry, family.rule, family.evidence("c2", 1))
    assert again.status == "refused" and "already made version 2 champion" in again.reasons[0]


def test_rollback_without_a_champion_is_one_sentence(family):
    with pytest.raises(SelvedgeError, match="has no champion yet; promote a candidate first"):
        rollback(family.registry, family.name)


def test_an_unregistered_candidate_is_one_sentence(family):
    with pytest.raises(SelvedgeError, match="c9 has no model version"):
        promote(family.registry, family.rule, family.evidence("c9", None))


def test_mlflow_down_is_one_sentence_at_once(tmp_path):
    settings = Settings(home=tmp_path, mlflow_port=free_port())
    with pytest.raises(ServiceUnavailable, match="does not answer; start it with `selvedge up`"):
        Registry(settings)
