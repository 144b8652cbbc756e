"""Data of a family's jobs by hand: the tables of a catalogue directory.

Belongs here: reading them with the questions they were read with. Not here: data sets that candidates were opened with
(orchestration/assets/dataset.py), what a family makes of the tables (training/).
"""

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from training.catalogue import CatalogueTables


def catalogue_tables(catalog: Path, question_set: str | None = None) -> "CatalogueTables":
    """The tables of a catalogue directory, asked with the question set that it was read with, or another.

    Raises:
        SelvedgeError: it is no complete catalogue directory.
    """
    from training.catalogue import read_catalogue_folder

    return read_catalogue_folder(catalog, question_set)
