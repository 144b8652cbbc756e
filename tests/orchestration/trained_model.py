"""A model of the family that a command trained in seconds from a random base; it answers, and wrongly."""

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from tests.orchestration.micro_base import save_micro_base, save_micro_settings

ROOT = Path(__file__).resolve().parents[2]
# Runs a command as `selvedge` does and tells which of the modules it must do without were imported.
WITHOUT = """
import sys
from orchestration.cli.main import run
code = run(sys.argv[1:])
print("imported:", sorted({"mlflow", "dagster", "great_expectations", "skia"} & set(sys.modules)), file=sys.stderr)
sys.exit(code)
"""


@dataclass(frozen=True)
class TrainedModel:
    """Where everything lies, and what the training command printed."""

    catalog: Path
    config: Path
    folder: Path  # what `selvedge train --out` wrote; the artefact is folder/model
    printed: str
    told: str

    @property
    def artefact(self) -> Path:
        return self.folder / "model"


def selvedge(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """The command as a person runs it."""
    command = [sys.executable, "-m", "orchestration.cli", *arguments]
    return subprocess.run(command, capture_output=True, text=True, cwd=ROOT, env={**os.environ, **environment})


def train_small_model(folder: Path, products: int = 80) -> TrainedModel:
    """Draw, read and train, each by its command."""
    shop, catalog, config, out = folder / "shop", folder / "catalog", folder / "small.yaml", folder / "run"
    for arguments in (
        ["catalog", "draw", str(shop), "--products", str(products), "--seed", "5", "--size", "128"],
        ["catalog", "read", str(shop), "--out", str(catalog)],
    ):
        ended = selvedge(*arguments)
        assert ended.returncode == 0, ended.stderr
    save_micro_settings(config, save_micro_base(folder / "base"), steps=6)
    config.write_text(f"catalog: catalog\n{config.read_text()}")
    arguments = ["train", "blip2-attributes", "--config", str(config), "--out", str(out), "--json"]
    ended = subprocess.run([sys.executable, "-c", WITHOUT, *arguments], capture_output=True, text=True, cwd=ROOT)
    assert ended.returncode == 0, ended.stderr
    assert json.loads(ended.stdout)["path"] == str(out / "model")
    return TrainedModel(catalog, config, out, ended.stdout, ended.stderr)
