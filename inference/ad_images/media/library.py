"""A media library: a folder or bucket of pictures with a file that states each one's licence.

Belongs here: reading it, which files may be used and why the others may not. Not here: vectors (embedding.py,
index.py), choosing (retrieval.py).

Either of two files states the licences: `library.yaml` (files: name -> licence, kind, tags, themes, title, author), or
`LICENCES.tsv` (columns `file` and `licence`, and any of the others). Names are paths from the library on; one that
leads nowhere stands for the one file of that name elsewhere in the library. A file that neither names is not used, and
neither is one whose licence is denied or is none that we know: used by mistake it would be published.
"""

import csv
import hashlib
import io
import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from functools import cache
from pathlib import Path, PurePosixPath
from typing import Any

import yaml
from upath import UPath

from catalog.errors import SelvedgeError
from catalog.pictures import Limits, measure_picture
from catalog.quarantine import Rejection
from catalog.stores import stored_bytes
from catalog.yaml_files import read_yaml
from inference.ad_images.refusal import AdRefused, RefusalCode
from inference.ad_images.scene import LibraryPhoto
from inference.ad_images.themes import theme_names

MANIFEST, TABLE = "library.yaml", "LICENCES.tsv"
SUFFIXES = (".jpg", ".jpeg", ".png", ".webp", ".avif", ".bmp", ".tif", ".tiff", ".gif")
FIELDS = ("licence", "kind", "tags", "themes", "title", "author", "source", "sha256")
LICENCE_COLUMNS = ("licence", "license", "licence_section", "license_section")
MOST_MANIFEST = 20_000_000  # bytes


class AssetKind(StrEnum):
    BACKGROUND = "background"
    PROP = "prop"
    THEME = "theme"  # a mood board
    PRODUCT = "product"


@dataclass(frozen=True)
class Asset:
    """A picture that may be used.

    Attributes:
        name: its path inside the library, with `/`. licence: as the library states it. author: "" where not stated.
        tags, themes, title: as stated; themes are names of themes.yaml.
        sha256: of its bytes. width, height: pixels, upright.
    """

    name: str
    kind: AssetKind
    licence: str
    sha256: str
    width: int
    height: int
    tags: tuple[str, ...] = ()
    themes: tuple[str, ...] = ()
    title: str = ""
    author: str = ""

    @property
    def words(self) -> str:
        """Everything that is said of it: title, tags, themes, and its name where that has words."""
        stem = re.sub(r"[_\W]+", " ", str(PurePosixPath(self.name).with_suffix("")))
        return " ".join([self.title, *self.tags, *(name.replace("_", " ") for name in self.themes), stem]).strip()


@dataclass(frozen=True)
class Library:
    """A library as it was read.

    Attributes:
        left_out: name → why the file is not used. unlicensed: names among them that only lack a good licence.
    """

    root: UPath
    assets: tuple[Asset, ...]
    left_out: Mapping[str, str] = field(default_factory=dict)
    unlicensed: frozenset[str] = frozenset()

    def photo(self, name: str) -> LibraryPhoto:
        """The photograph of a name, as a scene takes it.

        Raises:
            AdRefused: there is none (no_asset), or it may not be used (no_licence).
        """
        asset = next((asset for asset in self.assets if asset.name == name), None)
        if asset is not None:
            return photo_of(self.root, asset)
        if name in self.unlicensed:
            raise AdRefused(
                RefusalCode.NO_LICENCE,
                f"{name:.80} of library {self.root} may not be used ({self.left_out[name]}); state its licence in "
                f"{MANIFEST}, or choose another.",
            )
        why = f" ({self.left_out[name]})" if name in self.left_out else ""
        raise AdRefused(
            RefusalCode.NO_ASSET, f"library {self.root} has no picture {name:.80}{why}; choose one that it lists."
        )


def photo_of(root: UPath, asset: Asset) -> LibraryPhoto:
    """An asset as a scene takes it; its licence with the author where that has to be named."""
    licence = f"{asset.licence}, {asset.author}" if asset.author and needs_author(asset.licence) else asset.licence
    address = root / asset.name
    file = Path(address.path) if _is_local(root) else address
    return LibraryPhoto(file, asset.name, asset.sha256, licence)  # type: ignore[arg-type]  # UPath reads alike


