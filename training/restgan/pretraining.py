"""The base that ships, `models/restgan-tiny`: a ReStGAN trained on drawn bottoms only, with its judge.

Belongs here: its recipe and its card. Not here: the training (loop.py), beginning from it (start.py).

Run: `python -m training.restgan.pretraining --out models/restgan-tiny --work DIR`; a killed run goes on from there. The
ladder's run of the same settings (benchmarks/restgan_runs.py) is the same run: it stops earlier.
"""

import argparse
import sys
import time
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import pandas as pd
import yaml
from safetensors import safe_open

from catalog.drawn import VERSION, draw_catalogue
from catalog.workspace import read_into
from evaluation.generation import ALL_ATTRIBUTES, attribute_accuracy, kernel_distance
from evaluation.generation_intervals import real_floor
from training.attribute_judge import JUDGE_FILE, AttributeJudge, load_judge, save_judge
from training.catalogue import read_catalogue_folder
from training.folders import written_whole
from training.reporting import Silent
from training.restgan.dataset import ATTRIBUTES, Bottoms, build_bottoms, read_bottoms, write_bottoms
from training.restgan.judge_training import JudgeSettings, train_judge
from training.restgan.loop import Result, train_restgan
from training.restgan.samples import whole_wanted
from training.restgan.sampling import load_artefact, save_artefact
from training.restgan.settings import RestganSettings
from training.restgan.start import save_discriminators

SEED, PRODUCTS = 41, 6000
ARTICLES = ("Jeans", "Trousers", "Track Pants", "Shorts")
SHARES = (0.45, 0.18, 0.37)  # of groups: train, judge, test
SETTINGS = RestganSettings(
    stages=2, seed=0, threads=1, device="cpu", precision="bf16", checkpoint_every=500, sample_every=0
)
IMAGES = 130_496
CHECKPOINT = "parameter/discriminators/"


@dataclass(frozen=True)
class Frames:
    """A catalogue directory as the tables that a data set is built from."""

    products: pd.DataFrame
    images: pd.DataFrame
    splits: pd.DataFrame

    @classmethod
    def read(cls, folder: Path) -> "Frames":
        """From a folder of `selvedge catalog read`. Raises SelvedgeError: a table is missing."""
        tables = read_catalogue_folder(folder)
        return cls(tables.products, tables.images, tables.splits)


class ProgressLines(Silent):
    """A line on stderr once a minute."""

    def __init__(self, name: str) -> None:
        self.name, self.last = name, time.monotonic()

    def progress(self, done: int, total: int, what: str) -> None:
        if time.monotonic() - self.last > 60:
            self.last = time.monotonic()
            print(f"{self.name}: {what} {done}/{total}", file=sys.stderr, flush=True)


def draw_bottoms(work: Path) -> Path:
    """The drawn catalogue of bottoms, read; its folder. Made once."""
    tables = work / "catalogue"
    if not (tables / "products.parquet").exists():
        draw_catalogue(work / "source", PRODUCTS, SEED, articles=ARTICLES, progress=ProgressLines("bottoms").progress)
        read_into(str(work / "source"), "drop-1", tables)
    return tables


def bottoms_and_judge(
    tables: Path, size: int, shares: tuple[float, float, float], work: Path
) -> tuple[Bottoms, AttributeJudge]:
    """The data set of a catalogue directory at one size, and its judge; both kept in `work`."""
    folder, judge = work / f"bottoms-{size}", work / f"judge-{size}.safetensors"
    if not folder.exists():
        write_bottoms(
            build_bottoms(Frames.read(tables), size, shares=shares, reporter=ProgressLines("bottoms")), folder
        )
    bottoms = read_bottoms(folder)
    if not judge.exists():
        save_judge(train_judge(bottoms, JudgeSettings(device="cpu"), ProgressLines("judge")), judge)
    return bottoms, load_judge(judge)


