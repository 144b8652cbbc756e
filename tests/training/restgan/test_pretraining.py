"""The base that ships is what its recipe makes."""

import pytest
import yaml

from training.restgan.candidate import base_folder
from training.restgan.dataset import build_bottoms
from training.restgan.pretraining import SETTINGS, SHARES, Frames, draw_bottoms
from training.restgan.sampling import load_artefact


@pytest.mark.slow
@pytest.mark.rebuild
def test_the_recipe_makes_the_data_that_the_base_learnt_from(tmp_path):
    base = base_folder("restgan-tiny")
    recipe = yaml.safe_load((base / "recipe.yaml").read_text(encoding="utf-8"))
    bottoms = build_bottoms(Frames.read(draw_bottoms(tmp_path)), SETTINGS.sides[-1], shares=SHARES)
    assert bottoms.digest == recipe["digests"]["data"]
    assert bottoms.vocabulary == load_artefact(base).vocabulary
    # Attributes are said too, not titles alone.
    assert {"cropped", "slim", "drawstring"} < set(bottoms.vocabulary.words)
