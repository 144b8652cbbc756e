"""A ReStGAN in the registry: `mlflow models serve` draws for a plain HTTP client what the artefact draws."""

import base64
import io
import json
import urllib.error
import urllib.request

import numpy as np
import pytest
from PIL import Image

from orchestration.families.restgan.served import SERVED
from orchestration.registry.registry import Registry
from orchestration.registry.tracking import Lineage, tracked_run
from tests.e2e.console import command_block
from tests.e2e.serving import answer_to, serving
from tests.inference.tiny_restgan import save_tiny_restgan
from training.restgan.sampling import load_artefact

pytestmark = [pytest.mark.e2e, pytest.mark.slow, pytest.mark.xdist_group("mlflow")]

FAMILY = "restgan"
CANDIDATE = "restgan-20260101-abcdef"


@pytest.fixture(scope="module")
def artefact(tmp_path_factory):
    return save_tiny_restgan(tmp_path_factory.mktemp("restgan") / "artefact")


@pytest.fixture(scope="module")
def registered(mlflow_server, artefact):
    registry = Registry(mlflow_server)
    with tracked_run(registry.uri, FAMILY, CANDIDATE, Lineage("training/restgan_candidate", CANDIDATE)) as run:
        return registry.register(FAMILY, CANDIDATE, artefact, run, served=SERVED)


@pytest.fixture(scope="module")
def served(mlflow_server, registered, tmp_path_factory):
    """The version's port, where the manual's block serves it."""
    block = command_block("cli.md", "export MLFLOW")
    with serving(block, registered, mlflow_server, tmp_path_factory.mktemp("serving")) as port:
        yield port


def asked(port, rows):
    body = json.dumps({"dataframe_records": rows}).encode()
    request = urllib.request.Request(f"http://127.0.0.1:{port}/invocations", body, {"Content-Type": "application/json"})
    with urllib.request.urlopen(request, timeout=120) as response:
        return json.load(response)["predictions"]


def decoded(texts):
    return np.stack([np.asarray(Image.open(io.BytesIO(base64.b64decode(text)))) for text in texts])


def test_the_logged_model_is_code_safetensors_and_a_signature(registered, mlflow_server):
    folder = Registry(mlflow_server).artefact_path(registered)
    model = folder.parent.parent
    assert (model / "restgan_entry.py").is_file()
    assert not [path for path in model.rglob("*") if path.suffix in (".pkl", ".bin", ".pt")]
    assert (model / "requirements.txt").read_text().split() == SERVED.pinned()


def test_a_plain_http_client_gets_the_artefacts_pictures(served, artefact):
    queries = ["women navy blue pants", "quilted red shorts"]
    drawn = [load_artefact(artefact).draw([query], seed=9)[0] for query in queries]
    predictions = asked(served, [{"query": query, "seed": 9} for query in queries])
    assert [row["words"] for row in predictions] == [["women", "navy blue", "pants"], ["quilted", "red", "shorts"]]
    assert [row["unknown"] for row in predictions] == [[], ["quilted"]]
    for row, pictures in zip(predictions, drawn, strict=True):
        np.testing.assert_array_equal(decoded(row["pictures"]), pictures)


def test_the_manuals_request_is_answered(served, artefact, tmp_path):
    (row,) = answer_to(command_block("cli.md", "curl"), served, tmp_path)["predictions"]
    assert row["words"] == ["women", "black", "pants", "cropped"] and row["unknown"] == []
    drawn = load_artefact(artefact).draw(["women black pants cropped"], seed=1)[0]
    np.testing.assert_array_equal(decoded(row["pictures"]), drawn)


def test_the_seed_may_be_left_out(served):
    query = {"query": "blue jeans"}
    without, zero, seven = (asked(served, [query | seed]) for seed in ({}, {"seed": 0}, {"seed": 7}))
    assert without == zero != seven


@pytest.mark.parametrize(
    ("query", "sentence"),
    [
        ("  ", "row 1: the query is empty; type at least one word, such as 'black jeans'."),
        ("<script>jeans", "row 1: the query holds markup ('<script>'); type plain words."),
        ("quilted sequins", "row 1: none of the words of 'quilted sequins' is known to this model; name a type"),
    ],
)
def test_a_bad_row_gets_its_sentence_over_http(served, query, sentence):
    with pytest.raises(urllib.error.HTTPError) as raised:
        asked(served, [{"query": "blue jeans"}, {"query": query}])
    body = json.loads(raised.value.read())
    assert raised.value.code == 400 and body["message"].startswith(sentence)
