"""The champion: the version that the ledger's last promotion or rollback put there, and that the alias is on.

Belongs here: finding it, and refusing where the two disagree. Not here: moving the alias (promotion.py), noticing that
a hand moved it (repair.py).

MLflow's alias can be moved by whoever reaches its server, past gate, round and record. So nobody infers with, or judges
against, a version that only the alias names.
"""

from catalog.errors import SelvedgeError
from orchestration.registry.interface import CHAMPION
from orchestration.registry.ledger import open_ledger
from orchestration.runtime.settings import Settings


def agreed_version(settings: Settings, family: str, alias: int | None) -> int | None:
    """The champion's version; None until one was promoted.

    Args:
        alias: the version that MLflow's alias is on.

    Raises:
        SelvedgeError: the alias is on another version than the ledger says; both are in the sentence.
        ServiceUnavailable: the ledger does not answer.
    """
    promoted = open_ledger(settings).promotions.promoted(family)
    recorded = None if promoted is None else int(promoted.version)
    if alias != recorded:
        raise SelvedgeError(
            f"MLflow's alias {CHAMPION} of {family} is on {_named(alias)}, and the ledger's last promotion made "
            f"{_named(recorded)} champion: nothing is done with either; {_remedy(family, alias, recorded)}."
        )
    return alias


def _named(version: int | None) -> str:
    return "no version" if version is None else f"version {version}"


def _remedy(family: str, alias: int | None, recorded: int | None) -> str:
    if recorded is None:
        return f"promote it on its evidence with `selvedge promote {family} CANDIDATE`, or remove the alias in MLflow"
    if alias is None:
        return f"set the alias on version {recorded} again in MLflow"
    return f"`selvedge rollback {family}` puts it back, and `selvedge promote` makes the other champion on its evidence"
