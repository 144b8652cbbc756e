"""`selvedge review`: rounds by hand, from opening one to its report.

Belongs here: options and results. Not here: the steps (labeling/review/rounds/), those who vote
(annotator_commands.py), picks among ads (pick_commands.py).
"""

import time
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from catalog.errors import SelvedgeError
from catalog.places import check_output_file
from orchestration import families
from orchestration.cli import annotator_commands, pick_commands
from orchestration.cli.annotator_commands import RoundArgument
from orchestration.cli.models import model_folder
from orchestration.cli.results import JsonFlag, emit
from orchestration.cli.tailoring import family_argument, tailored
from orchestration.cli.terminal import reporting, say
from orchestration.families.contract import Family, Review
from orchestration.families.registered import by_hand, registered_contest

if TYPE_CHECKING:
    from evaluation.preference_plan import PreferencePlan
    from labeling.review.rounds.contest import Contest
    from labeling.review.rounds.judging import Standing


def application() -> typer.Typer:
    """The commands of rounds."""
    app = typer.Typer(no_args_is_help=True, rich_markup_mode=None)
    annotator_commands.add_to(app)
    app.command("open")(tailored(open_, {"family": family_argument()}))
    for name, command in (("status", status), ("sync", sync), ("close", close), ("report", report)):
        app.command(name)(command)
    app.add_typer(pick_commands.application(), name="picks", help="Which picture of an ad people would publish.")
    return app


def open_(
    family: str,
    candidate: Annotated[str | None, typer.Argument(metavar="CANDIDATE", help="A registered candidate.")] = None,
    kind: Annotated[
        str | None,
        typer.Option(metavar="KIND", help="What stands on the two sides; the family's own by default."),
    ] = None,
    items: Annotated[
        int | None, typer.Option(min=1, help="Test products shown as plain pairs, SELVEDGE_REVIEW_ITEMS by default.")
    ] = None,
    overlap: Annotated[
        int | None, typer.Option(min=1, help="Ballots asked for a pair, SELVEDGE_REVIEW_OVERLAP by default.")
    ] = None,
    gold: Annotated[float, typer.Option(min=0, max=0.5, help="Pairs with a planted error, as a share.")] = 0.10,
    seed: Annotated[int, typer.Option(min=0, help="Of the draw of products.")] = 7,
    name: Annotated[str | None, typer.Option("--round", help="Name of the round; made from the candidate's.")] = None,
    plan: Annotated[Path | None, typer.Option(help="YAML that changes the rules of the verdict.")] = None,
    model: Annotated[Path | None, typer.Option(help="Folder of a candidate, in place of a registered one.")] = None,
    champion: Annotated[
        Path | None, typer.Option(help="With --model: folder to compare with; its base by default.")
    ] = None,
    catalog: Annotated[Path | None, typer.Option(help="With --model: catalogue directory.")] = None,
    as_json: JsonFlag = False,
) -> None:
    """Open a blind round: a candidate beside the champion, or its base. Run again after a stop, it goes on."""
    named = families.find_family(family)
    review = named.review
    if review is None:
        raise SelvedgeError(f"{family} is promoted by its scores alone; there is no round of it.")
    began = time.monotonic()
    _one_source(candidate, model, champion, catalog)
    from labeling.review.pairs.kinds import find_kind
    from labeling.review.rounds.opening import RoundRequest, open_round
    from labeling.review.rounds.simulation import SECONDS_A_PAIR, Panel, power
    from orchestration.families.settings import load_settings
    from orchestration.registry.ledger import open_ledger
    from orchestration.runtime.label_studio import connect

    settings = load_settings()
    rules = _rules(plan)
    if plan is not None:
        say(f"a round by other rules than {family} demands is judged and reported, but promotes nothing.")
    server = connect(settings)  # before minutes of work
    called, contest = candidate or "", partial(registered_contest, review, settings, family, candidate or "")
    if model is not None and catalog is not None:
        folder, rival = model_folder(str(model)), model_folder(str(champion)) if champion else None
        called = f"{family}-by-hand-{named.digest(folder)[:6]}"
        contest = partial(_contest_by_hand, named, review, called, folder, rival, catalog)
    kinds = review.kinds()
    pair_kind = find_kind(kinds, kind, family) if kind else kinds[0]
    items, overlap = items or settings.review_items, overlap or settings.review_overlap
    request = RoundRequest(family, called, pair_kind, items, overlap, seed, rules, name, gold)
    with reporting() as reporter:
        opened = open_round(settings.rounds(), open_ledger(settings), server, request, contest, reporter.progress)
    registered = opened.round.plan
    panel = Panel(registered.items, registered.overlap, max(registered.overlap, registered.preference.minimum_raters))
    values = {
        "round": registered.round_id,
        "family": family,
        "candidate": registered.candidate,
        "candidate_version": registered.candidate_version,
        "opponent": registered.opponent,
        "opponent_version": registered.opponent_version,
        "kind": registered.kind,
        "pairs": opened.pairs,
        "items": registered.items,
        "minutes": opened.pairs * panel.overlap / panel.raters * SECONDS_A_PAIR / 60,
        "power_raters": panel.raters,
        "power": power(panel, registered.preference),
        "link": opened.link,
        "resumed": opened.resumed,
        "plan_sha256": registered.sha256,
        "seconds": time.monotonic() - began,
    }
    emit("review open", as_json, values)


