"""`selvedge discover`: one query without the page, and what it refuses. The page is in tests/e2e."""

import json
import shutil
import socket
from pathlib import Path

import pytest
from PIL import Image

from catalog.drawn import draw_catalogue
from catalog.workspace import read_into
from inference.discovery.index import FOLDER
from orchestration.cli.main import run
from tests.inference.discovery.shop import save_model


@pytest.fixture(scope="module")
def shop(tmp_path_factory) -> tuple[str, str]:
    """An artefact's folder and a catalogue directory."""
    folder = tmp_path_factory.mktemp("shop")
    draw_catalogue(folder / "source", 14, 3, size=64, workers=1, articles=("Jeans", "Shorts"))
    read_into(str(folder / "source"), "autumn", folder / "tables", workers=1)
    return str(save_model(folder / "model")), str(folder / "tables")


@pytest.fixture(autouse=True)
def home(tmp_path, monkeypatch) -> Path:
    monkeypatch.setenv("SELVEDGE_HOME", str(tmp_path / "home"))
    return tmp_path / "home"


def test_one_query_is_drawn_to_a_file_and_answered(shop, tmp_path, capsys):
    out = tmp_path / "strip.png"
    asked = ("--query", "women blue lovely jeans, not black, under $50", "--seed", "3", "--out", str(out), "--json")
    assert run(["discover", "--model", shop[0], "--catalog", shop[1], *asked]) == 0
    told = json.loads(capsys.readouterr().out)
    assert (told["words"], told["unknown"]) == (["women", "blue", "lovely", "jeans"], ["lovely"])
    assert (told["left_out"], told["read_as"]) == (["not black", "under $50"], [])
    assert told["link"] is None and told["picture"] == str(out) and told["products"] == 14
    assert [one["drop"] for one in told["nearest"]] == ["autumn"] * 8
    assert len({one["product_id"] for one in told["nearest"]}) == 8
    assert all(-1 <= one["likeness"] <= 1 for one in told["nearest"])
    with Image.open(out) as strip:
        assert strip.size == (4 * 192, 192)


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        (["--query", "<b>x</b>"], "the query holds markup"),
        (["--query", ""], "--query is empty"),
        (["--out", "strip.png"], "--out is the strip of one query"),
    ],
)
def test_what_cannot_be_drawn_is_one_sentence_and_indexes_nothing(shop, options, sentence, tmp_path, capsys):
    tables = shutil.copytree(shop[1], tmp_path / "tables", ignore=shutil.ignore_patterns(FOLDER))
    assert run(["discover", "--model", shop[0], "--catalog", str(tables), *options]) == 1
    told = capsys.readouterr()
    assert sentence in told.err and told.err.count("\n") == 1 and told.out == ""
    assert not (tables / FOLDER).exists()


def test_without_an_index_the_remedy_is_said(shop, home, capsys):
    assert run(["discover", "--model", shop[0], "--query", "jeans"]) == 1
    assert "no product is indexed in" in capsys.readouterr().err
    assert not (home / "objects").exists()


def test_a_catalogue_without_bottoms_is_refused(shop, tmp_path, capsys):
    draw_catalogue(tmp_path / "source", 40, 3, size=64, workers=1, articles=("Shirts",))
    read_into(str(tmp_path / "source"), "d1", tmp_path / "shirts", workers=1)
    assert run(["discover", "--model", shop[0], "--catalog", str(tmp_path / "shirts"), "--query", "jeans"]) == 1
    assert "holds no bottoms with a picture" in capsys.readouterr().err
    assert not (tmp_path / "shirts" / "discovery").exists()


@pytest.mark.parametrize("gives_the_signal_on", [True, False])
def test_a_page_that_is_interrupted_ends_as_every_interrupted_command(shop, gives_the_signal_on, monkeypatch, capsys):
    def serve(server, sockets):
        if gives_the_signal_on:
            raise KeyboardInterrupt

    monkeypatch.setattr("uvicorn.Server.run", serve)
    assert run(["discover", "--model", shop[0], "--catalog", shop[1], "--port", "0"]) == 130
    assert capsys.readouterr().err.endswith("selvedge: the page is closed; the same command opens it again.\n")


def test_a_port_that_is_taken_is_said(shop, capsys):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = str(taken.getsockname()[1])
        assert run(["discover", "--model", shop[0], "--catalog", shop[1], "--port", port]) == 1
    told = capsys.readouterr()
    assert f"port {port} of 127.0.0.1 cannot be used" in told.err and told.err.count("\n") == 1 and told.out == ""