def make_base(out: Path, work: Path, images: int = IMAGES) -> str:
    """Train, or go on, and publish the base whole; its digest.

    Args:
        work: folder of the drawn catalogue, the data set and the run. images: real pictures to see in all.
    """
    bottoms, judge = bottoms_and_judge(draw_bottoms(work), SETTINGS.sides[-1], SHARES, work)
    run = work / "run"
    result = train_restgan(bottoms, replace(SETTINGS, images=images), run, ProgressLines("restgan-tiny"))
    with written_whole(out, "base") as part:
        model = load_artefact(result.artefact)
        digest = save_artefact(part, model, {"images": images, "steps": result.steps, "seconds": result.seconds})
        with safe_open(run / "checkpoint" / "state.safetensors", "pt") as state:
            names = [name for name in state.keys() if name.startswith(CHECKPOINT)]  # noqa: SIM118 (not a mapping)
            save_discriminators(part, {name.removeprefix(CHECKPOINT): state.get_tensor(name) for name in names})
        save_judge(judge, part / JUDGE_FILE)
        (part / "recipe.yaml").write_text(_recipe(images, digest, bottoms, judge), encoding="utf-8")
        (part / "README.md").write_text(_card(bottoms, judge, result), encoding="utf-8")
    return digest


def _recipe(images: int, digest: str, bottoms: Bottoms, judge: AttributeJudge) -> str:
    return yaml.safe_dump(
        {
            "what": "ReStGAN base of Selvedge, trained on drawn bottoms only",
            "command": "python -m training.restgan.pretraining --out models/restgan-tiny --work DIR",
            "drawn": {"seed": SEED, "products": PRODUCTS, "articles": list(ARTICLES), "version": VERSION},
            "shares": dict(zip(("train", "judge", "test"), SHARES, strict=True)),
            "settings": asdict(replace(SETTINGS, images=images)),
            "digests": {"model": digest, "judge": judge.digest, "data": bottoms.digest},
        },
        sort_keys=False,
    )


def _card(bottoms: Bottoms, judge: AttributeJudge, result: Result) -> str:
    """Markdown of the card; every figure is measured here, on part test."""
    held_out, model = bottoms.of("test"), result.load()
    drawn = model.draw_last(held_out.words, held_out.colour_words, held_out.lengths, model.noise(len(held_out), 0))
    wanted, real = whole_wanted(held_out), judge.features(held_out.pictures)
    ours = attribute_accuracy(judge.probabilities(drawn), wanted)
    best = attribute_accuracy(judge.probabilities(held_out.pictures), wanted)
    floor = real_floor(real, list(held_out.rows["group_id"]), measure=kernel_distance)
    parameters = sum(p.numel() for module in (model.text, model.generator) for p in module.parameters())
    rows = [f"| {name} | {ours[name]:.3f} | {best[name]:.3f} |" for name in (*ATTRIBUTES, ALL_ATTRIBUTES)]
    return "\n".join(
        [
            "# restgan-tiny",
            "",
            "A ReStGAN that draws pants, jeans and shorts at 64 pixels from words, made by Selvedge's own code on",
            "drawn pictures only. Candidates begin from it: a catalogue's own words and colours are put to it.",
            "",
            f"- {parameters / 1e6:.2f} M parameters of text encoder and generator, float32 safetensors; Apache-2.0; no",
            "  photograph was used. Beside them its discriminators, with which a training goes on, and its judge.",
            f"- Seen: {result.steps * SETTINGS.batch_size:,} pictures of {len(bottoms.of('train')):,} drawn bottoms "
            f"(seed {SEED}, style `studio`); {result.seconds / 60:.0f} min of one core.",
            "- `recipe.yaml` holds the command, the settings and the digests.",
            "",
            f"## Measured on the words of {len(held_out):,} drawn bottoms of other items",
            "",
            "Share of asked attributes that the judge finds; ceiling: what it finds in the products' own pictures.",
            "",
            "| attribute | drawn | ceiling |",
            "|---|---|---|",
            *rows,
            "",
            f"KID on the judge's features {kernel_distance(real, judge.features(drawn)):.4f}; real against real "
            f"{floor.value:.4f} ({floor.rows:,} pictures a side).",
            "",
            "## Limits",
            "",
            "It knows drawings of three garments. A catalogue drawn with its seed would show it garments it has seen.",
            "It has seen no photograph. The table is of type, colour and gender, which its training rewards; what",
            "every other word does `python -m benchmarks.restgan_words` prints (docs/benchmarks.md, Every word).",
            "",
        ]
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=Path("models/restgan-tiny"))
    parser.add_argument("--work", type=Path, default=Path(".selvedge/restgan-tiny"))
    parser.add_argument("--images", type=int, default=IMAGES, help="real pictures to see in all")
    arguments = parser.parse_args()
    arguments.work.mkdir(parents=True, exist_ok=True)
    print(make_base(arguments.out.resolve(), arguments.work.resolve(), arguments.images))


if __name__ == "__main__":
    main()
