"""Where recorded files stand now: tables name pictures by whole paths, and a home or a catalogue may be moved.

Belongs here: finding what a table or a record names below the folder that it is read from. Not here: reading it.

Paths are mended when they are read, never in the files: a table stays the one that its hash names, also in a home that
was copied and is still used where it was. What lies in the folder comes before what lies where it once stood.
"""

from collections.abc import Sequence
from pathlib import Path

import pyarrow as pa
from upath import UPath

from catalog.places import LOCAL_PROTOCOLS

PLACES = ("uri", "image_uri")  # columns that say where files lie


def standing(addresses: Sequence[str], folder: str | Path | UPath) -> list[str]:
    """Each address as it is below `folder`, where it names something that was moved or copied along with that.

    An address that is below the folder already, in a bucket, or of something that is not there stays as it is.

    Args:
        addresses: whole paths of files or folders. folder: a home, a catalogue directory or a part of one.
    """
    root = UPath(folder)
    if root.protocol not in LOCAL_PROTOCOLS:
        return list(addresses)
    here = Path(root.path).absolute()
    parents: dict[str, Path | None] = {}  # folder of an address -> the same one below `here`
    return [_standing(address, here, parents) for address in addresses]


def with_files_here(table: pa.Table, folder: str | Path | UPath) -> pa.Table:
    """A table whose columns of `PLACES` are `standing`; the table itself where nothing was moved."""
    for name in PLACES:
        if name in table.column_names:
            recorded = table[name].to_pylist()
            now = standing([address or "" for address in recorded], folder)
            if now != [address or "" for address in recorded]:
                position = table.schema.get_field_index(name)
                table = table.set_column(position, table.schema.field(position), pa.array(now, pa.string()))
    return table


def _standing(address: str, here: Path, parents: dict[str, Path | None]) -> str:
    if not address.startswith("/") or address.startswith(f"{here}/"):
        return address
    parent, _, name = address.rpartition("/")
    if parent not in parents:
        parents[parent] = _same_folder(parent, here)
    below = parents[parent]
    return str(below / name) if below is not None and (below / name).exists() else address


def _same_folder(folder: str, here: Path) -> Path | None:
    """The longest end of a path that is a folder below `here`."""
    parts = Path(folder).parts[1:]
    ends = (here.joinpath(*parts[start:]) for start in range(len(parts)))
    return next((end for end in ends if end.is_dir()), None)
