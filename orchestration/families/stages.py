"""What the assets of all families share: how one is declared, and which champion it works with.

Belongs here: the two decorators, the champion that Dagster was told of, the settings of candidates. Not here: any
asset (a family's folder), the road from candidate to champion (orchestration/graph/road.py).
"""

import functools
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import dagster as dg

from catalog.errors import SelvedgeError
from orchestration.assets.conditions import follows_new
from orchestration.assets.failures import errors_as_sentences
from orchestration.assets.partitions import DROPS, EVERY, SAME
from orchestration.assets.pinning import pinned_at
from orchestration.assets.published import GPU_POOL, materialised
from orchestration.assets.resources import Models
from orchestration.families.contract import asset_key, champion_key

if TYPE_CHECKING:
    from orchestration.registry.interface import ModelVersionInfo, VersionStore
    from orchestration.runtime.settings import Settings

OWNERS = ("team:models",)
INPUT_VERSION_TAG = "dagster/input_data_version/"  # of a materialisation, before the key of what it was made from
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
    """An asset of `inference/`: what a family's champion makes of every new drop.

    Its body asks `champion_of_run` whom to work with, and names that version's address in its metadata as `model`.
    """

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
        )(errors_as_sentences(_naming_its_champion(family, body)))

    return declared


def _naming_its_champion(family: str, body: Body) -> Body:
    """A publication whose lineage names the version that it used: its metadata's `model`.

    Dagster notes the champion that there is when a step begins. In a backfill that is pinned to an earlier one, a drop
    would look as if it were the newest champion's, and would never be made again.
    """
    used = INPUT_VERSION_TAG + "/".join(champion_key(family).path)

    @functools.wraps(body)
    def named(*args: Any, **kwargs: Any) -> dg.MaterializeResult:
        result = body(*args, **kwargs)
        version = str((result.metadata or {})["model"]).rpartition("/")[2]
        return result._replace(tags={**(result.tags or {}), used: version})

    return named


def champion_of_run(context: dg.AssetExecutionContext, models: Models, family: str) -> "tuple[ModelVersionInfo, Path]":
    """The champion that a run works with: of a backfill's run, the one there was when the backfill was asked for.

    Raises:
        SelvedgeError, ServiceUnavailable: as `reported_champion`.
    """
    return reported_champion(context.instance, models, family, pinned_at(context.instance, context.run.tags))


def reported_champion(
    instance: dg.DagsterInstance, models: Models, family: str, moment: float | None = None
) -> "tuple[ModelVersionInfo, Path]":
    """The champion that Dagster was told of, now or until a moment, and its artefact.

    Not the alias as it is now: the recorded lineage names what was used.

    Args:
        moment: in seconds since the epoch; where nothing was champion yet, the present one is meant.

    Raises:
        SelvedgeError: there is none yet, its files are gone, ledger, alias and Dagster name different versions, or no
            promotion ever made champion what was told of.
        ServiceUnavailable: MLflow does not answer.
    """
    name = "/".join(champion_key(family).path)
    champion = materialised(instance, name)
    if champion is None:
        raise SelvedgeError(f"{family} has no champion yet; train a candidate that passes its gate.")
    registry = models.registry()
    newest = registry.version(family, int(champion["version"]))
    agreed = registry.champion(family)  # refuses an alias that was moved by hand, which Dagster was told of too
    if agreed is None or agreed.version != newest.version:
        recorded = "no version" if agreed is None else f"version {agreed.version}"
        raise SelvedgeError(
            f"Dagster was told that version {newest.version} is champion of {family}, and by the ledger it is "
            f"{recorded}; the champion's watcher reports the newest within a minute: run this again."
        )
    earlier = materialised(instance, name, before=moment) if moment is not None else None
    if earlier is None or int(earlier["version"]) == newest.version:
        return newest, registry.artefact_path(newest)
    version = registry.version(family, int(earlier["version"]))
    _require_promoted(registry, version)
    return version, registry.artefact_path(version)


def _require_promoted(registry: "VersionStore", version: "ModelVersionInfo") -> None:
    """Raises SelvedgeError: by the ledger the version was never champion, whatever Dagster was told."""
    from orchestration.registry.ledger import open_ledger

    records = open_ledger(registry.settings).promotions.history(version.family)
    promoted = {record.version for record in records if record.outcome == "completed" and record.kind != "by_hand"}
    if str(version.version) not in promoted:
        raise SelvedgeError(
            f"version {version.version} of {version.family} was champion when this backfill was asked for, and by the "
            "ledger no promotion made it that; cancel the backfill and ask for it again."
        )


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
