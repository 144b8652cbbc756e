"""What the assets of all families share: how one is declared, and which champion it works with.

Belongs here: the two decorators, the champion that Dagster was told of, the settings of candidates. Not here: any
asset (a family's folder), the road from candidate to champion (orchestration/graph/road.py).
"""

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import dagster as dg

from catalog.errors import SelvedgeError
from orchestration.assets.conditions import follows_new
from orchestration.assets.failures import errors_as_sentences
from orchestration.assets.partitions import DROPS, EVERY, SAME
from orchestration.assets.published import GPU_POOL, materialised
from orchestration.assets.resources import Models
from orchestration.families.contract import asset_key, champion_key

if TYPE_CHECKING:
    from orchestration.registry.interface import ModelVersionInfo
    from orchestration.runtime.settings import Settings

OWNERS = ("team:models",)
T = TypeVar("T")
Body = Callable[..., dg.MaterializeResult]


def preparation_asset(
    deps: Iterable[str], kinds: Iterable[str], gpu: bool = True
) -> Callable[[Body], dg.AssetsDefinition]:
    """An asset of `training/`: unpartitioned, of everything there is of `deps`."""

    def declared(body: Body) -> dg.AssetsDefinition:
        return dg.asset(
            key_prefix="training",
            group_name="training",
            deps=[dg.AssetDep(asset_key(name), partition_mapping=EVERY) for name in deps],
            pool=GPU_POOL if gpu else None,
            owners=OWNERS,
            kinds=set(kinds),
            code_version="1",
        )(errors_as_sentences(body))

    return declared


def publication_asset(family: str, kinds: Iterable[str]) -> Callable[[Body], dg.AssetsDefinition]:
    """An asset of `inference/`: what a family's champion makes of every new drop."""

    def declared(body: Body) -> dg.AssetsDefinition:
        return dg.asset(
            key_prefix="inference",
            group_name="inference",
            partitions_def=DROPS,
            deps=[
                dg.AssetDep(asset_key("catalog/products"), partition_mapping=SAME),
                dg.AssetDep(asset_key("catalog/images"), partition_mapping=SAME),
                dg.AssetDep(champion_key(family), partition_mapping=EVERY),
            ],
            automation_condition=follows_new(),
            pool=GPU_POOL,
            owners=OWNERS,
            kinds=set(kinds),
            code_version="1",
        )(errors_as_sentences(body))

    return declared


def reported_champion(instance: dg.DagsterInstance, models: Models, family: str) -> "tuple[ModelVersionInfo, Path]":
    """The champion that Dagster was told of, and its artefact.

    Not the alias as it is now: the recorded lineage names what was used.

    Raises:
        SelvedgeError: there is none yet, its files are gone, or ledger, alias and Dagster name different versions.
        ServiceUnavailable: MLflow does not answer.
    """
    champion = materialised(instance, "/".join(champion_key(family).path))
    if champion is None:
        raise SelvedgeError(f"{family} has no champion yet; train a candidate that passes its gate.")
    registry = models.registry()
    version = registry.version(family, int(champion["version"]))
    agreed = registry.champion(family)  # refuses an alias that was moved by hand, which Dagster was told of too
    if agreed is None or agreed.version != version.version:
        recorded = "no version" if agreed is None else f"version {agreed.version}"
        raise SelvedgeError(
            f"Dagster was told that version {version.version} is champion of {family}, and by the ledger it is "
            f"{recorded}; the champion's watcher reports the newest within a minute: run this again."
        )
    return version, registry.artefact_path(version)


def candidate_settings(kind: type[T], settings: "Settings", family: str) -> T:
    """How candidates are trained: by the file that the settings name, or by the defaults.

    Raises:
        SelvedgeError: the file cannot be read, or a setting in it is unknown or does not fit, here or anywhere.
    """
    from training.settings import refuse_absent_devices, settings_of_file

    file = settings.family_settings.get(family)
    loaded = settings_of_file(kind, file) if file else kind()
    refuse_absent_devices(loaded)
    return loaded


def require_materialised(instance: dg.DagsterInstance, name: str, job: str) -> dict[str, Any]:
    """Metadata of the asset `stage/name`.

    Raises:
        SelvedgeError: it was never materialised.
    """
    materialization = materialised(instance, name)
    if materialization is None:
        raise SelvedgeError(f"{name} was never materialised; run the job {job} first.")
    return materialization
