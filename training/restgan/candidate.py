"""One candidate from a catalogue to an artefact: the data set, the judge, the training, the folder that is registered.

Belongs here: what a person can choose about a candidate, and the order of the steps. Not here: the steps.

An artefact is what sampling.py writes, and beside it the judge (it measures the candidate, and search embeds pictures
with it), `base/`, the weights that the candidate began with, and `bottoms.json`, how its data set was made: whoever
compares the two, or wants pictures that the candidate has not seen, needs nothing else but the catalogue.
"""

import json
import shutil
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Annotated, Any

from catalog.errors import SelvedgeError
from catalog.files import json_sha256
from training.attribute_judge import JUDGE_FILE, AttributeJudge, load_judge, save_judge
from training.folders import models_folder, written_whole
from training.reporting import Reporter, Silent
from training.restgan.colours import THRESHOLD
from training.restgan.dataset import SHARES, Bottoms, ProductTables, build_bottoms, read_bottoms, write_bottoms
from training.restgan.judge_training import JudgeSettings, train_judge
from training.restgan.loop import Result, train_restgan
from training.restgan.sampling import load_artefact, read_about, save_artefact
from training.restgan.settings import RestganSettings
from training.restgan.start import Start, random_start, read_start, refuse_other_sizes
from training.settings import INNER_SHARE, NOT_NEGATIVE, Range, hold_to_ranges, settings_from

NO_BASE = "none"
BASE_FOLDER = "base"
PREPARED_FOLDER = "restgan"  # of a workspace by hand: data sets and judges, by the settings they were made with
PREPARED_BOTTOMS = "bottoms"
BOTTOMS_FILE = "bottoms.json"


@dataclass(frozen=True)
class RestganCandidateSettings:
    """One candidate.

    Attributes:
        base: what it begins from: a name of `models/`, a folder, or `none` for random weights.
        threshold: CIEDE2000 up to which two colour words share a cluster. minimum_count: of a word in part train.
        shares: of groups in train, judge and test.
        restgan: the training; the defaults continue the base that ships for two minutes of two cores.
        judge: the judge's; it begins from the base's judge where there is a base.
    """

    base: str = "restgan-tiny"
    threshold: Annotated[float, NOT_NEGATIVE] = THRESHOLD
    minimum_count: Annotated[int, Range(1)] = 5
    shares: Annotated[tuple[float, ...], INNER_SHARE] = SHARES
    restgan: RestganSettings = field(
        default_factory=lambda: RestganSettings(
            stages=2, images=8_000, precision="auto", generator_rate=1e-4, discriminator_rate=2e-4, text_rate=5e-5,
            checkpoint_every=100, report_every=10, sample_every=100,
        )
    )  # fmt: skip
    judge: JudgeSettings = field(default_factory=lambda: JudgeSettings(epochs=15, learning_rate=0.004))

    def __post_init__(self) -> None:
        hold_to_ranges(self)
        if len(self.shares) != 3 or abs(sum(self.shares) - 1) > 1e-6:
            raise SelvedgeError(f"setting shares is {list(self.shares)}; give three positive shares that sum to 1.")


@dataclass(frozen=True)
class Prepared:
    """What training and measuring stand on."""

    bottoms: Bottoms
    judge: AttributeJudge


@dataclass(frozen=True)
class CandidateResult:
    """A finished candidate.

    Attributes:
        artefact: folder for the registry. digest: of its model. training: history, steps, seconds.
        base_digest: of what it began with.
    """

    artefact: Path
    digest: str
    training: Result
    base_digest: str

    def to_dict(self) -> dict[str, Any]:
        """Plain data for metadata and `--json`."""
        steps, last = self.training.steps, self.training.history[-1] if self.training.history else {}
        return {
            "digest": self.digest, "base_digest": self.base_digest, "steps": steps,
            "seconds": self.training.seconds, "last": dict(last),
        }  # fmt: skip


def prepare(
    tables: ProductTables, settings: RestganCandidateSettings, folder: Path, reporter: Reporter | None = None
) -> Prepared:
    """The data set and its judge, kept in `folder`; what is there and still holds is not made again.

    Raises:
        SelvedgeError: the catalogue holds too few bottoms or one colour, a picture cannot be read, or the base is
            missing.
    """
    bottoms = build_bottoms(tables, **made_with(settings), reporter=reporter)
    file = folder / PREPARED_BOTTOMS
    if not file.exists() or read_bottoms(file).digest != bottoms.digest:
        write_bottoms(bottoms, file)
    return Prepared(bottoms, prepare_judge(bottoms, settings, folder / JUDGE_FILE, reporter))


def prepare_judge(
    bottoms: Bottoms, settings: RestganCandidateSettings, file: Path, reporter: Reporter | None = None
) -> AttributeJudge:
    """The judge of these bottoms: the one in the file `place`, else a new one.

    Raises:
        SelvedgeError: as for `train_judge`, or the base is missing.
    """
    if file.exists() and (kept := load_judge(file)).data == bottoms.digest:
        return kept
    start, colours = None, None
    if settings.base != NO_BASE:
        folder = base_folder(settings.base)
        start, colours = load_judge(folder / JUDGE_FILE), load_artefact(folder).colours
    judge = train_judge(bottoms, settings.judge, reporter, start, colours)
    save_judge(judge, file)
    return judge


