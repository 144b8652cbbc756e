"""A registry on paper: versions and aliases in one JSON file, so that a killed process leaves what it wrote.

The ledger beside it is the real one. Only MLflow is made up: it takes seconds where this takes milliseconds.
"""

import json
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from catalog.errors import SelvedgeError
from orchestration.registry.champion import agreed_version
from orchestration.registry.interface import ModelVersionInfo, Served
from orchestration.registry.registry import CHALLENGER, Registry
from orchestration.runtime.settings import Settings


class PaperClient:
    """The calls of MLflow's client that move aliases, tag and delete versions."""

    def __init__(self, file: Path) -> None:
        self._file = file
        if not file.exists():
            self.write({"versions": {}, "aliases": {}, "tags": {}, "folders": {}})

    def read(self) -> dict[str, Any]:
        return dict(json.loads(self._file.read_text()))

    def write(self, content: dict[str, Any]) -> None:
        part = self._file.with_suffix(".part")
        part.write_text(json.dumps(content))
        part.replace(self._file)

    def delete_model_version(self, name: str, version: str) -> None:
        content = self.read()
        content["versions"][name][int(version) - 1] = None
        aliases = content["aliases"].get(name, {})
        content["aliases"][name] = {alias: number for alias, number in aliases.items() if number != int(version)}
        self.write(content)

    def set_registered_model_alias(self, name: str, alias: str, version: str) -> None:
        content = self.read()
        if content["versions"][name][int(version) - 1] is None:
            raise SelvedgeError(f"there is no version {version} of {name}.")
        content["aliases"].setdefault(name, {})[alias] = int(version)
        self.write(content)

    def delete_registered_model_alias(self, name: str, alias: str) -> None:
        content = self.read()
        content["aliases"].setdefault(name, {}).pop(alias, None)
        self.write(content)

    def set_model_version_tag(self, name: str, version: str, key: str, value: str) -> None:
        content = self.read()
        content["tags"].setdefault(f"{name}/{version}", {})[key] = value
        self.write(content)


class PaperRegistry:
    """`orchestration.registry.registry.Registry` without a server: an `interface.VersionStore`."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.uri = "paper"
        settings.home.mkdir(parents=True, exist_ok=True)
        self.client = PaperClient(settings.home / "paper.json")

    def register(
        self,
        family: str,
        candidate: str,
        artefact: Path,
        run: Any,
        metadata: Mapping[str, Any] | None = None,
        *,
        served: Served,
    ) -> ModelVersionInfo:
        content = self.client.read()
        content["folders"][f"{family}/{candidate}"] = str(artefact)
        self.client.write(content)
        return self.add(family, candidate)

    def add(self, family: str, candidate: str) -> ModelVersionInfo:
        """A version without files."""
        content = self.client.read()
        names = content["versions"].setdefault(family, [])
        if candidate not in names:
            names.append(candidate)
            self.client.write(content)
            self.client.set_registered_model_alias(family, CHALLENGER, str(len(names)))
        return self.version(family, names.index(candidate) + 1)

    def artefact_path(self, version: ModelVersionInfo) -> Path:
        return Path(self.client.read()["folders"][f"{version.family}/{version.candidate}"])

    def versions(self, family: str) -> Sequence[ModelVersionInfo]:
        names = self.client.read()["versions"].get(family, [])
        return [self.version(family, number) for number, name in enumerate(names, start=1) if name is not None]

    def version(self, family: str, version: int) -> ModelVersionInfo:
        content = self.client.read()
        names = content["versions"].get(family, [])
        if not 0 < version <= len(names) or names[version - 1] is None:
            raise SelvedgeError(f"there is no version {version} of {family}.")
        tags = content["tags"].get(f"{family}/{version}", {})
        candidate = names[version - 1]
        return ModelVersionInfo(family, version, f"m-{version}", candidate, "digest", "run", datetime.now(UTC), tags)

    def of_candidate(self, family: str, candidate: str) -> ModelVersionInfo | None:
        return next((version for version in self.versions(family) if version.candidate == candidate), None)

    def note_decision(self, family: str, candidate: str, passed: bool, reasons: Sequence[str]) -> None:
        Registry.note_decision(self, family, candidate, passed, reasons)  # type: ignore[arg-type]

    def aliases(self, family: str) -> Mapping[str, int]:
        return dict(self.client.read()["aliases"].get(family, {}))

    def aliased(self, family: str, alias: str) -> ModelVersionInfo | None:
        version = self.aliases(family).get(alias)
        return None if version is None else self.version(family, version)

    def champion(self, family: str) -> ModelVersionInfo | None:
        alias = self.aliases(family).get("champion")
        version = agreed_version(self.settings, family, alias, lambda: {info.version for info in self.versions(family)})
        return None if version is None else self.version(family, version)
