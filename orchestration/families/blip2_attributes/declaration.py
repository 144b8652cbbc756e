"""The declaration of blip2-attributes.

Belongs here: what sets the family apart, as data, and the functions of a few lines that it needs. Not here: training
and scoring (candidate.py), comparing two models (contest.py), its assets (preparation.py,
publication.py), comparing a drop with earlier ones (watching.py).
"""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from orchestration.families.blip2_attributes import NAME
from orchestration.families.blip2_attributes.candidate import digest, score, train
from orchestration.families.blip2_attributes.contest import contest
from orchestration.families.blip2_attributes.inference import infer
from orchestration.families.blip2_attributes.report_section import section
from orchestration.families.blip2_attributes.watching import watch
from orchestration.families.contract import Adopted, Family, Inference, ResultKeys, Review

if TYPE_CHECKING:
    import dagster as dg

    from evaluation.evidence import GateRule
    from labeling.review.pairs.kinds import AttributeCards, Descriptions
    from orchestration.assets.candidates import Opening
    from orchestration.assets.published import Tables
    from orchestration.registry.interface import Served
    from orchestration.runtime.settings import Settings
    from training.blip2.settings import Blip2CandidateSettings

BASE, CLASSIFIER, FEATURES = "training/blip2_base", "training/attribute_classifier", "training/blip2_features"


def settings() -> "type[Blip2CandidateSettings]":
    from training.blip2.settings import Blip2CandidateSettings

    return Blip2CandidateSettings


def open_candidate(instance: "dg.DagsterInstance", settings: "Settings", tables: "Tables") -> "Opening":  # noqa: ARG001 (the contract's)
    """A candidate of the present settings on the data set that the newest features were computed for.

    Raises:
        SelvedgeError: the features were never materialised.
    """
    from orchestration.assets.candidates import Opening
    from orchestration.families.stages import candidate_settings, require_materialised
    from training.blip2.settings import Blip2CandidateSettings

    features = require_materialised(instance, FEATURES, BLIP2_ATTRIBUTES.training_job)
    values = _without_threads(asdict(candidate_settings(Blip2CandidateSettings, settings, NAME)))
    dataset = {name: features[name] for name in ("dataset", "dataset_sha256", "drops", "question_set", "base")}
    return Opening(NAME, values, _made_from(features["dataset_sha256"], features["base_digest"]), dataset)


def adopt(adopted: Adopted, settings: "Settings") -> "Opening":  # noqa: ARG001 (the contract's)
    """What a run by hand would have been opened with here."""
    from orchestration.assets.candidates import Opening

    run = adopted.run
    dataset = {
        "dataset": adopted.dataset,
        "dataset_sha256": adopted.dataset_sha256,
        "drops": list(adopted.drops),
        "question_set": adopted.question_set,
        "base": run.settings["base"],
    }
    made_from = _made_from(adopted.dataset_sha256, str(run.result.get("base_digest", "")))
    return Opening(NAME, _without_threads(run.settings), made_from, dataset)


def _without_threads(values: Mapping[str, Any]) -> dict[str, Any]:
    """How many threads compute it does not make another candidate; which base does, and that goes by its digest."""
    parts = {part: {k: v for k, v in values[part].items() if k != "threads"} for part in ("lora", "continuation")}
    return {**values, **parts}


def _made_from(dataset_sha256: str, base_digest: str) -> str:
    return hashlib.sha256(f"{dataset_sha256} {base_digest}".encode()).hexdigest()


def rule(settings: "Settings") -> "GateRule":
    """At most delta worse than the champion on any attribute, better on the mean; better than the base, and clearly
    better than what answers without a look at the picture. And preferred by people, in a round held by the house's own
    plan: one opened by an easier plan promotes nothing."""
    from evaluation.evidence import BEST_FLOORS, METRICS, GateRule
    from evaluation.gate import VERDICT
    from evaluation.preference_plan import PreferencePlan
    from evaluation.scores import BASE

    return GateRule(
        NAME,
        required=(METRICS, VERDICT),
        beats=(BASE, BEST_FLOORS),
        plan_sha256=PreferencePlan().sha256,
        simulated_ballots=settings.simulated_ballots,
    )


def served() -> "Served":
    from orchestration.families.blip2_attributes.served import SERVED

    return SERVED


def assets() -> "Sequence[Any]":
    import dagster as dg

    from orchestration.families.blip2_attributes import preparation, publication

    return dg.load_assets_from_modules([preparation, publication])


def kinds() -> "tuple[AttributeCards, Descriptions]":
    """What a model that names attributes can be shown by: its answers, or the texts that are written of them."""
    from labeling.review.pairs.kinds import AttributeCards, Descriptions

    return AttributeCards(), Descriptions()


BLIP2_ATTRIBUTES = Family(
    name=NAME,
    describes="Answers what a product's picture shows, attribute by attribute, out of closed vocabularies.",
    assets=assets,
    prepared=(BASE, CLASSIFIER, FEATURES),
    trained_from=(BASE, FEATURES),
    scored_on=(FEATURES, CLASSIFIER),
    publishes="inference/attributes",
    settings=settings,
    settings_name="blip2_settings",
    open=open_candidate,
    adopt=adopt,
    train=train,
    score=score,
    digest=digest,
    rule=rule,
    served=served,
    watch=watch,
    review=Review(kinds, contest),
    section=section,
    results={
        "train": ResultKeys(
            {
                "best_step": "step of the weights that were kept",
                "monitor": "validation figure that chose them: accuracy or loss",
                "best_value": "that figure at the best step",
                "decoding": "trie or scored, whichever was better on validation",
                "validation_macro_f1": "mean macro-F1 on validation, by decoding",
            }
        )
    },
    flags={"cnn": "train the end-to-end ceiling too (a minute or two)."},
    inference=Inference("attributes", infer),
)
