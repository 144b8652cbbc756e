"""The base that ships is what its recipe makes."""

import pytest
import yaml

from training.restgan.candidate import base_folder
from training.restgan.pretraining import FIRST, data_of_recipe
from training.restgan.sampling import load_artefact


@pytest.mark.slow
def test_the_recipe_makes_the_data_that_the_base_learnt_from(tmp_path):
    """On its first products: recipe.yaml holds their digest beside that of the whole, both made by one revision."""
    base = base_folder("restgan-tiny")
    digests = yaml.safe_load((base / "recipe.yaml").read_text(encoding="utf-8"))["digests"]
    bottoms, vocabulary = data_of_recipe(tmp_path, FIRST), load_artefact(base).vocabulary
    assert bottoms.digest == digests[f"data_of_first_{FIRST}"]
    assert vocabulary.digest == digests["vocabulary"]
    # Attributes are said too, not titles alone.
    assert {"cropped", "slim", "drawstring"} < set(bottoms.vocabulary.words) <= set(vocabulary.words)
