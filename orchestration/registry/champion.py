"""The champion: the version that the ledger's last promotion or rollback put there, and that the alias is on.

Belongs here: finding it, refusing where the two disagree, and what can be done about that. Not here: moving the alias
(promotion.py), noticing that a hand moved it (repair.py).

MLflow's alias can be moved by whoever reaches its server, past gate, round and record. So nobody infers with, or judges
against, a version that only the alias names.
"""

from collections.abc import Callable, Collection

from catalog.errors import SelvedgeError
from orchestration.registry.interface import CHAMPION
from orchestration.registry.ledger import open_ledger
from orchestration.runtime.settings import Settings


def agreed_version(
    settings: Settings, family: str, alias: int | None, versions: Callable[[], Collection[int]]
) -> int | None:
    """The champion's version; None until one was promoted.

    Args:
        alias: the version that MLflow's alias is on. versions: those that MLflow has, asked for a remedy only.

    Raises:
        SelvedgeError: the alias is on another version than the ledger says; both are in the sentence.
        ServiceUnavailable: the ledger does not answer.
    """
    promoted = open_ledger(settings).promotions.promoted(family)
    recorded = None if promoted is None else int(promoted.version)
    if alias != recorded:
        raise SelvedgeError(
            f"MLflow's alias {CHAMPION} of {family} is on {named(alias)}, and the ledger's last promotion made "
            f"{named(recorded)} champion: nothing is done with either; {way_out(family, alias, recorded, versions())}."
        )
    return alias


def way_out(family: str, alias: int | None, recorded: int | None, versions: Collection[int]) -> str:
    """What can be done about an alias that is not where the ledger's last promotion put it.

    Args:
        alias: its version. recorded: the ledger's; None where nothing was ever promoted. versions: those there are.
    """
    if recorded is None:
        return (
            f"nothing was champion before: remove the alias {CHAMPION} of {family} in MLflow, then promote a version "
            f"on its evidence with `selvedge promote {family} CANDIDATE`"
        )
    if recorded not in versions:
        return f"version {recorded} was deleted in MLflow: restore MLflow's database and artefacts from a backup"
    if alias is None:
        return f"set the alias on version {recorded} again in MLflow"
    return (
        f"`selvedge rollback {family}` puts it back on version {recorded}, and `selvedge promote {family} CANDIDATE` "
        "makes the other champion on its evidence"
    )


def named(version: int | None) -> str:
    """A version in a sentence."""
    return "no version" if version is None else f"version {version}"
