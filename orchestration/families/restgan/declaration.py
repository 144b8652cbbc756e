"""restgan: a recurrent StackGAN that pictures what a shopper types, word by word.

Belongs here: the family's declaration and how its candidates are opened, trained and scored, each a few lines over
training/restgan/ and restgan_scoring.py. Not here: the road they travel (orchestration/families/contract.py).
"""

import hashlib
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import dagster as dg

from catalog.errors import SelvedgeError
from orchestration.assets.candidates import Opening
from orchestration.assets.metadata import image, table
from orchestration.assets.partitions import EVERY
from orchestration.assets.published import Tables, materialised
from orchestration.families.contract import CandidateJob, Family, Review, Scored, Trained
from orchestration.families.restgan.contest import contest_of_registry
from orchestration.families.restgan.preparation import JUDGE, candidate_settings
from orchestration.families.restgan.report_section import section
from orchestration.registry.registry import RESTGAN_SERVED
from orchestration.runtime.settings import Settings

if TYPE_CHECKING:
    from evaluation.gate import GateRule
    from labeling.review.pairs.strips import PictureStrips
    from training.restgan.candidate import Prepared

NAME = "restgan"
COLOUR_TABLE = dg.AssetKey(["training", "color_table"])
WORD_SEQUENCES = dg.AssetKey(["training", "word_sequences"])
RESTGAN_JUDGE = dg.AssetKey(["training", "restgan_judge"])
MARGIN = 0.05  # of accuracy: what a candidate may be worse by and still be shown to people


def open_candidate(instance: dg.DagsterInstance, settings: Settings, tables: Tables) -> Opening:
    """A candidate of the present settings on the data set that the newest judge learnt from.

    Raises:
        SelvedgeError: the judge was never materialised.
    """
    told = materialised(instance, JUDGE)
    if told is None:
        raise SelvedgeError(f"{JUDGE} was never materialised; run the job train_restgan first.")
    chosen = asdict(candidate_settings(settings))
    chosen["restgan"].pop("threads")  # how many threads compute it does not make another candidate
    chosen.pop("base")  # nor where its base lies; which base it is goes by its digest
    dataset = {name: told[name] for name in ("bottoms", "judge", "base", "base_digest", "drops")}
    content = f"{told['bottoms_digest']} {told['digest']} {told['base_digest']}"
    return Opening(NAME, chosen, hashlib.sha256(content.encode()).hexdigest(), dataset)


def train(job: CandidateJob) -> Trained:
    """The base continued on the training part; registers the result. Goes on where a killed run stopped."""
    from evaluation.plots import learning_curves
    from orchestration.registry.tracking import Reporters
    from training.restgan.candidate import CandidateSettings, at_device, train_candidate
    from training.settings import settings_from

    opened = job.opening
    values = {**opened.settings, "base": opened.dataset["base"]}
    settings = at_device(
        settings_from(CandidateSettings, values, f"the opening of {job.candidate}"), job.settings.threads
    )
    prepared = read_prepared(opened)
    with job.models.tracked(job.context, NAME, opened.dataset_sha256) as run:
        reporter = run.reporter()
        kept = _LastPicture()
        result = train_candidate(
            prepared, settings, job.settings.work / job.candidate, Reporters(reporter, kept, job.reporter)
        )
        reporter.close()
        run.params({"base": opened.dataset["base_digest"] or "none", **opened.settings["restgan"]})
        version = job.models.registry().register(
            NAME, job.candidate, result.artefact, run, {"candidate": job.candidate}, served=RESTGAN_SERVED
        )
    samples = {"samples": kept.metadata()} if kept.content else {}
    return Trained(
        version.version,
        result.digest,
        {
            "MLflow run": dg.MetadataValue.url(run.url),
            "learning curves": image(learning_curves(result.training.history), "learning curves"),
            "history": result.training.history,
            "result": result.to_dict(),
            **samples,
        },
    )


