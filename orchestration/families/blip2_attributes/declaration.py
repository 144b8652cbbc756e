"""blip2-attributes: BLIP-2 with a LoRA adapter that names a product's attributes.

Belongs here: the family's declaration and how its candidates are opened, trained and scored, each a few lines over
training/blip2/ and evaluation_run.py. Not here: the road they travel (orchestration/families/contract.py).
"""

import hashlib
from dataclasses import asdict, replace
from typing import TYPE_CHECKING, Any

import dagster as dg
from upath import UPath

from catalog.errors import SelvedgeError
from orchestration.assets.candidates import Opening
from orchestration.assets.dataset import read_dataset
from orchestration.assets.metadata import image, table
from orchestration.assets.partitions import EVERY
from orchestration.assets.published import Tables, materialised
from orchestration.families.blip2_attributes.classifier import kept_ceilings
from orchestration.families.blip2_attributes.contest import contest_of_registry
from orchestration.families.blip2_attributes.preparation import candidate_settings
from orchestration.families.blip2_attributes.report_section import section
from orchestration.families.contract import CandidateJob, Family, Review, Scored, Trained
from orchestration.registry.registry import BLIP2_SERVED
from orchestration.runtime.settings import Settings

if TYPE_CHECKING:
    from evaluation.gate import GateRule
    from labeling.review.pairs.kinds import AttributeCards, Descriptions

NAME = "blip2-attributes"
BASE = dg.AssetKey(["training", "blip2_base"])
CLASSIFIER = dg.AssetKey(["training", "attribute_classifier"])
FEATURES = dg.AssetKey(["training", "blip2_features"])


def open_candidate(instance: dg.DagsterInstance, settings: Settings, tables: Tables) -> Opening:
    """A candidate of the present settings on the data set that the newest features were computed for.

    Raises:
        SelvedgeError: the features were never materialised.
    """
    features = materialised(instance, "training/blip2_features")
    if features is None:
        raise SelvedgeError("training/blip2_features was never materialised; run the job train_blip2_attributes first.")
    chosen = asdict(candidate_settings(settings))
    # How many threads compute it does not make another candidate; which base does, and that goes by its digest.
    for part in ("lora", "continuation"):
        chosen[part].pop("threads")
    dataset = {name: features[name] for name in ("dataset", "dataset_sha256", "drops", "question_set", "base")}
    content = f"{features['dataset_sha256']} {features['base_digest']}"
    return Opening(NAME, chosen, hashlib.sha256(content.encode()).hexdigest(), dataset)


def train(job: CandidateJob) -> Trained:
    """LoRA on cached features; checks, calibrates and registers the result. Goes on where a killed run stopped."""
    from evaluation.plots import learning_curves
    from orchestration.registry.tracking import Reporters
    from training.blip2.candidate import train_candidate
    from training.blip2.settings import CandidateSettings
    from training.settings import settings_from

    opened = job.opening
    settings = settings_from(CandidateSettings, opened.settings, f"the opening of {job.candidate}")
    settings = replace(
        settings,
        base=opened.dataset["base"],
        continue_on_coarse=False,  # the base was continued when it was prepared
        lora=replace(settings.lora, threads=job.settings.threads),
    )
    frozen = read_dataset(opened.dataset["dataset"], opened.dataset["question_set"])
    with job.models.tracked(job.context, NAME, opened.dataset_sha256) as run:
        reporter = run.reporter()
        result = train_candidate(
            frozen, settings, job.settings.features(), job.settings.work / job.candidate,
            Reporters(reporter, job.reporter),
        )  # fmt: skip
        reporter.close()
        run.params(_flat(opened.settings))
        version = job.models.registry().register(
            NAME, job.candidate, result.artefact, run, {"candidate": job.candidate}, served=BLIP2_SERVED
        )
    told = result.to_dict()
    return Trained(
        version.version,
        result.digest,
        {
            "MLflow run": dg.MetadataValue.url(run.url),
            "learning curves": image(learning_curves(result.lora.history), "learning curves"),
            "history": result.lora.history,
            "result": told,
            "validation macro-F1": told["validation_macro_f1"],
        },
    )