def read_library(root: str | Path | UPath, limits: Limits | None = None) -> Library:
    """A library, every picture decoded once.

    Raises:
        SelvedgeError: it is not there, states no licences, or its list of licences cannot be read.
    """
    address = UPath(root)
    try:
        files = {name for name in _files(address) if PurePosixPath(name).name not in (MANIFEST, TABLE)}
        stated, unclear = _with_places(_stated(address), files)
    except OSError as error:
        raise SelvedgeError(
            f"library {address} cannot be read ({error.strerror or error}); check its address."
        ) from error
    assets: list[Asset] = []
    left_out: dict[str, str] = {}
    unlicensed: set[str] = set()
    for name in sorted(files | set(stated)):
        if not name.lower().endswith(SUFFIXES):
            if name in stated:
                left_out[name] = f"not of a kind that is read ({', '.join(SUFFIXES)})"
            continue
        why = licence_fault(stated.get(name, {}).get("licence", ""))
        if name in unclear:
            left_out[name] = unclear[name]
            unlicensed.add(name)
        elif name not in files:
            left_out[name] = "the list of licences names it, and it is not there"
        elif why is not None:
            left_out[name] = why
            unlicensed.add(name)
        else:
            try:
                assets.append(_asset(address, name, stated[name], limits or Limits()))
            except (Rejection, ValueError, OSError) as error:
                left_out[name] = error.detail if isinstance(error, Rejection) else str(error)[:200]
    return Library(address, tuple(assets), left_out, frozenset(unlicensed))


def _with_places(
    stated: Mapping[str, dict[str, Any]], files: Collection[str]
) -> tuple[dict[str, dict[str, Any]], dict[str, str]]:
    """What is stated, by the files' own names; and file → why it cannot be told which of several is meant.

    A name that is no path of the library stands for the only file, unnamed otherwise, that ends in the same name.
    """
    placed = {name: entry for name, entry in stated.items() if name in files}
    astray: dict[str, list[str]] = {}
    for name in stated.keys() - placed.keys():
        astray.setdefault(PurePosixPath(name).name, []).append(name)
    unclear: dict[str, str] = {}
    for last, names in astray.items():
        meant = sorted(name for name in files if PurePosixPath(name).name == last and name not in placed)
        if len(names) == len(meant) == 1:
            placed[meant[0]] = stated[names[0]]
        elif not meant:
            placed.update({name: stated[name] for name in names})
        else:
            why = (
                f"which file is meant by {', '.join(sorted(names)):.80} cannot be told; state paths from the library on"
            )
            unclear |= dict.fromkeys(meant, why)
    return placed, unclear


def licence_fault(licence: str) -> str | None:
    """Why a picture of this licence may not be used; None where it may."""
    if not licence.strip():
        return "no licence is stated"
    said = _plain(licence)
    data = _licences()
    if any(f" {word} " in said for word in map(_plain_word, data["denied"])):
        return f"its licence {licence!r:.60} does not allow it"
    if not any(f" {word} " in said for word in map(_plain_word, data["allowed"])):
        return f"its licence {licence!r:.60} is none that we know"
    return None


def needs_author(licence: str) -> bool:
    """Whether a licence asks for the author's name."""
    return any(f" {word} " in _plain(licence) for word in map(_plain_word, _licences()["attribution"]))


def _plain(licence: str) -> str:
    words = re.sub(r"[^a-z0-9]+", " ", licence.lower()).split()
    return f" {' '.join(words)} "


def _plain_word(word: str) -> str:
    return _plain(str(word)).strip()


@cache
def _licences() -> dict[str, Any]:
    return read_yaml(Path(__file__).with_name("licences.yaml"), "list of licences")


def _is_local(root: UPath) -> bool:
    return root.protocol in ("", "file", "local")


def _files(root: UPath) -> Iterator[str]:
    """Names of all files under a root, with `/`; none that a link leads to outside it."""
    if not root.is_dir():
        raise SelvedgeError(f"library {root} is no folder or bucket; set SELVEDGE_AD_LIBRARY to one.")
    if _is_local(root):
        inside = Path(root.path).resolve()
        for path in sorted(inside.rglob("*")):
            if path.is_file() and path.resolve().is_relative_to(inside):
                yield path.relative_to(inside).as_posix()
        return
    base = root.path.strip("/")
    for path in root.fs.find(root.path):
        yield str(path).strip("/").removeprefix(base).lstrip("/")


