"""Examples that the project gives a shopper hold only words that the model which ships with it knows."""

import json
import re
from pathlib import Path

import pytest

from training.restgan.colours import ColourTable
from training.restgan.words import UNKNOWN, Vocabulary

ROOT = Path(__file__).resolve().parents[1]
STATED = json.loads((ROOT / "models" / "restgan-tiny" / "selvedge.json").read_text())
QUOTED = re.compile(r'"query": *"([^"]+)"|--query +"?([a-z][a-z ]+)"')
PLACES = [*ROOT.glob("docs/*.md"), ROOT / "README.md", *ROOT.glob("models/*/README.md"), *ROOT.glob("examples/*")]


def examples() -> list[str]:
    page = ROOT / "inference" / "discovery"
    starters = re.search(r"EXAMPLES = (\[.*?\]);", (page / "page.js").read_text())
    assert starters is not None
    placeholder = re.search(r'placeholder="([^"]+)"', (page / "page.html").read_text())
    assert placeholder is not None
    quoted = ["".join(match) for place in PLACES for match in QUOTED.findall(place.read_text())]
    return [*json.loads(starters[1]), placeholder[1], *quoted]


@pytest.mark.parametrize("example", examples())
def test_the_model_knows_every_word_of_an_example(example: str) -> None:
    vocabulary = Vocabulary.from_json(STATED["vocabulary"])
    read = vocabulary.encode(example, ColourTable.from_json(STATED["colours"]))
    assert UNKNOWN not in read.words.tolist() and read.left_out == () and read.read_as == ()