def score(job: CandidateJob) -> Scored:
    """The candidate and the champion there is now, on the candidate's own test split."""
    from training.blip2.scoring import Incumbent, LabelledCatalogue, score_artefact

    opened = job.opening
    frozen = read_dataset(opened.dataset["dataset"], opened.dataset["question_set"])
    rows = LabelledCatalogue(frozen.products, frozen.images, frozen.qa_pairs)
    registry = job.models.registry()
    version = registry.of_candidate(NAME, job.candidate)
    if version is None:
        raise SelvedgeError(f"candidate {job.candidate} has no model version in MLflow; materialise it again.")
    champion = registry.champion(NAME)
    incumbent = Incumbent(str(champion.version), registry.artefact_path(champion)) if champion else None
    with job.models.tracked(job.context, NAME, opened.dataset_sha256) as run:
        scored = score_artefact(
            registry.artefact_path(version), rows, job.settings.features(),
            family=NAME, candidate=job.candidate, champion=incumbent, reporter=job.reporter,
            ceilings=kept_ceilings(UPath(opened.dataset["dataset"])),
        )  # fmt: skip
        means = _means(scored.scores)
        run.metrics({f"test/macro_f1/{name.replace(':', '_')}": value for name, value in means.items()})
    plots = {
        name.removesuffix(".png").replace("_", " "): image(content, name) for name, content in scored.plots.items()
    }
    return Scored(
        scored.scores,
        scored.evidence,
        {
            "MLflow run": dg.MetadataValue.url(run.url),
            "mean macro-F1": table(["who", "macro-F1"], [[who, f"{value:.3f}"] for who, value in means.items()]),
            **plots,
        },
        scored.files,
    )


def rule(settings: Settings) -> "GateRule":
    """At most delta worse than the champion on any attribute, better on the mean; a first one must beat the base. And
    preferred by people, in a round held by the house's own plan: one opened by an easier plan promotes nothing."""
    from evaluation.gate import METRICS, GateRule
    from evaluation.preference_plan import PreferencePlan
    from evaluation.verdict_gate import VERDICT

    return GateRule(
        NAME,
        required=(METRICS, VERDICT),
        plan_sha256=PreferencePlan().sha256,
        simulated_ballots=settings.simulated_ballots,
    )


def kinds() -> "tuple[AttributeCards, Descriptions]":
    """What a model that names attributes can be shown by: its answers, or the texts that are written of them."""
    from labeling.review.pairs.kinds import AttributeCards, Descriptions

    return AttributeCards(), Descriptions()


REVIEW = Review(kinds, contest_of_registry)
BLIP2_ATTRIBUTES = Family(
    name=NAME,
    describes="Answers what a product's picture shows, attribute by attribute, out of closed vocabularies.",
    prepared_by=(BASE, CLASSIFIER, FEATURES),
    trained_from=(dg.AssetDep(BASE, partition_mapping=EVERY), dg.AssetDep(FEATURES, partition_mapping=EVERY)),
    scored_on=(dg.AssetDep(FEATURES, partition_mapping=EVERY), dg.AssetDep(CLASSIFIER, partition_mapping=EVERY)),
    open=open_candidate,
    train=train,
    score=score,
    rule=rule,
    publishes=dg.AssetKey(["inference", "attributes"]),
    review=REVIEW,
    section=section,
)


def _means(scores: Any) -> dict[str, float]:
    """Mean macro-F1 over all test rows, by subject."""
    chosen = scores[(scores["metric"] == "macro_f1") & (scores["slice"] == "all") & (scores["attribute"] == "mean")]
    return dict(zip(chosen["subject"], chosen["value"], strict=True))


def _flat(settings: Any, prefix: str = "") -> dict[str, Any]:
    """Nested settings as `lora.rank: 8`, the way MLflow shows parameters."""
    flat: dict[str, Any] = {}
    for name, value in settings.items():
        flat |= _flat(value, f"{prefix}{name}.") if isinstance(value, dict) else {f"{prefix}{name}": value}
    return flat