def status(
    name: Annotated[str | None, typer.Argument(metavar="[ROUND]", help="One round, with its interval.")] = None,
    as_json: JsonFlag = False,
) -> None:
    """Say how rounds stand at their last pull: ballots, interval, and how many ballots are still needed."""
    from labeling.review.rounds.judging import standing
    from orchestration.families.settings import load_settings
    from orchestration.registry.ledger import open_ledger

    ledger = open_ledger(load_settings())
    names = [name] if name else [round_.plan.round_id for round_ in ledger.rounds()]
    if not names:
        say("there is no round yet; open one with `selvedge review open`.")
    standings = [standing(ledger, round_id) for round_id in names]
    values: dict[str, Any] = dict.fromkeys(_OF_ONE)
    if name:
        values |= _figures(standings[0])
    emit("review status", as_json, {"rounds": [_row(row) for row in standings], **values})


def sync(name: RoundArgument, as_json: JsonFlag = False) -> None:
    """Pull a round's ballots from Label Studio into the ledger, and have it ask again where an annotator is left out;
    twice adds nothing."""
    from labeling.review.rounds.asking_again import ask_again
    from labeling.review.rounds.judging import sync_round
    from orchestration.families.settings import load_settings
    from orchestration.registry.ledger import open_ledger
    from orchestration.runtime.label_studio import connect

    began = time.monotonic()
    settings = load_settings()
    ledger = open_ledger(settings)
    ledger.round(name)
    server = connect(settings)
    with reporting() as reporter:
        pulled = sync_round(settings.rounds(), ledger, server, name, reporter.progress)
        asked_again = ask_again(ledger, server, name)
    values = {
        "round": name,
        "pull": pulled.pull,
        "new": pulled.new,
        "corrected": pulled.corrected,
        "void": list(pulled.void),
        "vanished": len(pulled.vanished),
        "warnings": list(pulled.warnings),
        "asked_again": asked_again,
        "requests": server.requests_sent,
        "seconds": time.monotonic() - began,
    }
    emit("review sync", as_json, values)


def close(
    name: RoundArgument,
    undecided: Annotated[bool, typer.Option("--undecided", help="Close it also where nothing is decided yet.")] = False,
    offline: Annotated[bool, typer.Option("--offline", help="Without a last pull: Label Studio is gone.")] = False,
    as_json: JsonFlag = False,
) -> None:
    """Pull once more, close a round and record its verdict. A judged round gives its verdict again."""
    from labeling.review.rounds.judging import close_round, standing, sync_round
    from orchestration.families.settings import load_settings
    from orchestration.registry.ledger import open_ledger
    from orchestration.runtime.label_studio import connect

    settings = load_settings()
    ledger = open_ledger(settings)
    if ledger.round(name).state == "open" and not offline:
        with reporting() as reporter:
            sync_round(settings.rounds(), ledger, connect(settings), name, reporter.progress)
    verdict = close_round(settings.rounds(), ledger, name, undecided)
    judged = standing(ledger, name).judgement
    values = {
        "round": name,
        "outcome": verdict.outcome,
        "reasons": list(judged.reasons),
        "ballots": dict(judged.counts),
        "excluded": dict(judged.excluded),
        "simulated": verdict.simulated,
        "evidence_sha256": verdict.evidence_sha256,
        "ballots_sha256": verdict.ballots_sha256,
    }
    emit("review close", as_json, values)


