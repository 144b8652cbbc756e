"""Registering a run that was trained by hand: from its folder to a candidate like any other.

Belongs here: the steps in their order. Not here: the run's record (training/hand_run.py), what a family would have
opened it with (its `adopt`), scores, gates, rounds and the promotion (graph/): from here on they are the same.

The scores that come with a run are not believed: the house's own asset scores it again, on the test split of the data
set that the run learnt from. Nothing is registered before everything that can refuse it was asked.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import dagster as dg

from catalog.errors import SelvedgeError
from orchestration.assets.candidates import name_candidate, record_opening
from orchestration.assets.dataset import keep_dataset
from orchestration.assets.partitions import candidate_partitions
from orchestration.assets.published import Tables, materialised
from orchestration.assets.resources import Models, ModelStore
from orchestration.families.contract import Adopted, Family
from orchestration.graph.build import build_defs
from orchestration.graph.evidence import scores_evidence
from orchestration.jobs.in_process import InProcess
from orchestration.runtime.instance import open_instance
from orchestration.runtime.settings import Settings
from training.hand_run import HandRun, read_run

if TYPE_CHECKING:
    from orchestration.registry.interface import ModelVersionInfo
    from training.reporting import Reporter

BY_HAND = "by hand"


@dataclass(frozen=True)
class Registered:
    """A run that is a candidate now, and what the gate of its scores says."""

    family: Family
    candidate: str
    version: int
    dataset_sha256: str
    passed: bool
    reasons: tuple[str, ...]


def register_run(
    settings: Settings,
    folder: Path,
    artefact: Path,
    catalog: Path | None,
    families: Sequence[Family],
    progress: "Reporter",
    say: Callable[[str], None],
    models: ModelStore | None = None,
) -> Registered:
    """Make a candidate of a run and score it; the same run again finds the candidate that it is.

    Args:
        folder: that `selvedge train` wrote. artefact: inside it. catalog: where its catalogue lies now; None: where it
            was. models: the registry to use; the home's own by default.

    Raises:
        SelvedgeError: the run has no record, is of no family here, was changed, or its catalogue is another one.
        ServiceUnavailable: MLflow does not answer.
    """
    run = read_run(folder)
    family = next((declared for declared in families if declared.name == run.family), None)
    if family is None or family.adopt is None:
        raise SelvedgeError(
            f"{folder} is a run of {run.family}, which cannot be registered by hand; train it in the graph."
        )
    if family.digest(artefact) != run.digest:
        raise SelvedgeError(f"the model in {artefact} is not the one that its record names; train it again.")
    store = models or Models(settings=settings)
    registry = store.registry()  # whether it answers, before anything is written
    tables = Tables(root=str(settings.tables()))
    opening = family.adopt(_adopted(tables, run, artefact, catalog), settings)
    with open_instance(settings) as instance:
        candidate = name_candidate(instance, opening)
        record_opening(tables, candidate, opening)
        version = registry.of_candidate(family.name, candidate)
        if version is None:
            version = _register(store, family, candidate, run, artefact)
        _report(instance, family, candidate, run, version, store)
        instance.add_dynamic_partitions(candidate_partitions(family.name).name or "", [candidate])
        scores = "/".join(family.scores.path)
        if materialised(instance, scores, candidate) is None:
            definitions = build_defs(settings, families, {"progress": progress, "models": store})
            InProcess(definitions, instance, say).run([family.scores], candidate)
        evidence = scores_evidence(family, instance, tables, candidate, settings)
    from evaluation.gate import decide

    decision = decide(family.rule(settings).of_scores(), evidence, evidence.champion_version)
    return Registered(family, candidate, version.version, run.dataset_sha256, decision.promote, decision.reasons)


def _adopted(tables: Tables, run: HandRun, artefact: Path, catalog: Path | None) -> Adopted:
    """The run with its data set, kept in this home under the name of its content."""
    from catalog.datasets import DATASET_TABLES, dataset_sha256
    from catalog.workspace import open_catalogue

    source = catalog or Path(run.catalog)
    catalogue = open_catalogue(source)
    current = {name: getattr(catalogue, name).replace_schema_metadata(None) for name in DATASET_TABLES}
    if dataset_sha256(current) != run.dataset_sha256:
        raise SelvedgeError(
            f"{source} is not the catalogue that the run learnt from, its tables hold something else; give that one "
            "with --catalog: of another nobody knows what the model has seen."
        )
    asked = str(run.settings.get("question_set") or catalogue.summary["qa_pairs"]["question_set"])
    drops = sorted(set(current["products"]["drop"].to_pylist()))
    kept = keep_dataset(tables, current, drops, asked)
    return Adopted(run, artefact, str(kept.folder), kept.sha256, kept.drops, asked)


def _register(store: ModelStore, family: Family, candidate: str, run: HandRun, artefact: Path) -> "ModelVersionInfo":
    """One MLflow run with what the training said of itself, and the version."""
    from orchestration.registry.tracking import Lineage
    from training.settings import flat

    lineage = Lineage("/".join(family.candidate.path), candidate, BY_HAND, run.dataset_sha256)
    with store.attempt(family.name, candidate, lineage) as tracked:
        tracked.params(dict(run.parameters) or flat(run.settings))
        for number, point in enumerate(run.history):
            figures = {name: float(value) for name, value in point.items() if isinstance(value, int | float)}
            tracked.metrics(
                {f"history/{name}": value for name, value in figures.items()}, int(point.get("step", number))
            )
        return store.registry().register(
            family.name,
            candidate,
            artefact,
            tracked,
            {"candidate": candidate, "trained": BY_HAND},
            served=family.served(),
        )


def _report(
    instance: dg.DagsterInstance,
    family: Family,
    candidate: str,
    run: HandRun,
    version: "ModelVersionInfo",
    store: ModelStore,
) -> None:
    """Tell Dagster that the candidate is there, before its partition is: else automation would train it."""
    name = "/".join(family.candidate.path)
    if (materialised(instance, name, candidate) or {}).get("digest") == run.digest:
        return
    metadata: dict[str, Any] = {
        "model": version.uri,
        "version": version.version,
        "digest": run.digest,
        "dataset_sha256": run.dataset_sha256,
        "settings": dict(run.settings),
        "trained": BY_HAND,
        "history": [dict(point) for point in run.history],
        "result": dict(run.result),
        "MLflow run": store.run_page(version.run_id),
    }
    instance.report_runless_asset_event(
        dg.AssetMaterialization(
            family.candidate, partition=candidate, metadata=metadata, tags={"dagster/data_version": run.digest}
        )
    )
