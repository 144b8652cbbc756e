"""A candidate of the registry and whom it has to beat: what every family's contest from the registry starts with.

Belongs here: finding both. Not here: how two versions are compared (a family's contest.py).

A candidate is judged on the data set it was opened with, because nothing of that data set's test split was seen in its
training; where there is no champion the base it was trained from stands in.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from catalog.errors import SelvedgeError
from orchestration.runtime.settings import Settings

if TYPE_CHECKING:
    from orchestration.assets.candidates import Opening


@dataclass(frozen=True)
class Registered:
    """A candidate of the registry. champion: version and folder of the one there is now; None where there is none."""

    version: str
    folder: Path
    opening: "Opening"
    champion: tuple[str, Path] | None


def registered(settings: Settings, family: str, candidate: str) -> Registered:
    """A candidate and whom it has to beat.

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
        known = [one.candidate for one in registry.versions(family)][-3:]
        remedy = f"the newest are {', '.join(known)}." if known else "train one first."
        raise SelvedgeError(f"candidate {candidate} of {family} is unknown to MLflow; {remedy}")
    opened = read_opening(Tables(root=str(settings.tables())), family, candidate)
    champion = registry.champion(family)
    if champion is not None and champion.version == version.version:
        raise SelvedgeError(f"{candidate} is the champion of {family} itself; there is nothing to judge.")
    opponent = None if champion is None else (str(champion.version), registry.artefact_path(champion))
    return Registered(str(version.version), registry.artefact_path(version), opened, opponent)
