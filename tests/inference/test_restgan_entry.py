"""The served ReStGAN: words in, a PNG after each of them out, and one sentence for a bad request."""

import base64
import importlib.metadata
import io
import json
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from catalog.errors import SelvedgeError
from inference.refused_request import RefusedRequest
from inference.restgan_entry import WordPictures
from tests.inference.tiny_restgan import save_tiny_restgan
from training.restgan.sampling import load_artefact

ROOT = Path(__file__).resolve().parents[2]
QUERY = "women's navy blue pants slim"


@pytest.fixture(scope="module")
def artefact(tmp_path_factory):
    return save_tiny_restgan(tmp_path_factory.mktemp("served") / "a")


@pytest.fixture(scope="module")
def served(artefact):
    model = WordPictures()
    model.load_context(SimpleNamespace(artifacts={"model": str(artefact)}))
    return model


def ask(model, *rows):
    return model.predict(None, pd.DataFrame(rows, columns=["query", "seed"]))


def decoded(texts):
    """(L, side, side, 3) uint8 of base64 PNG files."""
    pictures = [Image.open(io.BytesIO(base64.b64decode(text, validate=True))) for text in texts]
    assert all((picture.format, picture.mode) == ("PNG", "RGB") for picture in pictures)
    return np.stack([np.asarray(picture) for picture in pictures])


def test_a_picture_follows_each_word_and_is_the_artefacts_own(served, artefact):
    (got,) = ask(served, (QUERY, 3)).to_dict("records")
    assert got["words"] == ["women", "navy blue", "pants", "slim"] and got["unknown"] == []
    np.testing.assert_array_equal(decoded(got["pictures"]), load_artefact(artefact).draw([QUERY], seed=3)[0])


def test_a_row_is_answered_as_it_would_be_alone(served):
    rows = [(QUERY, 1), ("red shorts", 1), (QUERY, 2)]
    together = ask(served, *rows).to_dict("records")
    assert together == [ask(served, row).to_dict("records")[0] for row in rows]
    assert together[0]["pictures"] != together[2]["pictures"]


def test_the_seed_is_0_where_there_is_none(served):
    plain = served.predict(None, pd.DataFrame({"query": [QUERY]})).to_dict("records")
    mixed = ask(served, (QUERY, None), (QUERY, 0)).to_dict("records")
    assert mixed == plain * 2


def test_words_that_the_model_was_not_taught_are_named(served):
    (got,) = ask(served, ("quilted women pants size 32 with sequins", 0)).to_dict("records")
    assert got["words"] == ["quilted", "women", "pants", "sequins"]
    assert got["unknown"] == ["quilted", "sequins", "size 32"]
    assert len(got["pictures"]) == 4


@pytest.mark.parametrize(
    ("query", "seed", "sentence"),
    [
        ("", 0, "the query is empty; type at least one word"),
        (" \n\t", 0, "the query is empty"),
        ("blue " * 500, 0, "the query has 500 words"),
        ("джинсы", 0, "the query holds the letter 'д', which is not Latin"),
        ("<b>blue</b> jeans", 0, "the query holds markup ('<b>')"),
        ("quilted sequins", 0, "none of the words of 'quilted sequins' is known to this model"),
        (None, 0, "query is no text; send the words"),
        (7, 0, "query is no text; send the words"),
        ("blue", "one", "seed must be a whole number of 64 bits, not one"),
        ("blue", 0.5, "seed must be a whole number of 64 bits, not 0.5"),
        ("blue", 2**63, "seed must be a whole number of 64 bits, not 9223372036854775808"),
        ("blue", True, "seed must be a whole number"),
    ],
)  # fmt: skip
def test_a_bad_row_is_told_in_one_sentence_with_its_number(served, monkeypatch, query, seed, sentence):
    monkeypatch.setattr(served._model, "draw", lambda *_: pytest.fail("drew before all rows were read"))
    frame = pd.DataFrame({"query": [QUERY, query], "seed": pd.Series([0, seed], dtype=object)})
    with pytest.raises(RefusedRequest) as raised:
        served.predict(None, frame)
    told = raised.value.message
    assert told.startswith(f"row 1: {sentence}") and told.endswith(".") and "\n" not in told and len(told) < 300
    assert raised.value.get_http_status_code() == 400


def test_too_much_at_once_or_no_query_is_refused(served):
    with pytest.raises(RefusedRequest, match="65 queries; send at most 64"):
        ask(served, *[(QUERY, 0)] * 65)
    long = "women navy blue pants " + " ".join(f"word{'abcdefghijklmnop'[i]}x" for i in range(16))
    with pytest.raises(RefusedRequest, match="asks for 684 pictures; ask for at most 640"):
        ask(served, *[(long, 0)] * 36)
    with pytest.raises(RefusedRequest, match="needs the column query"):
        served.predict(None, pd.DataFrame({"words": ["blue"]}))


def test_an_artefact_that_is_not_whole_is_not_served(artefact, tmp_path):
    copy = tmp_path / "a"
    copy.mkdir()
    for file in artefact.iterdir():
        (copy / file.name).write_bytes(file.read_bytes())
    about = json.loads((copy / "selvedge.json").read_text())
    about["settings"]["noise"] += 1
    (copy / "selvedge.json").write_text(json.dumps(about))
    with pytest.raises(SelvedgeError, match="does not match its digest"):
        WordPictures().load_context(SimpleNamespace(artifacts={"model": str(copy)}))


def test_drawing_imports_only_what_its_serving_environment_holds(artefact):
    """The packages that come in with Selvedge's own drawing code, without MLflow's, are the declared ones or theirs."""
    from orchestration.families.restgan.served import SERVED

    script = f"""
import sys
from pathlib import Path
from catalog.files import png_bytes
from training.restgan.sampling import load_artefact
load_artefact(Path({str(artefact)!r})).draw(["blue"])
print(*{{name.partition(".")[0] for name in sys.modules}})
"""
    ended = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, cwd=ROOT, check=True)
    homes = importlib.metadata.packages_distributions()
    used = {home.lower() for name in ended.stdout.split() for home in homes.get(name, ())}
    assert not used & {"transformers", "peft", "tokenizers", "pyarrow", "pandas", "mlflow", "dagster"}
    theirs = {"selvedge", "setuptools", "charset-normalizer", "lazy-loader", "tqdm", "typing_extensions"}
    assert used - theirs <= set(SERVED.requirements)
