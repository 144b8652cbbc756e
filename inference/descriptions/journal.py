"""Drafts that were paid for, kept until their run has published.

Belongs here: appending and finding drafts. Not here: deciding which draft is published (publish.py).

A table is published whole at the end; a run that is killed before would pay a hosted model a second time for the same
texts.
"""

import json
from pathlib import Path

from catalog.places import not_written


class Journal:
    """A JSON-lines file of drafts by key.

    Args:
        file: created when the first draft is kept. A last line cut off by a kill is ignored.
    """

    def __init__(self, file: Path) -> None:
        self._file = file
        self._texts: dict[str, str] = {}
        if file.exists():
            for line in file.read_text(encoding="utf-8").splitlines():
                try:
                    entry = json.loads(line)
                except ValueError:
                    continue  # the line that a kill cut off; its draft is simply asked for again
                self._texts[entry["key"]] = entry["text"]

    def find(self, key: str) -> str | None:
        return self._texts.get(key)

    def keep(self, key: str, text: str) -> None:
        """Raises SelvedgeError when the disk is full or not writable."""
        self._texts[key] = text
        try:
            self._file.parent.mkdir(parents=True, exist_ok=True)
            with self._file.open("a", encoding="utf-8") as lines:
                lines.write("\n" * self._cut_off() + json.dumps({"key": key, "text": text}, ensure_ascii=False) + "\n")
        except OSError as error:
            raise not_written(self._file, error) from error

    def _cut_off(self) -> bool:
        if not self._file.exists() or self._file.stat().st_size == 0:
            return False
        with self._file.open("rb") as content:
            content.seek(-1, 2)
            return content.read(1) != b"\n"

    def discard(self) -> None:
        """Once the table is published, its rows are the record."""
        self._file.unlink(missing_ok=True)
        self._texts.clear()
