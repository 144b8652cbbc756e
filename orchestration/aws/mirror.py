"""A mirror of public weights: pinned by digest, held to a licence, kept in a bucket of one's own.

Belongs here: pins, mirroring, pulling, verifying. Not here: whether a folder can paint (inference/ad_images/backdrops/
weights.py), loading. Nothing is fetched from a hub: whoever has the files mirrors them once, because public weights
vanish and change, and every machine pulls them from there.

A mirror is the model's files and `selvedge-pins.json` beside them, written last: without it there is no mirror. Its
digest names all names and contents, so a pull that is given the digest gets those bytes or nothing.
"""

import hashlib
import json
import re
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path, PurePosixPath

from upath import UPath

from catalog.errors import SelvedgeError
from catalog.files import whole_folder
from catalog.places import not_written
from catalog.stores import asked, is_there, stored_bytes
from catalog.yaml_files import read_yaml

PIN_FILE = "selvedge-pins.json"
FORMAT = 1
LICENCES = Path(__file__).with_name("licences.yaml")
PICKLES = (".bin", ".pt", ".pth", ".ckpt", ".pkl", ".pickle", ".npy", ".h5", ".msgpack")
Progress = Callable[[int, int, str], None]


@dataclass(frozen=True)
class Pins:
    """What a mirror holds.

    Attributes:
        model, revision: as published. licence: as the folder states it. files: sha256 by relative path. bytes: of all.
    """

    model: str
    revision: str
    licence: str
    files: Mapping[str, str]
    bytes: int

    @property
    def digest(self) -> str:
        """Hex sha256 over names and contents of all files."""
        lines = "".join(f"{name}:{sha256}\n" for name, sha256 in sorted(self.files.items()))
        return hashlib.sha256(lines.encode()).hexdigest()


def pin(folder: Path, model: str, revision: str, progress: Progress = lambda done, total, what: None) -> Pins:
    """The pins of a model's folder.

    Raises:
        SelvedgeError: no folder, a pickle in it, no licence or one that is not allowed, a model that is denied.
    """
    files = _files(folder)
    licence = stated_licence(folder)
    _refuse_licence(folder, model, licence)
    hashes = {}
    for done, (name, file) in enumerate(files.items(), 1):
        with file.open("rb") as stream:
            hashes[name] = hashlib.file_digest(stream, "sha256").hexdigest()
        progress(done, len(files), "hashing")
    return Pins(model, revision, licence, hashes, sum(file.stat().st_size for file in files.values()))


def mirror(folder: Path, to: str, pins: Pins, progress: Progress = lambda done, total, what: None) -> int:
    """Copy a pinned folder into a bucket or another folder; how many files were copied now.

    Raises:
        SelvedgeError: another model is mirrored there, or the files changed meanwhile; the store cannot be written.
        ServiceUnavailable: the store does not answer.
    """
    target = _place(to)
    if is_there(target / PIN_FILE):
        kept = read_pins(to)
        if kept.digest != pins.digest:
            raise SelvedgeError(
                f"{to} holds {kept.model} at {kept.revision} ({kept.digest[:12]}), and not what is to be mirrored; "
                "choose another place."
            )
        return 0
    for done, (name, sha256) in enumerate(sorted(pins.files.items()), 1):
        content = (folder / name).read_bytes()
        if hashlib.sha256(content).hexdigest() != sha256:
            raise SelvedgeError(f"{folder / name} changed while it was mirrored; run again.")
        _write(target / name, content)
        progress(done, len(pins.files), "mirroring")
    text = json.dumps({"format": FORMAT, **asdict(pins), "digest": pins.digest}, indent=1, sort_keys=True)
    _write(target / PIN_FILE, text.encode())
    return len(pins.files)


def pull(place: str, out: Path, digest: str, progress: Progress = lambda done, total, what: None) -> Pins:
    """Fetch a mirrored model into a folder, whole or not at all.

    Args:
        digest: of the pins, as `mirror` told it; at least its first 12 digits.

    Raises:
        SelvedgeError: other bytes than those that were pinned, a licence that is not allowed, no mirror there.
        ServiceUnavailable: the store does not answer.
    """
    if not re.fullmatch(r"[0-9a-f]{12,64}", digest):
        raise SelvedgeError(f"--digest {digest:.70} is none; give at least 12 digits of what `models mirror` told.")
    pins = read_pins(place)
    if not pins.digest.startswith(digest):
        raise SelvedgeError(f"{place} holds {pins.model} with the digest {pins.digest[:12]}, not {digest[:12]}.")
    _refuse_licence(place, pins.model, pins.licence)
    source = _place(place)
    try:
        with whole_folder(out) as part:
            for done, (name, sha256) in enumerate(sorted(pins.files.items()), 1):
                content = _content(source, name)
                if hashlib.sha256(content).hexdigest() != sha256:
                    raise SelvedgeError(f"{source / name} is not what was pinned; mirror {pins.model} again.")
                file = part / name
                file.parent.mkdir(parents=True, exist_ok=True)
                file.write_bytes(content)
                progress(done, len(pins.files), "pulling")
            (part / PIN_FILE).write_bytes(stored_bytes(source / PIN_FILE))
    except OSError as error:
        raise not_written(out, error) from error
    return pins


