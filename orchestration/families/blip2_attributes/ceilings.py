"""Answers of the ceilings, kept with the data set that they are about.

Belongs here: where they are, writing and reading them. Not here: training one (preparation.py).
"""

import io
from collections.abc import Mapping
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pandas as pd
    from upath import UPath

PREFIX, SUFFIX = "answers-of-", ".parquet"


def keep_ceilings(ceilings: "Mapping[str, pd.DataFrame]", folder: "UPath") -> None:
    """Write every subject's answers into the folder of a frozen data set."""
    from catalog.tables import publish_bytes

    for subject, answers in ceilings.items():
        file = folder / f"{PREFIX}{subject.replace(':', '.')}{SUFFIX}"
        publish_bytes(answers.to_parquet(index=False, compression="zstd"), file)


def kept_ceilings(folder: "UPath") -> "dict[str, pd.DataFrame]":
    """Answers of the ceilings that were trained on a frozen data set, by subject; empty where none was."""
    import pandas as pd

    files = folder.glob(f"{PREFIX}*{SUFFIX}") if folder.exists() else ()
    return {_subject(file.name): pd.read_parquet(io.BytesIO(file.read_bytes())) for file in files}


def _subject(file_name: str) -> str:
    return file_name.removeprefix(PREFIX).removesuffix(SUFFIX).replace(".", ":")
