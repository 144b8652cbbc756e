"""What the rows of an index must hash to, drop by drop, in small files beside it.

Belongs here: writing the hashes around a commit, holding rows to them. Not here: the index (index.py).

A hash is announced before the rows are committed and stands alone afterwards. Killed in between, both the old rows and
the new ones are right, and both are among the hashes. A drop without a file was indexed by an older version.
"""

import hashlib
import json
from collections.abc import Callable
from typing import TypedDict

import pyarrow as pa
from upath import UPath

from catalog.errors import SelvedgeError
from catalog.files import publish_text
from catalog.stores import is_there, stored_bytes
from catalog.tables import content_sha256

KEPT = 4  # hashes of a drop whose updates were killed one after the other


class _Stamp(TypedDict):
    drop: str
    rows: list[str]


class IndexStamps:
    """The files of one index, `<sha256 of the drop's name>.json` in a folder of their own."""

    def __init__(self, folder: UPath) -> None:
        self.folder = folder

    def announce(self, drop: str, rows: pa.Table) -> str:
        """Say before a commit that a drop may hold these rows; their hash."""
        sha256 = content_sha256(rows.sort_by("product_id"))
        earlier = self._read(self._file(drop)).get("rows", []) if is_there(self._file(drop)) else None
        if earlier is not None:  # of an older version's rows nothing is known until they are replaced
            self._write(drop, [*earlier, sha256][-KEPT:])
        return sha256

    def confirm(self, drop: str, sha256: str) -> None:
        """Say after a commit that a drop holds rows of this hash."""
        self._write(drop, [sha256])

    def hold(self, rows_of: Callable[[str], pa.Table]) -> bool:
        """Whether every stamped drop has rows of one of its hashes.

        Args:
            rows_of: the rows of a drop, by product.

        Raises:
            SelvedgeError: a file is damaged.
        """
        files = sorted(self.folder.glob("*.json"), key=str) if self.folder.exists() else []
        stamps = [self._read(file) for file in files]
        return all(content_sha256(rows_of(stamp["drop"])) in stamp["rows"] for stamp in stamps)

    def _file(self, drop: str) -> UPath:
        return self.folder / f"{hashlib.sha256(drop.encode()).hexdigest()[:32]}.json"

    def _write(self, drop: str, hashes: list[str]) -> None:
        publish_text(json.dumps({"drop": drop, "rows": hashes}), self._file(drop))

    def _read(self, file: UPath) -> "_Stamp":
        try:
            stamp: _Stamp = json.loads(stored_bytes(file))
            if isinstance(stamp["drop"], str) and isinstance(stamp["rows"], list):
                return stamp
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise SelvedgeError(
                f"index stamp {file} is damaged ({error}); delete it and materialise inference/discovery_index again."
            ) from error
        raise SelvedgeError(
            f"index stamp {file} is damaged; delete it and materialise inference/discovery_index again."
        )