def verify(place: str, progress: Progress = lambda done, total, what: None) -> tuple[Pins, list[str]]:
    """The pins of a mirror or of a pulled folder, and what is wrong with it, a sentence each.

    Raises:
        SelvedgeError: it has no pins, or they cannot be read. ServiceUnavailable: the store does not answer.
    """
    pins, wrong, source = read_pins(place), [], _place(place)
    for done, (name, sha256) in enumerate(sorted(pins.files.items()), 1):
        try:
            same = hashlib.sha256(stored_bytes(source / name)).hexdigest() == sha256
        except FileNotFoundError:
            wrong.append(f"{name} is missing.")
        except OSError as error:
            wrong.append(f"{name} cannot be read ({error.strerror or error}).")
        else:
            if not same:
                wrong.append(f"{name} is not what was pinned.")
        progress(done, len(pins.files), "verifying")
    try:
        _refuse_licence(place, pins.model, pins.licence)
    except SelvedgeError as refused:
        wrong.append(str(refused))
    return pins, wrong


def read_pins(place: str) -> Pins:
    """Raises SelvedgeError: there are none, or they are damaged. ServiceUnavailable: the store does not answer."""
    file = _place(place) / PIN_FILE
    try:
        content = json.loads(stored_bytes(file))
        if content["format"] != FORMAT:
            raise SelvedgeError(f"{file} was written by another version of Selvedge; mirror the model again.")
        pins = Pins(*(content[name] for name in ("model", "revision", "licence", "files", "bytes")))
        if pins.digest != content["digest"] or not all(_inside(name) for name in pins.files):
            raise ValueError("its digest is not that of its files")
    except FileNotFoundError as error:
        raise SelvedgeError(f"{place} holds no {PIN_FILE}; `selvedge models mirror` writes one.") from error
    except OSError as error:
        raise SelvedgeError(f"{file} cannot be read ({error.strerror or error}); check the credentials.") from error
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise SelvedgeError(f"{file} is damaged ({error}); mirror the model again.") from error
    return pins


def stated_licence(folder: Path) -> str:
    """The `license:` (or `license_name:`) at the head of the folder's model card.

    Raises:
        SelvedgeError: there is no card, or it states none.
    """
    card = folder / "README.md"
    text = card.read_text(encoding="utf-8", errors="replace") if card.is_file() else ""
    head = re.match(r"\s*---\s*\n(.*?)\n---\s*(\n|$)", text, re.DOTALL)
    stated = dict(re.findall(r"(?m)^(license|license_name):\s*[\"']?([^\s\"']+)", head[1] if head else ""))
    licence = stated.get("license_name", "") if stated.get("license", "other") == "other" else stated["license"]
    if not licence:
        raise SelvedgeError(f"{folder} states no licence; put the model's README.md with its `license:` field there.")
    return licence.lower()


def _refuse_licence(place: object, model: str, licence: str) -> None:
    table = read_yaml(LICENCES, "licence table")
    plain = re.sub("[^a-z0-9]", "", model.lower())
    denied = next((row for row in table["denied"] if row["name"] in plain), None)
    if denied is not None:
        raise SelvedgeError(f"{place} holds {model}, which is under {denied['licence']} and may not be used in a shop.")
    if licence.lower() not in table["allowed"]:
        raise SelvedgeError(
            f"{place} holds {model} under {licence}, which is not among the allowed licences "
            f"({', '.join(table['allowed'])}); use another model."
        )


def _files(folder: Path) -> dict[str, Path]:
    if not folder.is_dir():
        raise SelvedgeError(f"{folder} is no folder; name the one with the model's files.")
    files = {
        path.relative_to(folder).as_posix(): path
        for path in sorted(folder.rglob("*"))
        if path.is_file() and path.name != PIN_FILE and not _hidden(path.relative_to(folder))
    }
    pickled = next((name for name in files if PurePosixPath(name).suffix.lower() in PICKLES), None)
    if pickled is not None:
        raise SelvedgeError(f"{folder / pickled} may be a pickle, which is never opened; mirror the safetensors only.")
    if not any(name.endswith((".safetensors", ".onnx")) for name in files):
        raise SelvedgeError(f"{folder} holds no weights (*.safetensors or *.onnx); name the model's whole folder.")
    return files


def _hidden(path: Path) -> bool:
    return any(part.startswith(".") for part in path.parts)


def _inside(name: str) -> bool:
    path = PurePosixPath(name)
    return not path.is_absolute() and ".." not in path.parts and name == path.as_posix() and name != "."


def _content(source: UPath, name: str) -> bytes:
    try:
        return stored_bytes(source / name)
    except OSError as error:
        raise SelvedgeError(f"{source / name} cannot be read ({error}); mirror the model again.") from error


def _place(place: str) -> UPath:
    path = UPath(place)
    return UPath(Path(place).expanduser().resolve()) if path.protocol in ("", "file", "local") else path


def _write(file: UPath, content: bytes) -> None:
    def written() -> None:
        if file.protocol in ("", "file", "local"):
            file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(content)

    try:
        asked(str(file), written)
    except OSError as error:
        raise not_written(file, error) from error
