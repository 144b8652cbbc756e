"""What ReStGAN refuses, row by row: one sentence with a remedy, and what was there before stays as it was.

Belongs here: the rows of bad catalogues, queries and checkpoints at the doors of training/ that assets and commands go
through: `prepare`, `train_candidate`, a model that draws. Not here: the same at a person's own doors, which stands
where they are: the commands (tests/orchestration/cli/test_cli_restgan.py), the served model
(tests/inference/test_restgan_entry.py), the page and an index of another model (tests/inference/discovery/).
"""

import hashlib
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from catalog.errors import SelvedgeError
from tests.training.restgan.shop import Shop, open_shop
from tests.training.restgan.test_loop import TINY, Recorder
from training.reporting import Silent
from training.restgan.candidate import RestganCandidateSettings, prepare, train_candidate
from training.restgan.judge_training import JudgeSettings
from training.restgan.loop import train_restgan
from training.restgan.sampling import load_artefact
from training.stopping import TrainingStopped

SETTINGS = RestganCandidateSettings(
    base="none", restgan=replace(TINY, size=16, stages=1), judge=JudgeSettings(width=4, epochs=1, device="cpu")
)
BLACK = {"Black": (13.0, 0.0, -1.0)}


def skirts(folder: Path) -> Shop:
    shop = open_shop(folder, 30)
    return replace(shop, products=shop.products.assign(article_type="Skirts"))


def without_pictures(folder: Path) -> Shop:
    shop = open_shop(folder, 210)
    for uri in shop.images["uri"][:1]:
        Path(uri).unlink()
    return shop


CATALOGUES = {
    "no bottoms": (skirts, "the catalogue holds no bottoms"),
    "fewer than 200 products": (lambda folder: open_shop(folder, 199), "199 bottoms"),
    "one colour only": (lambda folder: open_shop(folder, 210, shades=BLACK), "one colour only"),
    "a picture that is gone": (without_pictures, "1001.png is missing"),
}
QUERIES = {
    "words all unknown": ("quilted sequins", "none of the words"),
    "an empty query": (" \n\t ", "the query is empty"),
    "500 words": ("black " * 500, "the query has 500 words"),
    "one word of 3,000 letters": ("b" * 3000, "at most 40 words and 2,000 characters"),
    "Cyrillic": ("чёрные джинсы", "not Latin"),
    "Devanagari beside Latin": ("black जींस", "not Latin"),
    "right to left": ("black جينز", "not Latin"),
    "markup": ("<img src=x onerror=alert(1)> jeans", "markup"),
    "an entity": ("black &#60;b&#62; jeans", "markup"),
    "a template": ("black {{jeans}}", "markup"),
    "a link": ("[black](javascript:alert(1)) jeans", "markup"),
}


def everything(folder: Path) -> dict[str, str]:
    """Path → hash of every file of a folder."""
    files = (path for path in folder.rglob("*") if path.is_file())
    return {str(path): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


def one_sentence(error: SelvedgeError) -> bool:
    told = str(error)
    return told.endswith(".") and "\n" not in told and len(told) < 300


@pytest.fixture(scope="module")
def prepared(tmp_path_factory):
    return prepare(open_shop(tmp_path_factory.mktemp("shop"), 240), SETTINGS, tmp_path_factory.mktemp("prepared"))


@pytest.fixture(scope="module")
def trained(prepared, tmp_path_factory):
    return train_candidate(prepared, SETTINGS, tmp_path_factory.mktemp("candidate"))


@pytest.mark.parametrize("row", CATALOGUES)
def test_a_catalogue_that_gives_no_data_set_leaves_nothing(row, tmp_path):
    opened, sentence = CATALOGUES[row]
    shop = opened(tmp_path / "shop")
    with pytest.raises(SelvedgeError, match=sentence) as refused:
        prepare(shop, SETTINGS, tmp_path / "prepared")
    assert one_sentence(refused.value) and not (tmp_path / "prepared").exists()


def test_a_catalogue_that_became_too_small_leaves_what_was_prepared(tmp_path):
    prepare(open_shop(tmp_path / "shop", 240), SETTINGS, tmp_path / "prepared")
    before = everything(tmp_path / "prepared")
    with pytest.raises(SelvedgeError, match="150 bottoms"):
        prepare(open_shop(tmp_path / "less", 150), SETTINGS, tmp_path / "prepared")
    assert everything(tmp_path / "prepared") == before


@pytest.mark.parametrize("row", QUERIES)
def test_a_query_that_cannot_be_read_draws_nothing_and_changes_no_query_begun(row, trained):
    text, sentence = QUERIES[row]
    model = load_artefact(trained.artefact)
    with pytest.raises(SelvedgeError, match=sentence) as refused:
        model.draw(["black jeans", text])
    assert one_sentence(refused.value)
    begun = model.refinement(seed=2)
    if row == "words all unknown":  # alone they say nothing; beside a word that is known they are unknown words
        with pytest.raises(SelvedgeError, match=sentence):
            begun.add(text)
        assert begun.places == ()
    else:
        begun.add("black")
        with pytest.raises(SelvedgeError):
            begun.add(text)
        assert begun.places == ("black",)
    undisturbed = model.refinement(seed=2)
    undisturbed.add("black")
    if not begun.places:
        begun.add("black")
    np.testing.assert_array_equal(begun.add("jeans"), undisturbed.add("jeans"))


def test_a_candidate_of_another_vocabulary_leaves_the_finished_one(prepared, trained, tmp_path):
    out = trained.artefact.parent
    before = everything(out)
    other = prepare(
        open_shop(tmp_path / "shop", 260, seed=3, shades={**BLACK, "Red": (43, 63, 42)}), SETTINGS, tmp_path
    )
    assert other.bottoms.vocabulary.digest != prepared.bottoms.vocabulary.digest
    with pytest.raises(SelvedgeError, match="was made with another vocabulary") as refused:
        train_candidate(other, SETTINGS, out)
    assert one_sentence(refused.value) and everything(out) == before


def test_a_stopped_training_of_another_vocabulary_can_still_go_on(prepared, trained, tmp_path):
    with pytest.raises(TrainingStopped):
        train_candidate(prepared, SETTINGS, tmp_path / "out", Recorder(terminate_at=8))
    before = everything(tmp_path / "out")
    other = prepare(
        open_shop(tmp_path / "shop", 260, seed=3, shades={**BLACK, "Red": (43, 63, 42)}), SETTINGS, tmp_path
    )
    with pytest.raises(SelvedgeError, match="was made with another vocabulary"):
        train_restgan(other.bottoms, SETTINGS.restgan, tmp_path / "out", Silent())
    assert everything(tmp_path / "out") == before
    assert train_candidate(prepared, SETTINGS, tmp_path / "out").digest == trained.digest
