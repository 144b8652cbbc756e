"""The folder of every family's artefact: what it says of itself in selvedge.json, which files it may hold, its hash.

Belongs here: writing and reading selvedge.json, refusing another family's, another format, or files that may run code.
Not here: what a family writes (training/blip2/artefact.py, training/restgan/sampling.py).
"""

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from catalog.errors import SelvedgeError

if TYPE_CHECKING:
    from torch import Tensor


def read_artefact_file(folder: Path, family: str, known_format: int) -> dict[str, Any]:
    """`selvedge.json` of an artefact, its family and format checked; loads no weights.

    Raises:
        SelvedgeError: missing, unreadable, another family, or a format this code does not know.
    """
    file = folder / "selvedge.json"
    try:
        about: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise SelvedgeError(
            f"model {file} is missing or not JSON ({error}); give a folder written by `selvedge train`."
        ) from error
    named = about.get("family") if isinstance(about, dict) else None
    if named != family:
        raise SelvedgeError(f"model {folder} is of the family {named}, not {family}; give another folder.")
    if about.get("format") != known_format:
        raise SelvedgeError(
            f"model {folder} has format {about.get('format')}, this version reads {known_format}; update selvedge."
        )
    return about


def save_artefact(
    folder: Path, what: str, body: Mapping[str, Any], tensors: "Mapping[str, Tensor]", weights: str, notes: Any
) -> str:
    """Write `selvedge.json` and the weights whole; the digest of `body` with the hash of the weights.

    Args:
        what: names the artefact in messages. body: what answers depend on. weights: the file's name. notes: plain data
            that the digest does not cover.

    Raises:
        SelvedgeError: the disk is full or not writable; nothing is left.
    """
    from safetensors.torch import save_file

    from catalog.files import json_sha256
    from training.folders import written_whole
    from training.weights import digest_of

    hashed = {**body, "weights": digest_of(tensors)}
    digest = json_sha256(hashed)
    with written_whole(folder, what) as part:
        save_file(dict(tensors), part / weights)
        text = json.dumps({**hashed, "digest": digest, "notes": notes}, indent=1) + "\n"
        (part / "selvedge.json").write_text(text, encoding="utf-8")
    return digest


def read_saved(folder: Path, what: str, family: str, known_format: int) -> dict[str, Any]:
    """`selvedge.json` of what `save_artefact` wrote, held to its digest; reads no weights.

    Raises:
        SelvedgeError: as `read_artefact_file`, or changed.
    """
    from catalog.files import json_sha256

    about = read_artefact_file(folder, family, known_format)
    body = {name: value for name, value in about.items() if name not in ("digest", "notes")}
    if json_sha256(body) != about.get("digest"):
        raise SelvedgeError(f"{what} {folder} does not match its digest; train it again.")
    return about


def refuse_pickles(folder: Path) -> None:
    """Raises: SelvedgeError: the folder is missing, empty, or holds a format that may run code when it is loaded."""
    files = [path for path in folder.rglob("*") if path.is_file()] if folder.is_dir() else []
    if not files:
        raise SelvedgeError(f"model folder {folder} is missing or empty; train a candidate into it first.")
    for path in files:
        if path.suffix in {".bin", ".pt", ".pth", ".pkl", ".pickle", ".ckpt", ".joblib"}:
            raise SelvedgeError(f"{path} may run code when it is loaded; keep weights as safetensors.")


def folder_sha256(folder: Path) -> str:
    """One hash over names and bytes of all files of a folder."""
    digest = hashlib.sha256()
    for path in sorted(path for path in folder.rglob("*") if path.is_file()):
        digest.update(path.relative_to(folder).as_posix().encode() + b"\0")
        with path.open("rb") as file:
            digest.update(hashlib.file_digest(file, "sha256").digest())
    return digest.hexdigest()
