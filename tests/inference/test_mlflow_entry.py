"""The served model: plain pictures and questions in, published answers out, and one sentence for a bad request."""

import base64
import io
import json
import os
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from catalog.errors import SelvedgeError
from catalog.schema import load_schema
from inference import mlflow_entry, sent_pictures
from inference.mlflow_entry import AttributeAnswers
from inference.refused_request import RefusedRequest
from inference.sent_pictures import LIMITS
from tests.inference.tiny_model import save_tiny_artefact
from tests.ports import free_port
from training.blip2.artefact import Question, load_artefact

SCHEMA = load_schema()
SLEEVES = SCHEMA.question("Sleeve Length", "Shirts")


@pytest.fixture(scope="module")
def artefact(tmp_path_factory):
    return save_tiny_artefact(tmp_path_factory.mktemp("served") / "a", SCHEMA, "details")


@pytest.fixture(scope="module")
def served(artefact):
    model = AttributeAnswers()
    model.load_context(SimpleNamespace(artifacts={"model": str(artefact)}))
    return model


def picture(seed=1, size=(60, 80), kind="JPEG", mode="RGB"):
    noise = np.random.default_rng(seed).integers(0, 256, (6, 4, 3), dtype=np.uint8)
    encoded = io.BytesIO()
    Image.fromarray(noise).resize(size).convert(mode).save(encoded, kind)
    return encoded.getvalue()


def text(content):
    return base64.b64encode(content).decode()


def ask(model, *rows):
    return model.predict(None, pd.DataFrame(rows, columns=["image", "questions"]))


def test_answers_are_those_of_the_artefact(served, artefact):
    model, pictures = load_artefact(artefact), [picture(i) for i in (1, 2)]
    got = ask(served, (text(pictures[0]), [SLEEVES, "Colour"]), (text(pictures[1]), ["Heel Type"]))
    questions = [Question(0, "Sleeve Length", "Shirts"), Question(0, "Colour"), Question(1, "Heel Type")]
    expected = model.answer([Image.open(io.BytesIO(content)) for content in pictures], questions)
    assert got.answers.sum() == list(expected.answer) and got.abstained.sum() == list(expected.abstained)
    np.testing.assert_allclose(got.confidences.sum(), expected.confidence)
    assert [len(row) for row in got.answers] == [2, 1] and got.answers[0][0].startswith("Sleeve Length: ")


def test_a_question_may_be_a_name_or_any_published_wording(served):
    wordings = ["Sleeve Length", "sleeve_length", SCHEMA.question("Sleeve Length")]
    first = ask(served, (text(picture()), wordings))
    assert len(set(first.answers[0])) == 1
    assert (
        ask(served, (text(picture()), np.array([SLEEVES.upper(), SLEEVES.rstrip("?")]))).answers[0][0]
        == ask(served, (text(picture()), [SLEEVES])).answers[0][0]
    )
    assert ask(served, (text(picture()), [])).answers[0] == []


def test_a_picture_is_prepared_as_the_catalogue_prepares_it(served):
    """Same standard copy: a data URL, a large PNG with transparency and an EXIF-turned JPEG all go through it."""
    rotated, exif = io.BytesIO(), Image.Exif()
    exif[0x0112] = 6
    Image.open(io.BytesIO(picture())).save(rotated, "JPEG", exif=exif)
    for content in (
        picture(size=(1800, 2400)),
        picture(kind="PNG", mode="RGBA"),
        rotated.getvalue(),
        picture(mode="L"),
    ):
        shown = mlflow_entry.decode_picture("data:image/png;base64," + text(content), 0)
        assert shown.mode == "RGB" and max(shown.size) <= 512
    assert mlflow_entry.decode_picture(text(rotated.getvalue()), 0).size == (80, 60)


@pytest.mark.parametrize("line_end", ["\n", "\r\n", "\n "])
def test_base64_may_be_broken_into_lines_as_mime_has_it(line_end):
    content = picture()
    lines = base64.encodebytes(content).decode().replace("\n", line_end)
    assert lines.count(line_end) > 2
    for sent in (lines, "data:image/jpeg;base64," + lines, text(content) + "\n"):
        assert mlflow_entry.decode_picture(sent, 0) == mlflow_entry.decode_picture(text(content), 0)


def bomb():
    """A PNG of 60 million pixels in a few kilobytes."""
    encoded = io.BytesIO()
    Image.new("1", (10_000, 6_000)).save(encoded, "PNG")
    return encoded.getvalue()


