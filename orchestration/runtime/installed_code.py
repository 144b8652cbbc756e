"""Which Selvedge runs here: its version and one hash over its code, the same in a checkout and from a wheel.

Belongs here: the hash, and the words that tell a person where that code comes from. Not here: the commit of a checkout
(tracking.py), the hashes of weights (each artefact has its own).

The name `selvedge` on PyPI belongs to another project, which has a version 0.1.0, too. So no requirement may name
Selvedge without an address: an installer would fetch that project's code. What a logged model needs is named by this
hash instead, and a release states it beside its wheel.

    python -m orchestration.runtime.installed_code        prints version and hash as JSON
"""

import hashlib
import importlib.metadata
import importlib.util
import json
from dataclasses import asdict, dataclass
from pathlib import Path

ROOMS = ("catalog", "evaluation", "training", "labeling", "inference", "infra", "orchestration")


@dataclass(frozen=True)
class InstalledCode:
    """The version in the package's metadata, and the SHA-256 over names and bytes of every file of the rooms."""

    version: str
    sha256: str

    def origin(self, commit: str) -> str:
        """Where to get this code, in a few sentences for whoever serves a model without a checkout.

        Args:
            commit: of the checkout that logged the model; `unknown` outside one.
        """
        build = f"check out commit {commit} and run `make wheel`, or " if commit != "unknown" else ""
        return (
            f"This model is answered by Selvedge {self.version}, code sha256 {self.sha256}. To serve it on another "
            f"machine, {build}take the wheel of release v{self.version} from the page of the project; install that "
            "file with pip. `python -m orchestration.runtime.installed_code` prints the hash to compare. Do not "
            "install `selvedge` by name: on PyPI that is another project."
        )


def installed_code() -> InstalledCode:
    """The code that this process runs. Reads every file once: some 300 of them, in a few hundredths of a second."""
    digest = hashlib.sha256()
    for room in ROOMS:
        folder = _folder(room)
        for path in sorted(folder.rglob("*")):
            parts = path.relative_to(folder).parts
            if path.is_file() and not any(part == "__pycache__" or part.startswith(".") for part in parts):
                digest.update("/".join((room, *parts)).encode() + b"\0")
                digest.update(hashlib.sha256(path.read_bytes()).digest())
    return InstalledCode(importlib.metadata.version("selvedge"), digest.hexdigest())


def _folder(room: str) -> Path:
    spec = importlib.util.find_spec(room)
    if spec is None or spec.origin is None:
        raise ModuleNotFoundError(f"package {room} of Selvedge is not installed")
    return Path(spec.origin).parent


if __name__ == "__main__":
    print(json.dumps(asdict(installed_code())))
