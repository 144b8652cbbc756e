"""`selvedge review annotator`, `login`, `vote` and `simulate`: those who vote, people or not.

Belongs here: options and results. Not here: rounds (review_commands.py), accounts and tokens
(orchestration/runtime/label_studio.py).
"""

import sys
import time
from functools import partial
from pathlib import Path
from typing import Annotated

import typer

from catalog.errors import SelvedgeError
from orchestration.cli.results import JsonFlag, emit
from orchestration.cli.terminal import reporting, say

RoundArgument = Annotated[
    str, typer.Argument(metavar="ROUND", help="Name of a round; `selvedge review status` lists them.")
]


def add_to(app: typer.Typer) -> None:
    people = typer.Typer(no_args_is_help=True, rich_markup_mode=None)
    people.command("add")(add)
    app.add_typer(people, name="annotator", help="People who judge pairs.")
    app.command("login")(login)
    app.command("vote")(vote)
    app.command("simulate")(simulate)


def vote(
    name: RoundArgument,
    raters: Annotated[int, typer.Option(min=1, help="How many scripted annotators.")] = 5,
    preference: Annotated[float, typer.Option(min=0, max=1, help="Their share of votes for the candidate.")] = 0.7,
    ballots: Annotated[int | None, typer.Option(min=1, help="Votes of each at most; all tasks by default.")] = None,
    noise: Annotated[float, typer.Option(min=0, max=1, help="Share of votes cast at random.")] = 0.05,
    left_bias: Annotated[
        float, typer.Option(min=0, max=1, help="Share of votes for the left whatever it shows.")
    ] = 0.0,
    laziness: Annotated[float, typer.Option(min=0, max=1, help="Share of votes cast at once, without looking.")] = 0.0,
    seed: Annotated[int, typer.Option(help="Of their choices.")] = 0,
    simulated: Annotated[bool, typer.Option("--simulated", help="Say that you know: these are no people.")] = False,
    as_json: JsonFlag = False,
) -> None:
    """Let scripted annotators vote through Label Studio; their ballots are marked simulated for good."""
    if not simulated:
        raise SelvedgeError(
            "scripted annotators are no people, and a verdict on their ballots is marked so; add --simulated to go on."
        )
    from labeling.review.rounds.annotators import ScriptedAnnotator
    from labeling.review.rounds.scripted import vote as let_vote
    from orchestration.families.settings import load_settings
    from orchestration.registry.ledger import open_ledger
    from orchestration.runtime.label_studio import account_of, connect

    began = time.monotonic()
    settings = load_settings()
    ledger = open_ledger(settings)
    ledger.round(name)
    people = [
        ScriptedAnnotator(
            f"rater-{number}", seed, preference=preference, noise=noise, left_bias=left_bias, laziness=laziness
        )
        for number in range(1, raters + 1)
    ]
    with reporting() as reporter:
        voted = let_vote(
            partial(account_of, settings, connect(settings)),
            ledger,
            name,
            people,
            ballots,
            reporter.progress,
        )
    values = {"round": name, "votes": voted.votes, "simulated": True, "seconds": time.monotonic() - began}
    emit("review vote", as_json, values)


def simulate(
    preference: Annotated[float, typer.Option(min=0, max=1, help="True share of decided votes for the candidate.")],
    rounds: Annotated[int, typer.Option(min=1, help="Rounds to draw.")] = 1000,
    raters: Annotated[int, typer.Option(min=1, help="Annotators of a round.")] = 5,
    items: Annotated[int | None, typer.Option(min=1, help="Pairs shown, SELVEDGE_REVIEW_ITEMS by default.")] = None,
    overlap: Annotated[
        int | None, typer.Option(min=1, help="Ballots asked for a pair, SELVEDGE_REVIEW_OVERLAP by default.")
    ] = None,
    ties: Annotated[float, typer.Option(min=0, max=1, help="Share of ties.")] = 0.2,
    rater_icc: Annotated[float, typer.Option(min=0, max=1, help="How alike ballots of one annotator are.")] = 0.03,
    item_icc: Annotated[float, typer.Option(min=0, max=1, help="How alike ballots on one product are.")] = 0.2,
    seed: Annotated[int, typer.Option(min=0, help="Of the draw.")] = 0,
    as_json: JsonFlag = False,
) -> None:
    """Judge rounds of a known truth by the plan that rounds run: how often it is found, after how many ballots."""
    from labeling.review.rounds.simulation import Panel, simulate_rounds
    from orchestration.families.settings import load_settings

    began, settings = time.monotonic(), load_settings()
    panel = Panel(items or settings.review_items, overlap or settings.review_overlap, raters, ties, rater_icc, item_icc)
    with reporting() as reporter:
        simulated = simulate_rounds(preference, rounds, panel, seed=seed, progress=reporter.progress)
    values = {
        "preference": preference,
        "rounds": rounds,
        "raters": raters,
        "items": panel.items,
        "overlap": panel.overlap,
        "outcomes": simulated.outcomes,
        "median_ballots": simulated.median_ballots,
        "mean_ballots": simulated.mean_ballots,
        "decided_median": simulated.decided_median,
        "minutes": panel.minutes,
        "seconds": time.monotonic() - began,
    }
    emit("review simulate", as_json, values)


def login(
    token_file: Annotated[Path | None, typer.Option(help="A file with the token; asked for by default.")] = None,
    as_json: JsonFlag = False,
) -> None:
    """Store the token of your team's Label Studio in a file that only you read."""
    from orchestration.families.settings import load_settings
    from orchestration.runtime.label_studio import store_token

    settings = load_settings()
    owner = store_token(settings, _asked_token(token_file))
    emit("review login", as_json, {"server": settings.label_studio_uri, "email": owner})


def add(
    email: Annotated[str, typer.Argument(metavar="EMAIL", help="The address the annotator signs in with.")],
    existing: Annotated[
        bool, typer.Option("--existing", help="List an account that your team's Label Studio has already.")
    ] = False,
    as_json: JsonFlag = False,
) -> None:
    """Make an account for one annotator; the password goes into a file that only you read. Only its ballots count."""
    from orchestration.families.settings import load_settings
    from orchestration.registry.ledger import open_ledger
    from orchestration.runtime.label_studio import add_annotator, connect

    settings = load_settings()
    record = open_ledger(settings).record  # before the account: one that nobody listed votes in vain
    email = email.strip().lower()
    password_file: Path | None = None
    if existing:
        number = connect(settings).account_of(email)
        if number is None:
            raise SelvedgeError(f"Label Studio has no account {email}; leave out --existing, and one is made.")
        record.list_annotator(email, number, "existing")
    else:
        unlisted = all(annotator.email != email for annotator in record.annotators())
        account, password_file = add_annotator(settings, email, unlisted)
        record.list_annotator(account.email, account.user_id, "added")
    emit(
        "review annotator add",
        as_json,
        {
            "email": email,
            "sign_in": f"{settings.label_studio_uri}/user/login/",
            "password_file": None if password_file is None else str(password_file),
        },
    )


def _asked_token(token_file: Path | None) -> str:
    if token_file is not None:
        try:
            return token_file.read_text(encoding="utf-8").strip()
        except (OSError, ValueError) as error:
            raise SelvedgeError(f"{token_file} cannot be read; give a file that holds the token.") from error
    if not sys.stdin.isatty():
        return sys.stdin.readline().strip()
    from getpass import getpass

    say("The token is on the page Account & Settings of Label Studio.")
    return getpass("token: ").strip()
