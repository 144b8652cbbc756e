"""Models that a person names: a folder, or the champion.

Belongs here: finding the artefact's folder and the address that is recorded of it. Not here: loading it.
"""

from pathlib import Path

from catalog.errors import SelvedgeError
from orchestration.registry.interface import CHAMPION

ARTEFACTS = ("artefact", "model")  # in what training wrote; the first there is, for a family may keep parts of it too


def model_folder(model: str) -> Path:
    """The artefact's folder: as given, or the one inside what `selvedge train` wrote."""
    folder = Path(model).expanduser().resolve()
    inside = [folder, *(folder / name for name in ARTEFACTS)]
    return next((path for path in inside if (path / "selvedge.json").is_file()), folder)


def find_model(family: str, model: str) -> tuple[Path, str]:
    """The artefact's folder and its address; an alias is looked up once and pinned.

    Raises:
        SelvedgeError: the champion is asked for, and there is none.
        ServiceUnavailable: MLflow does not answer.
    """
    if model != CHAMPION:
        folder = model_folder(model)
        return folder, f"file://{folder}"
    from orchestration.families.settings import load_settings
    from orchestration.registry.registry import Registry

    registry = Registry(load_settings())
    champion = registry.champion(family)
    if champion is None:
        raise SelvedgeError(f"{family} has no champion yet; promote a candidate, or give --model FOLDER.")
    return registry.artefact_path(champion), champion.uri