def score(job: CandidateJob) -> Scored:
    """The candidate, what it began with and the champion there is now, on the words of part test."""
    from training.blip2.scoring import Incumbent
    from training.restgan.scoring import PICTURES, STRIP_FILE, score_restgan

    opened = job.opening
    registry = job.models.registry()
    version = registry.of_candidate(NAME, job.candidate)
    if version is None:
        raise SelvedgeError(f"candidate {job.candidate} has no model version in MLflow; materialise it again.")
    champion = registry.champion(NAME)
    incumbent = Incumbent(str(champion.version), registry.artefact_path(champion)) if champion else None
    with job.models.tracked(job.context, NAME, opened.dataset_sha256) as run:
        scored = score_restgan(
            registry.artefact_path(version), read_prepared(opened),
            family=NAME, candidate=job.candidate, champion=incumbent, reporter=job.reporter,
        )  # fmt: skip
        means = _means(scored.scores)
        run.metrics({f"test/accuracy/{name.replace(':', '_')}": value for name, value in means.items()})
        pictured = scored.scores[(scored.scores["attribute"] == PICTURES) & (scored.scores["subject"] == "candidate")]
        run.metrics({f"test/{row.metric}": row.value for row in pictured.itertuples(index=False)})
    return Scored(
        scored.scores,
        scored.evidence,
        {
            "MLflow run": dg.MetadataValue.url(run.url),
            "mean accuracy of what is drawn": table(["who", "accuracy"], [[k, f"{v:.3f}"] for k, v in means.items()]),
            "pictures": table(["figure", "value"], [[r.metric, f"{r.value:.4g}"] for r in pictured.itertuples()]),
            "refinements": image(scored.plots[STRIP_FILE], "the same words and noise for every model"),
        },
        scored.plots,
    )


def rule(settings: Settings) -> "GateRule":
    """Not clearly worse than what there is at what a judge can see; what is better to look at, people say.

    A classifier sees whether a picture is of black pants, not whether it is a good picture. So the scores may refuse a
    candidate, and only a round by the house's own plan promotes it.
    """
    from evaluation.floors import MAJORITY
    from evaluation.gate import METRICS, GateRule
    from evaluation.preference_plan import PreferencePlan
    from evaluation.verdict_gate import VERDICT

    return GateRule(
        NAME,
        required=(METRICS, VERDICT),
        metric="accuracy",
        delta=2 * MARGIN,
        tolerance=MARGIN,
        beats=(MAJORITY,),
        plan_sha256=PreferencePlan().sha256,
        simulated_ballots=settings.simulated_ballots,
    )


def lacks_bottoms(instance: dg.DagsterInstance, tables: Tables) -> str:
    """Why the catalogue cannot train this family; "" where it can."""
    from catalog.garments import choose_bottoms
    from orchestration.assets.dataset import freeze_dataset, read_dataset

    dataset = freeze_dataset(instance, tables)
    frozen = read_dataset(str(dataset.folder), dataset.question_set)
    try:
        choose_bottoms(frozen.products, frozen.images, frozen.splits)
    except SelvedgeError as error:
        return str(error)
    return ""


def kinds() -> "tuple[PictureStrips]":
    """What a model that draws is shown by: a picture after each word."""
    from labeling.review.pairs.strips import PictureStrips

    return (PictureStrips(),)


REVIEW = Review(kinds, contest_of_registry)
RESTGAN = Family(
    name=NAME,
    describes="Draws what a shopper's words say, one picture after each word.",
    prepared_by=(COLOUR_TABLE, WORD_SEQUENCES, RESTGAN_JUDGE),
    trained_from=(
        dg.AssetDep(WORD_SEQUENCES, partition_mapping=EVERY),
        dg.AssetDep(RESTGAN_JUDGE, partition_mapping=EVERY),
    ),
    scored_on=(dg.AssetDep(RESTGAN_JUDGE, partition_mapping=EVERY),),
    open=open_candidate,
    train=train,
    score=score,
    rule=rule,
    lacks=lacks_bottoms,
    publishes=dg.AssetKey(["inference", "discovery_index"]),
    review=REVIEW,
    section=section,
)


def read_prepared(opened: Opening) -> "Prepared":
    """The data set and the judge that a candidate was opened with.

    Raises:
        SelvedgeError: one is gone or damaged.
    """
    from training.restgan.candidate import Prepared
    from training.restgan.dataset import read_bottoms
    from training.restgan.judge import load_judge

    return Prepared(read_bottoms(opened.dataset["bottoms"]), load_judge(Path(opened.dataset["judge"])))


class _LastPicture:
    """A reporter that keeps the newest sample grid, for the asset's page."""

    def __init__(self) -> None:
        self.content: bytes = b""

    def metrics(self, step: int, values: Any) -> None: ...

    def picture(self, step: int, name: str, image: Any) -> None:
        from training.restgan.grids import encoded_png

        self.content = encoded_png(image)

    def progress(self, done: int, total: int, what: str) -> None: ...

    def metadata(self) -> dg.MarkdownMetadataValue:
        return image(self.content, "samples at the end of training")


def _means(scores: Any) -> dict[str, float]:
    """Mean accuracy over all test rows, by subject."""
    chosen = scores[(scores["metric"] == "accuracy") & (scores["slice"] == "all") & (scores["attribute"] == "mean")]
    return dict(zip(chosen["subject"], chosen["value"], strict=True))
