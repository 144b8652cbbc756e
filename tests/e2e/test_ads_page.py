"""The commands of docs/ads.md, on a small drawn catalogue."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from orchestration.cli.main import run
from tests.e2e.console import ROOT, command_block
from tests.inference.ad_images.shop import SEED

pytestmark = [pytest.mark.e2e, pytest.mark.slow]


def test_the_page_makes_ads_of_a_product_and_of_a_photograph(tmp_path):
    """The drawn catalogue of this seed has a handbag under the id that the page names."""
    assert run(["catalog", "draw", str(tmp_path / "shop"), "--products", "12", "--seed", str(SEED)]) == 0
    assert run(["catalog", "read", str(tmp_path / "shop"), "--out", str(tmp_path / "catalog")]) == 0
    shutil.copy(tmp_path / "shop" / "images" / "10008.jpg", tmp_path / "bag.jpg")
    block = command_block("ads.md", "selvedge infer ads").replace("selvedge", f"{sys.executable} -m orchestration.cli")
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "SELVEDGE_HOME": str(tmp_path / "home")}
    ended = subprocess.run(
        ["bash", "-e", "-c", block], cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=300
    )
    assert ended.returncode == 0, ended.stderr
    assert (tmp_path / "ads" / "sheet.png").exists()
    themes = {Path(file).parts[-3] for file in map(str, (tmp_path / "ads" / "pictures").rglob("*.png"))}
    assert themes == {"10008-street", "photo-bag"}