@pytest.mark.parametrize(
    ("image", "questions", "sentence"),
    [
        (text(picture()), ["What is its price?"], "question 'What is its price?' is not known; ask for one of Col"),
        (text(picture()), [SCHEMA.question("Sleeve Length").replace("product", "jeans")], "is not known"),
        (text(picture()), ["x" * 500], "xxx…' is not known"),
        (text(picture()), "Colour", "questions must be a list of texts, not str"),
        (text(picture()), ["Colour"] * 65, "65 questions; ask at most 64"),
        ("", ["Colour"], "image is empty"),
        (None, ["Colour"], "image is empty"),
        ("no base64!", ["Colour"], "image is not base64 text"),
        (text(b"hello"), ["Colour"], "the picture was refused (not an image of a known format)"),
        (text(picture()[:300]), ["Colour"], "the picture was refused"),
        (text(bomb()), ["Colour"], "60,000,000|10000 x 6000 pixels; the limit is 50,000,000"),
        ("A" * (LIMITS.image_bytes * 4 // 3 + 100), ["Colour"], "larger than 16 MiB"),
    ],
)  # fmt: skip
def test_a_bad_request_is_told_in_one_sentence(served, image, questions, sentence):
    with pytest.raises(RefusedRequest) as raised:
        ask(served, (text(picture()), ["Colour"]), (image, questions))
    told = raised.value.message
    assert any(part in told for part in sentence.split("|")) and told.startswith("row 1: ")
    assert told.endswith(".") and "\n" not in told and len(told) < 500
    assert raised.value.get_http_status_code() == 400


def test_too_many_rows_or_missing_columns_are_refused(served):
    with pytest.raises(RefusedRequest, match="65 pictures; send at most 64"):
        ask(served, *[(text(picture()), ["Colour"])] * 65)
    with pytest.raises(RefusedRequest, match="needs the columns image"):
        served.predict(None, pd.DataFrame({"image": ["x"]}))


def test_limits_hold_before_anything_is_decoded(served, monkeypatch):
    """The large picture is refused without base64 or pixels being decoded."""
    monkeypatch.setattr(sent_pictures.base64, "b64decode", lambda *_, **__: pytest.fail("decoded"))
    with pytest.raises(RefusedRequest, match="larger than"):
        ask(served, ("A" * (LIMITS.image_bytes * 2), ["Colour"]))


def test_an_artefact_that_is_not_whole_is_not_served(artefact, tmp_path):
    import shutil

    copy = tmp_path / "a"
    shutil.copytree(artefact, copy)
    about = json.loads((copy / "selvedge.json").read_text())
    (copy / "selvedge.json").write_text(json.dumps(about | {"decoding": "scored"}))
    with pytest.raises(SelvedgeError, match="does not match its digest"):
        AttributeAnswers().load_context(SimpleNamespace(artifacts={"model": str(copy)}))


# -- over HTTP --------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def address(artefact, tmp_path_factory):
    """`mlflow models serve` on loopback, on a model logged the way the registry logs it."""
    import mlflow

    from orchestration.families.blip2_attributes.served import SERVED

    folder = tmp_path_factory.mktemp("mlflow")
    mlflow.set_tracking_uri(f"sqlite:///{folder}/mlflow.db")
    experiment = mlflow.create_experiment("serve", artifact_location=folder.as_uri())
    with mlflow.start_run(experiment_id=experiment):
        logged = mlflow.pyfunc.log_model(
            name="blip2-attributes", python_model=str(SERVED.entry), artifacts={"model": str(artefact)},
            signature=SERVED.signature(), pip_requirements=SERVED.pinned(),
        )  # fmt: skip
    model = mlflow.artifacts.download_artifacts(artifact_uri=logged.model_uri, dst_path=str(folder / "model"))
    assert not [path for path in Path(model).rglob("*") if path.suffix in (".pkl", ".bin", ".pt")]
    port = free_port()
    places = f"{Path(sys.executable).parent}:{os.environ['PATH']}"  # mlflow looks for uvicorn there
    command = [sys.executable, "-m", "mlflow", "models", "serve", "-m", model, "--env-manager", "local"]
    with (folder / "serve.log").open("wb") as log:
        server = subprocess.Popen(
            [*command, "-h", "127.0.0.1", "-p", str(port)], stdout=log, stderr=log, start_new_session=True,
            env=os.environ | {"OMP_NUM_THREADS": "1", "PATH": places}, cwd=folder,
        )  # fmt: skip
    try:
        _await(f"http://127.0.0.1:{port}/ping", server, folder / "serve.log")
        yield f"http://127.0.0.1:{port}/invocations"
    finally:
        if server.poll() is None:
            os.killpg(server.pid, signal.SIGTERM)
            server.wait(30)


def _await(url, server, log):
    for _ in range(240):
        assert server.poll() is None, log.read_text()[-3000:]
        try:
            with urllib.request.urlopen(url, timeout=5) as answer:
                assert answer.status == 200
                return
        except OSError:
            time.sleep(0.5)
    pytest.fail(f"mlflow models serve did not come up: {log.read_text()[-3000:]}")


def post(address, body):
    request = urllib.request.Request(address, json.dumps(body).encode(), {"Content-Type": "application/json"})
    with urllib.request.urlopen(request, timeout=60) as answer:
        return json.loads(answer.read())


@pytest.mark.e2e
@pytest.mark.xdist_group("mlflow_entry")
def test_a_plain_http_client_is_answered(address, served):
    rows = [
        {"image": text(picture(1)), "questions": [SLEEVES, "Colour"]},
        {"image": text(picture(2)), "questions": ["Fit"]},
    ]
    expected = ask(served, *[(row["image"], row["questions"]) for row in rows])
    for body in ({"dataframe_records": rows}, {"inputs": rows}):
        got = post(address, body)["predictions"]
        assert [row["answers"] for row in got] == list(expected.answers)
        for row, confidences in zip(got, expected.confidences, strict=True):
            assert row["confidences"] == pytest.approx(confidences, abs=1e-5)


@pytest.mark.e2e
@pytest.mark.xdist_group("mlflow_entry")
@pytest.mark.parametrize(
    ("row", "sentence"),
    [
        (
            {"image": text(picture()), "questions": ["Price"]},
            "row 0: the question 'Price' is not known; ask for one of",
        ),
        ({"image": "AAAA", "questions": ["Colour"]}, "row 0: the picture was refused"),
    ],
)
def test_a_bad_request_gets_its_sentence_over_http(address, row, sentence):
    with pytest.raises(urllib.error.HTTPError) as raised:
        post(address, {"dataframe_records": [row]})
    body = json.loads(raised.value.read())
    assert raised.value.code == 400 and body["message"].startswith(sentence) and row["image"] not in body["message"]
