"""What a person may do next with the home that the report is of: commands to copy.

Belongs here: the list. Not here: the commands themselves (orchestration/cli/).
"""

import shlex
from pathlib import Path

from orchestration.runtime.settings import Settings


def next_commands(settings: Settings, family: str | None, goes_back: bool = False) -> list[tuple[str, str]]:
    """(command, what it does); complete with the home where that is not the usual one.

    Args:
        family: that has a scored candidate; None where there is none: then only reading on makes sense.
        goes_back: there was a champion before its present one.
    """
    usual = Path(Settings.model_fields["home"].default).resolve()
    home = "" if settings.home.resolve() == usual else f"SELVEDGE_HOME={shlex.quote(str(settings.home))} "
    inbox = shlex.quote(f"{settings.inbox}/2026-12-01")
    copy = "cp -r" if settings.inbox_folder is not None else "aws s3 cp --recursive"
    commands = [
        (f"{home}make up", "Dagster, MLflow and Label Studio with one link each"),
        (f"{copy} CATALOGUE {inbox}", "a new drop; `make up` reads and describes it"),
        ("make demo CATALOG=DIR", "the same on a catalogue of yours"),
    ]
    if family is None:
        return commands
    selvedge = f"{home}.venv/bin/selvedge"
    return [
        *commands,
        (f"{selvedge} status", "drops, candidates and the champion"),
        (f"{selvedge} review status", "rounds, their ballots and verdicts"),
        (f"{selvedge} history {family}", "who was champion when, and why"),
        *([(f"{selvedge} rollback {family}", "the previous champion again")] if goes_back else []),
        (f"{selvedge} infer attributes --catalog DIR --out DIR", "what the champion sees in any catalogue"),
        (f"{selvedge} infer descriptions --catalog DIR --out DIR", "and what it says of it"),
        (f"{selvedge} discover", "type words, see pictures and the products like them"),
    ]
