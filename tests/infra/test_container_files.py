"""The container files: as the code writes them, of the same pieces as a home's compose file, and no secret in them."""

import re

import yaml

from infra.container_files import COPIED, FOLDER, files
from infra.unit_files import SYSTEM_PACKAGES
from orchestration.families.settings import family_fields
from orchestration.runtime.settings import READ_BY_TRAINING, Settings


def test_the_kept_files_are_what_the_code_writes() -> None:
    made = files()
    assert {path.name for path in FOLDER.iterdir()} == {*made, "hadolint.yaml", "compose-lint.yaml"}
    assert all((FOLDER / name).read_text(encoding="utf-8") == text for name, text in made.items())


def test_the_two_images_differ_in_torch_alone() -> None:
    made = files()
    for name in ("Dockerfile.cpu", "Dockerfile.gpu"):
        assert all(f"COPY {each} /src/{each}" in made[name] for each in COPIED)
        assert all(package in made[name] for package in SYSTEM_PACKAGES)
    cpu, gpu = made["Dockerfile.cpu"].splitlines(), made["Dockerfile.gpu"].splitlines()
    assert len([line for line in cpu if line not in gpu]) == 3, "head, torch's build, command"


def test_the_compose_file_knows_its_settings_and_no_secret() -> None:
    content = yaml.safe_load(files()["compose.yaml"])
    known = {f"SELVEDGE_{name.upper()}" for name in {*Settings.model_fields, *family_fields(), *READ_BY_TRAINING}}
    for service in content["services"].values():
        for name, value in service.get("environment", {}).items():
            assert not name.startswith("SELVEDGE_") or name in known
            if re.search("PASSWORD|SECRET|ACCESS_KEY", name):
                assert re.fullmatch(r"\$\{[A-Z0-9_]+:\?set it in \.env\}", value)
        used = {volume.partition(":")[0] for volume in service.get("volumes", ())}
        assert used <= set(content["volumes"]) and all(
            address.startswith("127.0.0.1:") for address in service.get("ports", ())
        )