def _stated(root: UPath) -> dict[str, dict[str, Any]]:
    """Name → what the library says of the file."""
    for name, read in ((MANIFEST, _from_yaml), (TABLE, _from_table)):
        file = root / name
        if file.exists():
            content = stored_bytes(file)
            if len(content) > MOST_MANIFEST:
                raise SelvedgeError(f"{file} has {len(content):,} bytes; {MOST_MANIFEST:,} are read.")
            try:
                return read(content.decode("utf-8-sig"), str(file))
            except UnicodeDecodeError as error:
                raise SelvedgeError(f"{file} is not UTF-8; save it as such.") from error
    raise SelvedgeError(f"library {root} states no licences; write {MANIFEST} or {TABLE} into it, one entry a file.")


def _from_yaml(text: str, where: str) -> dict[str, dict[str, Any]]:
    try:
        data = yaml.safe_load(text)
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        raise SelvedgeError(f"{where} is not YAML ({' '.join(str(error).split())[:120]}); mend it.") from error
    files = data.get("files") if isinstance(data, dict) else None
    if not isinstance(files, dict):
        raise SelvedgeError(f"{where} has no `files:`, a mapping of file names to licence, kind and tags; write one.")
    stated = {}
    for name, entry in files.items():
        if not isinstance(entry, dict) or set(map(str, entry)) - set(FIELDS):
            raise SelvedgeError(f"{where}: file {name!s:.60} has other fields than {', '.join(FIELDS)}; mend it.")
        stated[_inside(str(name), where)] = {**entry, "licence": str(entry.get("licence") or "")}
    return stated


def _from_table(text: str, where: str) -> dict[str, dict[str, Any]]:
    rows = csv.DictReader(io.StringIO(text), delimiter="\t")
    column = next((name for name in LICENCE_COLUMNS if name in (rows.fieldnames or ())), None)
    if "file" not in (rows.fieldnames or ()) or column is None:
        raise SelvedgeError(f"{where} has no columns `file` and `licence`, parted by tabs; write them.")
    stated = {}
    for row in rows:
        entry = {name: row[name] for name in FIELDS if row.get(name)}
        for listed in ("tags", "themes"):
            if listed in entry:
                entry[listed] = [word.strip() for word in entry[listed].split(",") if word.strip()]
        stated[_inside(row["file"] or "", where)] = {**entry, "licence": row[column] or ""}
    return stated


def _inside(name: str, where: str) -> str:
    path = PurePosixPath(name.replace("\\", "/"))
    if not name.strip() or path.is_absolute() or ".." in path.parts:
        raise SelvedgeError(f"{where}: {name!r:.60} names no file inside the library; write its path from there.")
    return path.as_posix()


def _asset(root: UPath, name: str, entry: Mapping[str, Any], limits: Limits) -> Asset:
    """Raises Rejection or ValueError: the picture cannot be used, or what is said of it is no value of its kind."""
    content = stored_bytes(root / name)
    sha256 = hashlib.sha256(content).hexdigest()
    if entry.get("sha256") and str(entry["sha256"]).lower() != sha256:
        raise ValueError("its bytes are not those whose sha256 the library states")
    measured = measure_picture(content, limits)
    kind = str(entry.get("kind") or _kind_by_folder(name))
    if kind not in list(AssetKind):
        raise ValueError(f"its kind {kind!r:.40} is none of {', '.join(AssetKind)}")
    themes = _listed(entry, "themes")
    unknown = next((each for each in themes if each not in theme_names()), None)
    if unknown is not None:
        raise ValueError(f"its theme {unknown!r:.40} is none of {', '.join(theme_names())}")
    return Asset(
        name,
        AssetKind(kind),
        " ".join(str(entry["licence"]).split()),
        sha256,
        measured.width,
        measured.height,
        _listed(entry, "tags"),
        themes,
        str(entry.get("title") or ""),
        str(entry.get("author") or ""),
    )


def _kind_by_folder(name: str) -> str:
    folder = PurePosixPath(name).parts[0].lower().rstrip("s") if "/" in name else ""
    return folder if folder in list(AssetKind) else AssetKind.BACKGROUND


def _listed(entry: Mapping[str, Any], field_name: str) -> tuple[str, ...]:
    value = entry.get(field_name) or ()
    if isinstance(value, str) or not isinstance(value, Sequence):
        raise ValueError(f"its {field_name} are no list; write [one, two]")
    return tuple(str(each).strip() for each in value if str(each).strip())
