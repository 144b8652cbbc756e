"""The pictures of HandsOff's base, and the judge that measures it: what has to be made where the drawing library is.

Belongs here: the pack, the judge's labels, its training. Not here: which garments are drawn
(training/handsoff/drawn.py), the base (handsoff_base.py), its figures (handsoff.py).

The judge is an attribute classifier of all drawn garments (article type, colour, pattern), trained on pictures that no
generator sees. Its features carry KID, as the judge of bottoms carries ReStGAN's.

Run: `python -m benchmarks.handsoff_data --out DIR`; some ten minutes of one core, most of it drawing.
"""

import argparse
import io
import sys
from pathlib import Path

import numpy as np
import torch
from PIL import Image

from benchmarks.handsoff import JUDGE, PACK
from catalog.drawn.spec import sample_spec
from evaluation.classification import expected_calibration_error
from training.attribute_classifier import MISSING
from training.attribute_judge import AttributeJudge, AttributeScore, save_judge
from training.attribute_network import AttributeClassifier
from training.handsoff.drawn import PACKED_SIDE, PARTS, SEED, pack_drawn, unpack
from training.restgan.judge_training import ARCHITECTURE, JudgeRun, JudgeSettings
from training.restgan.pretraining import ProgressLines

JUDGE_PACK = "drawn-judge.zip"
SETTINGS = JudgeSettings(size=64, width=8, epochs=20, device="cpu")


def labelled(pack: Path, part: str) -> tuple[np.ndarray, dict[str, list[str]]]:
    """(n, 64, 64, 3) uint8 pictures of a part and, by attribute, what is true of each; "" where it shows no such."""
    files = unpack(pack, part)
    side = SETTINGS.size or PACKED_SIDE
    pictures = np.stack(
        [np.asarray(Image.open(io.BytesIO(f)).resize((side, side), Image.Resampling.BOX)) for _, f in files]
    )
    specs = [sample_spec(SEED, int(product_id)) for product_id, _ in files]
    truth = {
        "article_type": [spec.article_type for spec in specs],
        "colour": [spec.base_colour for spec in specs],
        "pattern": [spec.attributes.get("Pattern", "") for spec in specs],
    }
    return pictures, truth


def train_judge(pack: Path, examined: Path) -> AttributeJudge:
    """The judge, trained on part `judge` of one pack and examined on part `held-out` of another."""
    pictures, truth = labelled(pack, "judge")
    classes = {name: tuple(sorted(set(values) - {""})) for name, values in truth.items()}
    torch.manual_seed(SETTINGS.seed)
    network = AttributeClassifier(classes, {}, SETTINGS.size or PACKED_SIDE, SETTINGS.width, ARCHITECTURE)
    network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    planes = torch.from_numpy(pictures.transpose(0, 3, 1, 2).astype(np.float32))
    network.train()
    JudgeRun(network, planes, _numbers(truth, classes), SETTINGS, ProgressLines("judge")).train()
    judge = AttributeJudge(network, dict.fromkeys(classes, 1.0), {}, f"drawn {SEED} {PARTS['judge']}")
    raw = torch.from_numpy(judge.features(pictures))
    judge.centre, judge.scale = raw.mean(dim=0), raw.var(dim=0).mean().sqrt()
    judge.exam = _exam(judge, *labelled(examined, "held-out"))
    return judge


def _numbers(truth: dict[str, list[str]], classes: dict[str, tuple[str, ...]]) -> torch.Tensor:
    columns = [
        [classes[name].index(value) if value in classes[name] else MISSING for value in values]
        for name, values in truth.items()
    ]
    return torch.tensor(columns).T.contiguous()


def _exam(judge: AttributeJudge, pictures: np.ndarray, truth: dict[str, list[str]]) -> dict[str, AttributeScore]:
    scores = {}
    for name, table in judge.probabilities(pictures).items():
        rows = [row for row, value in enumerate(truth[name]) if value]
        right = np.array([judge.classes[name][table[row].argmax()] == truth[name][row] for row in rows])
        commonest = max(truth[name].count(value) for value in judge.classes[name]) / len(rows)
        share, half = float(right.mean()), float(1.96 * right.std() / len(right) ** 0.5)
        error = expected_calibration_error(np.clip(table[rows].max(axis=1), 0, 1), right)
        scores[name] = AttributeScore(share, share - half, share + half, commonest, error, len(rows), 1.0)
    return scores


def make(out: Path) -> None:
    """Pack and judge, what of them is not there yet."""
    pack, judge_pack, judge = out / PACK, out / JUDGE_PACK, out / JUDGE
    progress = ProgressLines("drawn pictures").progress
    if not pack.exists():
        pack_drawn(pack, ("training", "held-out"), progress)
    if not judge_pack.exists():
        pack_drawn(judge_pack, ("judge",), progress)
    if not judge.exists():
        made = train_judge(judge_pack, pack)
        save_judge(made, judge)
        for name, score in made.exam.items():
            print(f"{name}: {score.accuracy:.3f} ({score.majority:.3f} by the commonest)", file=sys.stderr)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=Path(".cache/handsoff"))
    torch.set_num_threads(1)
    make(parser.parse_args().out)


if __name__ == "__main__":
    main()