def report(
    name: RoundArgument,
    out: Annotated[
        Path | None, typer.Option(help="The page's file; SELVEDGE_HOME/reports/ROUND.html by default.")
    ] = None,
    as_json: JsonFlag = False,
) -> None:
    """Write the page of a judged round: the only place that tells which side was which."""
    from labeling.review.rounds.report import write_round_report
    from orchestration.families.settings import load_settings
    from orchestration.registry.ledger import open_ledger

    if out is not None:
        check_output_file(out.expanduser())
    settings = load_settings()
    ledger = open_ledger(settings)
    review = families.find_family(ledger.round(name).plan.family).review
    page = write_round_report(
        settings.rounds(), ledger, name, out or settings.round_report(name), review.kinds() if review else ()
    )
    emit("review report", as_json, {"round": name, "report": str(page)})


def _contest_by_hand(
    family: Family, review: Review, candidate: str, folder: Path, champion: Path | None, catalog: Path
) -> "Contest":
    return review.contest(by_hand(family, candidate, folder, champion, catalog))


def _one_source(candidate: str | None, model: Path | None, champion: Path | None, catalog: Path | None) -> None:
    if (candidate is None) == (model is None):
        raise SelvedgeError("name a registered candidate, or give --model FOLDER and --catalog DIR; one of both.")
    if model is None and (champion is not None or catalog is not None):
        raise SelvedgeError("--champion and --catalog go with --model; a registered candidate brings its own.")
    if model is not None and catalog is None:
        raise SelvedgeError("--model needs --catalog DIR: the products that both versions are asked about.")


def _rules(plan: Path | None) -> "PreferencePlan":
    """The rules of the verdict: the house's, with what a file changes."""
    from evaluation.preference_plan import PreferencePlan

    if plan is None:
        return PreferencePlan()
    from catalog.yaml_files import read_yaml
    from training.settings import settings_from

    content = read_yaml(plan, "plan", "see docs/cli.md for its names")
    return settings_from(PreferencePlan, content, f"plan {plan}")


def _row(standing: "Standing") -> dict[str, Any]:
    plan = standing.round.plan
    return {
        "round": plan.round_id,
        "state": standing.round.state,
        "outcome": standing.verdict.outcome if standing.verdict else None,
        "kind": plan.kind,
        "ballots": standing.ballots["plain"],
        "candidate": plan.candidate,
        "opponent": f"{plan.opponent} {plan.opponent_version}",
        "simulated": standing.simulated,
    }


_OF_ONE = ("ballots", "share", "e_value", "needed", "reasons", "forecast", "asked_again", "pulled")


def _figures(standing: "Standing") -> dict[str, Any]:
    """One round in figures; the interval is the one after the design effect, which the verdict rests on."""
    judged = standing.judgement
    reasons = list(judged.reasons)
    left = max(0, standing.capacity - standing.ballots["plain"])
    ahead = judged.forecast
    if ahead is not None and ahead.median > left:
        reasons.append(f"its tasks give {left} more ballots; that will probably not decide it.")
    again = standing.asked_again
    reasons += [f"{count} ballots of {rater} are asked again of others." for rater, count in again.by_rater.items()]
    if again.waiting:
        reasons.append(
            f"{again.waiting} ballots wait for an annotator who has not voted on their pairs; add one with `selvedge "
            "review annotator add`."
        )
    if standing.round.void:
        reasons.insert(0, f"it is void: {standing.round.void}.")
    return {
        "ballots": standing.ballots | {"void": standing.void, "still_possible": left},
        "share": {
            "value": standing.share,
            "low": judged.effective_low,
            "high": judged.effective_high,
        },
        "e_value": judged.effective_e_value,
        "needed": standing.round.plan.preference.needed,
        "reasons": reasons,
        "forecast": None
        if ahead is None
        else {"median": ahead.median, "low": ahead.low, "high": ahead.high, "ends": dict(ahead.ends)},
        "asked_again": dict(again.by_rater),
        "pulled": standing.pulled,
    }
