"""A trained model in the registry: `mlflow models serve` answers a plain HTTP client, commands find the champion."""

import base64
import json
import urllib.error
import urllib.request
from pathlib import Path

import dagster as dg
import pandas as pd
import pytest
from pydantic import SecretStr

from catalog.schema import load_schema
from catalog.tables import publish_bytes
from evaluation.gate import Evidence
from labeling.review.rounds.judging import close_round
from orchestration.assets.published import Tables, materialised
from orchestration.families.blip2_attributes.declaration import BLIP2_ATTRIBUTES
from orchestration.families.blip2_attributes.served import SERVED
from orchestration.graph.evidence import evidence_place, sign_evidence
from orchestration.registry.interface import CHAMPION
from orchestration.registry.registry import Registry
from orchestration.registry.tracking import Lineage, tracked_run
from orchestration.runtime.instance import open_instance
from tests.e2e.console import command_block
from tests.e2e.serving import answer_to, serving
from tests.orchestration.drawn_round import opened, voted
from tests.orchestration.registering import evidence_of, recorded_champion
from tests.orchestration.trained_model import selvedge, train_small_model

pytestmark = [pytest.mark.e2e, pytest.mark.slow, pytest.mark.xdist_group("mlflow")]

FAMILY = "blip2-attributes"
CANDIDATE = "blip2-attributes-20260101-abcdef"
SCHEMA = load_schema()


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    return train_small_model(tmp_path_factory.mktemp("served"))


@pytest.fixture(scope="module")
def registered(mlflow_server, trained):
    registry = Registry(mlflow_server)
    with tracked_run(registry.uri, FAMILY, CANDIDATE, Lineage("training/blip2_attributes_candidate", CANDIDATE)) as run:
        return registry.register(FAMILY, CANDIDATE, trained.artefact, run, served=SERVED)


@pytest.fixture(scope="module")
def served(mlflow_server, registered, tmp_path_factory):
    """The version's port, where the manual's block serves it."""
    block = command_block("how-it-works.md", "export MLFLOW")
    with serving(block, registered, mlflow_server, tmp_path_factory.mktemp("serving")) as port:
        yield port


def asked(port: int, rows: list[dict], form: str = "dataframe_records") -> dict:
    body = json.dumps({form: rows}).encode()
    request = urllib.request.Request(f"http://127.0.0.1:{port}/invocations", body, {"Content-Type": "application/json"})
    with urllib.request.urlopen(request, timeout=120) as response:
        return json.load(response)


def test_a_plain_http_client_gets_answers_and_confidences(served, trained):
    products = pd.read_parquet(trained.catalog / "products.parquet").head(2)
    images = [base64.b64encode(Path(uri).read_bytes()).decode() for uri in products["image_uri"]]
    rows = [{"image": image, "questions": ["Colour", "Pattern"]} for image in images]
    predictions = asked(served, rows)["predictions"]
    assert [set(answer) for answer in predictions] == [{"answers", "confidences", "abstained"}] * 2
    for answer in predictions:
        colour, pattern = answer["answers"]
        assert colour.startswith("Colour: ") and pattern.startswith("Pattern: ")
        assert all(0 < confidence <= 1 for confidence in answer["confidences"])
    # A batch answers as its rows do alone.
    alone = [asked(served, [row])["predictions"][0]["answers"] for row in rows]
    assert alone == [answer["answers"] for answer in predictions]


def test_the_manuals_request_is_answered_and_every_page_has_the_same(served, trained):
    block = command_block("how-it-works.md", "printf")
    (told,) = answer_to(block, served, trained.catalog.parent)["predictions"]
    assert [answer.partition(":")[0] for answer in told["answers"]] == ["Colour", "Pattern"]
    assert len(told["confidences"]) == len(told["abstained"]) == 2
    assert command_block("new-candidate.md", "printf") == block
    serve = command_block("how-it-works.md", "export MLFLOW")
    assert command_block("new-candidate.md", "export MLFLOW") == serve
    assert serve.startswith(command_block("day-operator.md", "export MLFLOW"))


def test_the_forms_of_a_row_that_the_manual_allows_are_answered_alike(served, trained):
    picture = (trained.catalog.parent / "shop" / "images" / "10001.jpg").read_bytes()
    image, full = base64.b64encode(picture).decode(), SCHEMA.question("Colour")
    row = {"image": image, "questions": ["Colour"]}
    alone = asked(served, [row])
    # In lines of 76, as `base64 FILE` prints it, and with the question in full.
    assert asked(served, [{"image": base64.encodebytes(picture).decode(), "questions": [full]}]) == alone
    split = {"columns": ["image", "questions"], "data": [[image, ["Colour"]]]}
    assert asked(served, split, "dataframe_split") == asked(served, [row], "inputs") == alone
    with pytest.raises(urllib.error.HTTPError) as refused:
        asked(served, [row | {"questions": ["price"]}])
    told = json.loads(refused.value.read())["message"]
    assert refused.value.code == 400 and told.startswith("row 0: the question 'price' is not known; ask for one of")


