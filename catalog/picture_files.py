"""Which files belong to a row: its picture in `images/`, its JSON in `styles/`, and what lies there instead.

Belongs here: finding files by product id, what images.csv says of them. Not here: opening them (product_files.py).
"""

from collections.abc import Sequence
from typing import Protocol

from catalog.product_files import ProductFiles
from catalog.quarantine import Reason, Rejected
from catalog.rows import NO_IMAGE, Row, parse_images
from catalog.source import File, Listing, Source, name_of
from catalog.values import product_id_of

IMAGE_SUFFIXES = ("jpg", "jpeg", "jfif", "jpe", "png", "webp", "avif", "gif", "bmp", "tif", "tiff")
SHOWN_NAMES = 3


class Pictures(Protocol):
    """Finds the picture of a row."""

    def find(self, row: Row) -> File | None: ...
    def why_none(self, row: Row) -> str: ...


class Folder:
    """The files of one folder by stem; of two with one stem, the one whose suffix comes first.

    The folder's name may be in any case, and a folder that holds nothing but one of its own name, as some archives
    unpack, stands for that one.
    """

    def __init__(self, source: Source, name: str, suffixes: Sequence[str]) -> None:
        self._wanted = name
        self.suffixes = suffixes
        self.name = name
        self._there = source.listing(name)
        if self._there == Listing([], [], []):
            self.name = source.spelled(name) or name
            self._there = source.listing(self.name) if self.name != name else self._there
        inner = [folder for folder in self._there.folders if folder.casefold() == name.casefold()]
        if not self._there.files and len(inner) == 1:
            self.name = f"{self.name}/{inner[0]}"
            self._there = source.listing(self.name)
        ranked: dict[str, tuple[int, File]] = {}
        for file in self._there.files:
            stem, dot, suffix = name_of(file).rpartition(".")
            rank = suffixes.index(suffix.lower()) if dot and suffix.lower() in suffixes else -1
            if rank >= 0 and (stem not in ranked or rank < ranked[stem][0]):
                ranked[stem] = (rank, file)
        self._by_stem = {stem: file for stem, (_, file) in ranked.items()}

    def find(self, row: Row) -> File | None:
        """The file of a row, named by its id as written or as the number it is."""
        return self._by_stem.get(row.written_id) or self._by_stem.get(str(row.product_id))

    def why_none(self, row: Row) -> str:
        """Why a row has no file here, in a few words."""
        stem = str(row.product_id)
        missing = f"no file {self.name}/{stem}.{self.suffixes[0]}"
        link = next((name for name in self._there.dangling if name.rpartition(".")[0] == stem), None)
        if link is not None:
            return f"{self.name}/{link} is a link that leads to no file"
        folder = next((name for name in self._there.folders if stem in (name, name.rpartition(".")[0])), None)
        if folder is not None:
            return f"{missing}; {self.name}/{folder} is a folder"
        other = next((name for name in map(name_of, self._there.files) if name.rpartition(".")[0] == stem), None)
        return f"{self.name}/{other} is not of a kind that is read ({', '.join(self.suffixes)})" if other else missing

    def what_is_there(self, source: Source) -> str:
        """What lies where the files were looked for, in one clause, for a catalogue none of whose files was found."""
        form = f"a picture is {self._wanted}/<id>.{self.suffixes[0]}"
        for what, names in (("files", list(map(name_of, self._there.files))), ("folders", self._there.folders)):
            if names:
                return (
                    f"{self.name}/ holds {len(names)} {what} such as {', '.join(sorted(names)[:SHOWN_NAMES])}; {form}"
                )
        folders = sorted(source.listing("").folders)
        if self.name.partition("/")[0] in folders:
            return f"{self.name}/ is empty; {form}"
        seen = f", but {', '.join(f'{name}/' for name in folders[:SHOWN_NAMES])}" if folders else ""
        return f"there is no folder {self._wanted}/{seen}; {form}"


def pair_files(
    rows: Sequence[Row], source: Source, images: Pictures
) -> tuple[list[Row], list[ProductFiles], list[Rejected]]:
    """The rows that have an image, their files, and the rows that have none.

    Raises:
        SelvedgeError: images.csv is there and is no table of `filename` and `link`.
    """
    details = Folder(source, "styles", ("json",))
    listed = source.read("images.csv")
    declared = parse_images(listed, str(source.root / "images.csv")) if listed is not None else set()
    stems = {_stem(name) for name in declared}
    declared_missing = {product_id_of(stem) for stem in stems}
    with_image: list[Row] = []
    files: list[ProductFiles] = []
    without: list[Rejected] = []
    for row in rows:
        image = images.find(row)
        if row.product_id in declared_missing:
            without.append(Rejected(row.line, Reason.MISSING_IMAGE, row.raw, f"images.csv links it to {NO_IMAGE!r}"))
        elif image is None:
            without.append(Rejected(row.line, Reason.MISSING_IMAGE, row.raw, images.why_none(row)))
        else:
            with_image.append(row)
            files.append(ProductFiles(row.product_id, image, details.find(row)))
    return with_image, files, without


def _stem(written: str) -> str:
    """The product id in a file's name: without folders, and without the suffix where there is one."""
    name = written.replace("\\", "/").rpartition("/")[2]
    stem, dot, suffix = name.rpartition(".")
    return stem if dot and suffix.lower() in IMAGE_SUFFIXES else name