def train_candidate(
    prepared: Prepared,
    settings: RestganCandidateSettings,
    out: Path,
    reporter: Reporter | None = None,
) -> CandidateResult:
    """Train in `out` and leave the artefact in `out/artefact`; after a stop the same call goes on.

    Raises:
        TrainingStopped: SIGTERM or Ctrl-C; a checkpoint was written.
        SelvedgeError: see `train_restgan` and `read_start`.
    """
    bottoms, start = prepared.bottoms, None
    if settings.base != NO_BASE:
        start = read_start(base_folder(settings.base), bottoms, settings.restgan)
    result = train_restgan(bottoms, settings.restgan, out, reporter or Silent(), start)
    artefact = out / "artefact"
    base_digest = _assemble(artefact, result, prepared, settings, start)
    return CandidateResult(artefact, result.digest, result, base_digest)


def made_with(settings: RestganCandidateSettings) -> dict[str, Any]:
    """What the data set depends on beside the catalogue: arguments of `build_bottoms`."""
    return {
        "size": settings.restgan.sides[-1],
        "threshold": settings.threshold,
        "minimum_count": settings.minimum_count,
        "shares": list(settings.shares),
    }


def prepared_folder(workspace: Path, settings: RestganCandidateSettings) -> Path:
    """Where the data set and the judge of these settings are kept by hand; other settings have another folder.

    Raises:
        SelvedgeError: there is no such base, or its networks have other sizes; said before minutes of work.
    """
    base = NO_BASE
    if settings.base != NO_BASE:
        folder = base_folder(settings.base)
        about = read_about(folder)
        refuse_other_sizes(
            folder, settings_from(RestganSettings, about["settings"], f"base {folder}"), settings.restgan
        )
        base = str(about["digest"])
    content = [base, made_with(settings), asdict(settings.judge)]
    return workspace / PREPARED_FOLDER / json_sha256(content, sort_keys=False)[:12]


def bottoms_of(artefact: Path, tables: ProductTables, reporter: Reporter | None = None) -> Prepared:
    """The data set that a candidate was trained on, built again from its catalogue, and its judge.

    Raises:
        SelvedgeError: the folder is not whole, or the catalogue does not give those bottoms: of others nobody knows
            which the candidate has learnt by heart.
    """
    whole_artefact(artefact)
    judge = load_judge(artefact / JUDGE_FILE)
    try:
        about = json.loads((artefact / BOTTOMS_FILE).read_text(encoding="utf-8"))
        bottoms = build_bottoms(tables, **about, reporter=reporter)
    except (OSError, ValueError, TypeError) as error:
        raise SelvedgeError(f"model {artefact / BOTTOMS_FILE} is missing or damaged; copy the folder again.") from error
    if judge.data != bottoms.digest:
        raise SelvedgeError(f"model {artefact} was trained on other bottoms than this catalogue gives; give its own.")
    return Prepared(bottoms, judge)


def base_folder(base: str) -> Path:
    """Where a base lies: a folder of that path, or of that name in `models/` (SELVEDGE_MODELS names another place).

    Raises:
        SelvedgeError: neither exists.
    """
    models = models_folder()
    for folder in (Path(base).expanduser(), models / base):
        if (folder / "selvedge.json").is_file():
            return folder
    raise SelvedgeError(f"base {base} is neither a folder with a model nor in {models}; give one, or `base: none`.")


def at_device(settings: RestganCandidateSettings, threads: int | None) -> RestganCandidateSettings:
    """The same candidate computed with so many threads: no part of what it is."""
    return replace(settings, restgan=replace(settings.restgan, threads=threads))


def _assemble(
    artefact: Path, result: Result, prepared: Prepared, settings: RestganCandidateSettings, start: Start | None
) -> str:
    """The model, the judge and what it began with, in one folder, whole or not at all; the base's digest."""
    base = start.untrained(settings.restgan) if start else random_start(prepared.bottoms, settings.restgan)
    with written_whole(artefact, "artefact") as part:
        shutil.copytree(result.artefact, part, dirs_exist_ok=True)
        save_judge(prepared.judge, part / JUDGE_FILE)
        (part / BOTTOMS_FILE).write_text(json.dumps(made_with(settings)), encoding="utf-8")
        return save_artefact(part / BASE_FOLDER, base)


def whole_artefact(folder: Path) -> dict[str, Any]:
    """What an artefact of this family says of itself, with its judge and base looked for.

    Raises:
        SelvedgeError: a part is missing.
    """
    about = read_about(folder)
    for name in (JUDGE_FILE, BOTTOMS_FILE, f"{BASE_FOLDER}/selvedge.json"):
        if not (folder / name).is_file():
            raise SelvedgeError(f"model {folder} lacks {name}; give a folder written by `selvedge train restgan`.")
    return about