def test_infer_uses_the_champion_and_stamps_its_version(mlflow_server, registered, trained, tmp_path):
    where = ("infer", "attributes", "--catalog", str(trained.catalog), "--out", str(tmp_path), "--json")
    settings = {"SELVEDGE_HOME": str(mlflow_server.home), "SELVEDGE_MLFLOW_PORT": str(mlflow_server.mlflow_port)}
    without = selvedge(*where, **settings)
    assert without.returncode == 1 and "has no champion yet; promote a candidate" in without.stderr
    settings["SELVEDGE_LEDGER"] = f"sqlite:///{tmp_path / 'ledger.db'}"  # the home's own has promoted nothing yet
    head = mlflow_server.home / "ledger.head"
    remembered = head.read_bytes() if head.exists() else None
    head.unlink(missing_ok=True)
    recorded_champion(mlflow_server.model_copy(update={"ledger": SecretStr(settings["SELVEDGE_LEDGER"])}), registered)
    ended = selvedge(*where, **settings)
    head.unlink() if remembered is None else head.write_bytes(remembered)
    assert ended.returncode == 0, ended.stderr
    assert json.loads(ended.stdout)["model"] == registered.uri
    assert set(pd.read_parquet(tmp_path / "attributes.parquet")["model_uri"]) == {registered.uri}


def publish_evidence(settings, evidence: Evidence) -> None:
    """What the scores asset leaves: the file beside the scores, signed, and its hash in Dagster."""
    with open_instance(settings) as instance:
        place = evidence_place(BLIP2_ATTRIBUTES, Tables(root=str(settings.tables())), evidence.candidate)
        publish_bytes(evidence.to_json().encode(), place)
        scores_sha256 = "5" * 64
        sign_evidence(BLIP2_ATTRIBUTES, Tables(root=str(settings.tables())), settings, evidence, scores_sha256)
        told = {"evidence_sha256": evidence.sha256, "sha256": scores_sha256}
        event = dg.AssetMaterialization(BLIP2_ATTRIBUTES.scores, partition=evidence.candidate, metadata=told)
        instance.report_runless_asset_event(event)


def hold_a_round(settings, version: str) -> None:
    """A judged round in which scripted annotators preferred this version to the base."""
    names = {"round_id": "served-one", "family": FAMILY, "candidate": CANDIDATE, "candidate_version": version}
    ledger = opened(settings, opponent="base", opponent_version="base", **names)
    voted(ledger, 0.97, name="served-one")
    assert close_round(settings.rounds(), ledger, "served-one").outcome == "preferred"


def test_promote_asks_the_gate_and_status_tells_who_is_champion(mlflow_server, registered):
    environment = {"SELVEDGE_HOME": str(mlflow_server.home), "SELVEDGE_MLFLOW_PORT": str(mlflow_server.mlflow_port)}
    Registry(mlflow_server).client.delete_registered_model_alias(FAMILY, CHAMPION)

    def command(*arguments: str):
        ended = selvedge(*arguments, "--json", **environment)
        assert "Traceback" not in ended.stderr
        return ended.returncode, json.loads(ended.stdout or "{}"), ended.stderr

    code, values, told = command("promote", FAMILY, CANDIDATE)
    assert (code, values) == (1, {}) and f"candidate {CANDIDATE} has no evidence" in told
    publish_evidence(mlflow_server, evidence_of(FAMILY, CANDIDATE, None, better_by=-0.1))
    code, values, told = command("promote", FAMILY, CANDIDATE)
    assert (code, values["status"]) == (1, "refused") and f"{CANDIDATE} was not promoted: mean macro_f1" in told
    publish_evidence(mlflow_server, evidence_of(FAMILY, CANDIDATE, None))
    code, values, told = command("promote", FAMILY, CANDIDATE)
    assert (code, values["status"]) == (1, "refused") and "evidence of kind verdict is missing" in told
    hold_a_round(mlflow_server, str(registered.version))
    code, values, told = command("promote", FAMILY, CANDIDATE)
    assert (code, values["status"]) == (1, "refused") and "rests on simulated ballots" in told
    environment["SELVEDGE_SIMULATED_BALLOTS"] = "true"
    code, values, _ = command("promote", FAMILY, CANDIDATE)
    assert (code, values["status"], values["champion"]) == (0, "promoted", registered.version) and values["simulated"]
    _, values, _ = command("status")
    assert values["families"][FAMILY]["aliases"] == {"champion": registered.version}
    assert values["families"][FAMILY]["promotion"]["candidate"] == CANDIDATE
    assert {service["name"]: service["state"] for service in values["services"]}["mlflow"] == "running"
    with open_instance(mlflow_server) as instance:  # Dagster was told as well
        assert materialised(instance, "registry/blip2_attributes_champion")["version"] == registered.version
    code, _, told = command("rollback", FAMILY)
    assert code == 1 and "there is nothing to go back to" in told
