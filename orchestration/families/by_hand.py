"""The work of a family by hand, as the commands see it.

Belongs here: the declaration that each family's file makes, and what all families read alike. Not here: a family's own
steps (the files beside this one).

Nothing heavy is imported here or beside here until a command runs.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    import pandas as pd

    from evaluation.gate import Evidence
    from labeling.review.rounds.contest import Contest
    from orchestration.families.contract import Review
    from training.blip2.scoring import Incumbent
    from training.catalogue import CatalogueTables
    from training.reporting import Reporter


class Scored(Protocol):
    """What scoring gives, whatever the family."""

    @property
    def scores(self) -> "pd.DataFrame": ...
    @property
    def predictions(self) -> "Mapping[str, pd.DataFrame]": ...
    @property
    def evidence(self) -> "Evidence": ...
    def write(self, folder: Path) -> None: ...


@dataclass(frozen=True)
class ToScore:
    """A model to be scored by hand.

    Attributes:
        family, folder, catalog: its name, its artefact's folder and a catalogue directory.
        champion: the model it is compared with.
        cnn: train the end-to-end ceiling as well.
    """

    family: str
    folder: Path
    catalog: Path
    champion: "Incumbent | None" = None
    cnn: bool = False


@dataclass(frozen=True)
class ToCompare:
    """Two models of a family to be judged blind.

    Attributes:
        family, candidate: its name, and the name that the candidate gets.
        folder, champion: their artefacts' folders; None is the base that the candidate began with.
        catalog: a catalogue directory.
    """

    family: str
    candidate: str
    folder: Path
    champion: Path | None
    catalog: Path


@dataclass(frozen=True)
class ByHand:
    """One family's part of the commands.

    Attributes:
        settings: gives the dataclass of its configuration file.
        train: catalogue directory, settings, folder to train in, reporter → its keys of the result of `selvedge train`.
        score: scores one model.
        digest: of an artefact's folder.
        compare: the contest of two folders.
        review: what people are shown of the family.
        options: of `selvedge evaluate` that not every family takes, those it takes.
    """

    settings: Callable[[], type[Any]]
    train: "Callable[[Path, Any, Path, Reporter], dict[str, Any]]"
    score: "Callable[[ToScore, Reporter], Scored]"
    digest: Callable[[Path], str]
    compare: "Callable[[ToCompare], Contest]"
    review: "Callable[[], Review]"
    options: frozenset[str] = frozenset()


def catalogue_tables(catalog: Path, question_set: str | None = None) -> "CatalogueTables":
    """The tables of a catalogue directory, asked with the question set that it was read with, or another.

    Raises:
        SelvedgeError: it is no complete catalogue directory.
    """
    from catalog.workspace import open_catalogue
    from training.catalogue import read_catalogue_folder

    return read_catalogue_folder(
        catalog, question_set or str(open_catalogue(catalog).summary["qa_pairs"]["question_set"])
    )
