"""The toy of families/toy/ as tests of the road want it: without review and assets of its own, a mean a candidate."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import dagster as dg

from evaluation.evidence import GateRule
from orchestration.assets.candidates import Opening, name_candidate, record_opening
from orchestration.assets.partitions import candidate_partitions
from orchestration.assets.published import Tables
from orchestration.families.contract import Family
from orchestration.registry.interface import ModelVersionInfo
from orchestration.runtime.settings import Settings
from tests.orchestration.families.toy.declaration import TOY, read_mean, served, write_model
from tests.orchestration.paper_registry import PaperRegistry


def toy_family(name: str = "toy", mean: float = 0.5) -> Family:
    """The declaration; a candidate opened from it will score `mean`."""
    return replace(
        TOY,
        name=name,
        assets=lambda: [],
        open=lambda instance, settings, tables: Opening(name, {"mean": mean}, "dataset", {}),
        rule=lambda settings: GateRule(name, delta=0.05),
        review=None,
    )


def open_toy(instance: dg.DagsterInstance, tables: Tables, mean: float, name: str = "toy") -> str:
    """Open a candidate that will score `mean`; its key."""
    opening = Opening(name, {"mean": mean}, "dataset", {})
    candidate = name_candidate(instance, opening)
    record_opening(tables, candidate, opening)
    instance.add_dynamic_partitions(candidate_partitions(name).name or "", [candidate])
    return candidate


def register_toy(registry: PaperRegistry, candidate: str, mean: float, name: str = "toy") -> ModelVersionInfo:
    """A version of that mean that no road brought there."""
    folder = write_model(registry.settings.home / candidate, mean)
    return registry.register(name, candidate, folder, None, served=served())


def means(registry: PaperRegistry, name: str = "toy") -> list[float]:
    """Of every version, oldest first."""
    return [read_mean(registry.artefact_path(version)) for version in registry.versions(name)]


def toy_settings(home: Any) -> Settings:
    return Settings(home=Path(home))
