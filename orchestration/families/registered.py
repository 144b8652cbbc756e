"""A candidate and whom it has to beat: from the registry, or from folders that a person names.

Belongs here: finding both, and the candidate that a version was. Not here: how two versions are compared (a family's
contest.py).

A candidate is judged on the data set it was opened with, because nothing of that data set's test split was seen in its
training; where there is no champion the base it was trained from stands in.
"""

import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

from catalog.errors import SelvedgeError
from orchestration.families.contract import Contenders, Family, Review

if TYPE_CHECKING:
    import dagster as dg

    from labeling.review.rounds.contest import Contest
    from orchestration.assets.candidates import Opening
    from orchestration.registry.interface import ModelVersionInfo, VersionStore
    from orchestration.runtime.settings import Settings


VERSION = re.compile(r"models:/(?P<family>[^/@]+)/(?P<version>\d+)")


def trained_as(instance: "dg.DagsterInstance", family: Family, version: str) -> tuple[str | None, dict[str, Any]]:
    """The candidate that was registered as this version, and what its asset says; by Dagster's record alone."""
    from orchestration.assets.partitions import candidate_partitions
    from orchestration.assets.published import materialised

    name = "/".join(family.candidate.path)
    for candidate in candidate_partitions(family.name).get_partition_keys(dynamic_partitions_store=instance):
        about = materialised(instance, name, candidate)
        if about is not None and str(about.get("version")) == version:
            return candidate, about
    return None, {}


def registered_contest(review: Review, settings: "Settings", family: str, candidate: str) -> "Contest":
    """The contest of a registered candidate. Raises: as `registered`; as the family's own contest."""
    return review.contest(registered(settings, family, candidate))


def registered(settings: "Settings", family: str, candidate: str) -> Contenders:
    """A candidate of the registry and the champion there is now.

    Raises:
        SelvedgeError: no such candidate, or it is the champion itself.
        ServiceUnavailable: MLflow does not answer.
    """
    from orchestration.assets.candidates import read_opening
    from orchestration.assets.published import Tables
    from orchestration.registry.registry import Registry

    registry = Registry(settings)
    version = registry.of_candidate(family, candidate)
    if version is None:
        newest = [model.candidate for model in registry.versions(family)][-3:]
        remedy = f"the newest are {', '.join(newest)}." if newest else "train one first."
        raise SelvedgeError(f"candidate {candidate} of {family} is unknown to MLflow; {remedy}")
    opening = read_opening(Tables(root=str(settings.tables())), family, candidate)
    champion = registry.champion(family)
    if champion is not None and champion.version == version.version:
        raise SelvedgeError(f"{candidate} is the champion of {family} itself; there is nothing to judge.")
    return beside_champion(registry, version, champion, opening)


def publisher_of(asset: str) -> Family | None:
    """The family whose champion's work is published in the asset `stage/name`; None where none is installed."""
    from orchestration import families

    return next((family for family in families.FAMILIES if family.publishes == asset), None)


def beside_champion(
    registry: "VersionStore", version: "ModelVersionInfo", champion: "ModelVersionInfo | None", opening: "Opening"
) -> Contenders:
    """A version and the champion with their artefacts. Raises: as `Registry.artefact_path`."""
    return Contenders(
        version.family,
        version.candidate,
        str(version.version),
        registry.artefact_path(version),
        None if champion is None else (str(champion.version), registry.artefact_path(champion)),
        opening,
        registry.settings.home,
    )


def by_hand(family: Family, candidate: str, folder: Path, champion: Path | None, catalog: Path) -> Contenders:
    """A model folder beside another one, or beside its own base, on a catalogue directory.

    Raises:
        SelvedgeError: a folder holds no model of the family.
    """
    from labeling.review.rounds.contest import by_digest

    version = by_digest(family.digest(folder))
    opponent = None if champion is None else (by_digest(family.digest(champion)), champion)
    return Contenders(family.name, candidate, version, folder, opponent, catalog, catalog)
