"""Answers of the ceilings, kept with the data set that they are about.

Belongs here: where they are, writing and reading them. Not here: training one (scoring.py).
"""

from collections.abc import Mapping
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pandas as pd
    from upath import UPath

PREFIX, SUFFIX = "answers-of-", ".parquet"
TABLE = "ceiling_answers"


def keep_ceilings(ceilings: "Mapping[str, pd.DataFrame]", folder: "UPath") -> None:
    """Write every subject's answers into the folder of a frozen data set."""
    from catalog.tables import write_private_table

    for subject, answers in ceilings.items():
        write_private_table(answers, folder / f"{PREFIX}{subject.replace(':', '.')}{SUFFIX}", TABLE)


def kept_ceilings(folder: "UPath") -> "dict[str, pd.DataFrame]":
    """Answers of the ceilings that were trained on a frozen data set, by subject; empty where none was.

    Raises:
        SelvedgeError: one is damaged.
    """
    from catalog.tables import read_table

    files = folder.glob(f"{PREFIX}*{SUFFIX}") if folder.exists() else ()
    return {_subject(file.name): read_table(file, TABLE).to_pandas() for file in files}


def _subject(file_name: str) -> str:
    return file_name.removeprefix(PREFIX).removesuffix(SUFFIX).replace(".", ":")
