"""Results: what each command prints, declared once.

Belongs here: the keys of every command's result, printing them for people and for programs, and their part of the
manual. Not here: progress and errors (terminal.py); they go to stderr, a result is all that stdout ever carries.

A command prints exactly the declared keys: scripts depend on them, and `docs/cli.md` is written from this file.
"""

import json
import math
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Annotated, Any, TextIO

import typer

from orchestration import families
from orchestration.cli import aws_keys, handsoff_keys
from orchestration.families.contract import Family

JsonFlag = Annotated[bool, typer.Option("--json", help="Print one JSON object and nothing else on stdout.")]

_DURATION = "wall seconds the command took"

_OWN = "the families' own keys stand here"
_SHARED: dict[str, dict[str, str]] = {
    "catalog draw": {
        "path": "folder of the drawn catalogue",
        "products": "products asked for",
        "rows": "rows of styles.csv; planted duplicates make it more than `products`",
        "seed": "seed of every drawing",
        "style": "drawing style",
        "version": "version of the drawing code",
        "faults": "planted faults, count by quarantine reason",
        "seconds": _DURATION,
    },
    "catalog read": {
        "path": "folder of the written tables",
        "drop": "the drop's name",
        "rows": "rows of the source",
        "products": "readable products",
        "quarantine": "rejected rows",
        "reasons": "rejected rows, count by reason",
        "recovered": "rows with unquoted commas that were put right",
        "not_utf8": "rows that are not UTF-8 and were read as Windows-1252",
        "groups": "product groups",
        "splits": "products, count by split",
        "leaks": "groups or images shared between splits; 0 or the command fails",
        "question_set": "the questions that fit this catalogue",
        "qa_pairs": "question and answer pairs",
        "unmapped": "values outside the vocabulary, count by attribute",
        "warnings": "what was guessed or is doubtful, one sentence each; told on stderr too",
        "seconds": _DURATION,
    },
    "catalog sheet": {
        "path": "the picture",
        "products": "products on it",
        "width": "pixels",
        "height": "pixels",
    },
    "train": {
        "family": "the family",
        "path": "folder of the candidate's artefact",
        "digest": "sha256 of everything its answers depend on",
        "steps": "optimiser steps made, those before a stop included",
        "parameters": "numbers trained",
        _OWN: "",
        "seconds": _DURATION,
    },
    "register": {
        "family": "the family",
        "candidate": "the candidate that the run is from now on",
        "version": "its model version",
        "dataset_sha256": "what its catalogue's tables hold, as one hash",
        "gate": "what the gate of its scores says: passed or refused",
        "reasons": "why, one sentence each",
        "next": "the command that goes on; null where the gate refused",
        "seconds": _DURATION,
    },
    "evaluate": {
        "family": "the family",
        "model": "folder of the model",
        "path": "folder of scores, predictions, evidence and plots; null without --out",
        "products": "products of the test split",
        "macro_f1": "mean macro-F1 over attributes: value, low, high (95 % interval)",
        "subjects": "the same mean for every subject: floors, base, champion, candidate, ceilings",
        "accuracy": "mean accuracy over attributes for every subject",
        "attributes": "macro-F1 of the model by attribute",
        _OWN: "",
        "evidence_sha256": "hash of the evidence",
        "gate": "what the gate of the scores would say: would pass or would be refused",
        "reasons": "why, one sentence each",
        "seconds": _DURATION,
    },
    "infer": {
        "what": "attributes, descriptions or ads",
        "path": "the published table; of one product's ads the sheet of its plans",
        "rows": "rows of the table",
        "recomputed": "rows computed now",
        "kept": "rows whose inputs had not changed",
        "abstained": "attribute rows below the confidence threshold; null for descriptions and ads",
        "model": "address of the model that answered",
        "left_out": "products without a description, or orders without ads, with the reasons on stderr; null for "
        "attributes",
        "pictures": "of one product's ads, best first; null otherwise",
        "refusals": "orders of ads that were refused: product, code, why; null for what is no ad",
        "seconds": _DURATION,
    },
    **handsoff_keys.KEYS,
    **aws_keys.KEYS,
    "trace": {
        "product": "the product's id",
        "drop": "the delivery that holds it",
        "name": "its display name",
        "hops": "from the sentence to the delivered line: hop, value, link, state, note. state: checked (hash "
        "recomputed), recorded, missing (note says why) or broken",
        "missing": "hops that could not be followed",
        "broken": "hops that are not what the record says; the command ends with 1 when there is one",
        "seconds": _DURATION,
    },
    "review open": {
        "round": "name of the round",
        "family": "the family",
        "candidate": "the candidate",
        "candidate_version": "its model version",
        "opponent": "champion, or base where there is no champion",
        "opponent_version": "its model version",
        "kind": "what is compared: attribute-cards, descriptions or picture-strips",
        "pairs": "tasks in Label Studio: plain, gold, identical and repeated pairs",
        "items": "plain pairs among them: as many as asked for, or all whose two results differ",
        "minutes": "work of each annotator where `power_raters` take part, at 12 s a pair",
        "power_raters": "annotators that the next line is about",
        "power": "how often such a round finds a true preference of 60, 65 and 70 in 100, simulated",
        "link": "the page annotators open",
        "resumed": "whether the round had been opened before",
        "plan_sha256": "hash of the registered plan",
        "seconds": _DURATION,
    },
    "review status": {
        "rounds": "every round, or the named one: name, state, outcome, kind, plain ballots, versions, simulated",
        "ballots": "of the named round: ballots that count by kind of pair, void ones, and plain ones still possible",
        "share": "of the named round: decided ballots for the candidate: value, low, high (valid at every look)",
        "e_value": "of the named round: evidence for a preference, after the design effect",
        "needed": "of the named round: the e-value that decides",
        "reasons": "of the named round: why it stands as it does, one sentence each",
        "forecast": "of a named open round: ballots still needed (median, low, high) and how it will end",
        "asked_again": "of the named open round: ballots of annotators who are left out, which others are asked for",
        "pulled": "of the named round: time of the last pull",
    },
    "review sync": {
        "round": "name of the round",
        "pull": "number of this pull",
        "new": "ballots never seen before",
        "corrected": "ballots corrected by their author",
        "void": "revisions that do not count, one sentence each",
        "vanished": "ballots that are gone from Label Studio; they stand",
        "warnings": "clocks that disagree, one sentence each",
        "asked_again": "pairs shown to one more annotator from now on, in place of one who is left out",
        "requests": "requests made to Label Studio",
        "seconds": _DURATION,
    },
    "review close": {
        "round": "name of the round",
        "outcome": "preferred, not_preferred, no_difference or inconclusive",
        "reasons": "why, one sentence each",
        "ballots": "plain ballots that count, by choice",
        "excluded": "annotators left out by the plan's rules, with the reason",
        "simulated": "whether a ballot that counts is a scripted annotator's",
        "evidence_sha256": "hash of the evidence",
        "ballots_sha256": "hash of every ballot it rests on",
    },
    "review report": {
        "round": "name of the round",
        "report": "the HTML page",
    },
    "review vote": {
        "round": "name of the round",
        "votes": "votes cast now, by scripted annotator",
        "simulated": "always true",
        "seconds": _DURATION,
    },
    "review simulate": {
        "preference": "true share of decided votes for the candidate",
        "rounds": "rounds drawn",
        "raters": "annotators of a round",
        "items": "pairs shown",
        "overlap": "ballots asked for each",
        "outcomes": "rounds, count by outcome",
        "median_ballots": "ballots of a round, median, undecided ones at their cap",
        "mean_ballots": "the same, mean",
        "decided_median": "ballots of the decided rounds, median; null where none was decided",
        "minutes": "work of each annotator, at 12 s a pair",
        "seconds": _DURATION,
    },
    "review login": {
        "server": "address of Label Studio",
        "email": "owner of the token",
    },
    "review annotator add": {
        "email": "the address the annotator signs in with",
        "sign_in": "where",
        "password_file": "file with the password; only you can read it. Null with --existing",
    },
    "review picks open": {
        "round": "name of the round of picks, by its drop and what it shows",
        "drop": "the delivery whose ads are shown",
        "requests": "tasks in Label Studio, one a request",
        "link": "the page annotators open",
        "resumed": "whether the round had been opened before",
        "seconds": _DURATION,
    },
    "review picks sync": {
        "round": "name of the round",
        "new": "picks never seen before",
        "corrected": "picks corrected by their author",
        "void": "revisions that do not count, one sentence each",
        "rework": "comments among the new picks that ask for something else",
        "published": "requests whose picture is published now",
        "seconds": _DURATION,
    },
    "review picks status": {
        "rounds": "every round, or the named one: round, drop, requests, answered, picks (of people), simulated (of "
        "scripted annotators), none_of_these",
        "published": "of the named round: request, product, picture, sha256, picks, simulated",
        "rework": "of the named round, by comment: request, product, comment, stages that would run again, sentence, "
        "simulated",
    },
    "review picks vote": {
        "round": "name of the round",
        "picks": "picks made now, by scripted annotator",
        "simulated": "always true",
        "seconds": _DURATION,
    },
    "promote": {
        "family": "the family",
        "status": "promoted, already_champion or refused",
        "candidate": "the candidate",
        "version": "its model version",
        "champion": "version that is champion now; null when there is none",
        "old_champion": "version that was champion before; null when there was none",
        "reasons": "why, one sentence each",
        "record": "id of the promotion record; null when nothing moved",
        "simulated": "whether it rests on ballots of scripted annotators; null when nothing moved",
    },
    "rollback": {
        "family": "the family",
        "champion": "version that is champion now",
        "old_champion": "version that was champion before",
        "candidate": "candidate of the version that is champion now",
        "record": "id of the promotion record",
    },
    "history": {
        "family": "the family",
        "at": "the day (its end, UTC) or moment asked about; null for now",
        "champion": "version that was champion then, by the record; null when there was none",
        "candidate": "its candidate",
        "kind": "how it became champion: promotion, rollback or by_hand",
        "by": "who moved the alias; unknown when by hand",
        "since": "when it became champion",
        "simulated": "whether that rested on ballots of scripted annotators",
        "records": "every move until then, oldest first: who, what, when, why, on which evidence, how it ended",
    },
    "status": {
        "home": "folder of local state",
        "services": "name, state and address of every service",
        "families": "per family: aliases, versions and the newest promotion; by the ledger, with versions null, when "
        "MLflow is down; null when there is no ledger either",
        "rounds": "open rounds: name, family, candidate, opened, ballots pulled so far",
        "drops": "every drop and every entry of the inbox: state (read, reading, waiting, refused or failed), rows of "
        "products and quarantine, and the sentence that says what to do",
        "retraining": "per family that was trained here: on, whether it is due (retrain), the reason, new_products and "
        "new_drops since its newest training, and alarms by check",
        "failed_runs": "runs of the last seven days that failed and were not made good since: run, at, assets, "
        "partition, sentence",
        "schedules": "every schedule: state (on or off, `by hand` where somebody switched it in Dagster), cron, "
        "time_zone, next (when it fires, while `selvedge up` runs; null for off), and what it does",
        "disk": "bytes by folder of the home, the largest first",
        "tables": "published tables, count of files by stage and name",
        "warnings": "promotions cut short that were repaired, aliases found moved by hand, a catalogue too small to "
        "teach a model: one sentence each",
    },
    "backfill": {
        "status": "planned, made, up to date, failed or cancelled",
        "assets": "what is made again, upstream first",
        "drops": "drops of which something is missing or out of date, in the order in which they arrived",
        "products": "products of these drops",
        "estimated_seconds": "seconds of work, by what the drops took last time; null where none was ever made",
        "estimated_usd": "US dollars for a paid writer, by what the texts took last time; null where that is not known",
        "usd_at_most": "US dollars that the budgets of its runs allow",
        "backfill": "its id in Dagster; null where it was made by this command, or not at all",
        "made": "drops that were made",
        "failed": "drops that failed, with the sentence of each",
        "seconds": _DURATION,
    },
    "cost": {
        "month": "whose costs these are, YYYY-MM; null for all there are",
        "time_zone": "in which months and weeks begin",
        "runs": "that ended then",
        "failed": "of the runs, those that failed or were stopped",
        "products": "of the drops that they worked on, each drop counted once",
        "seconds": "wall seconds that the runs took",
        "rows": "of the tables that they published",
        "bytes": "of these tables, and of registered models",
        "tokens_in": "that paid writers of descriptions read",
        "tokens_out": "that they wrote",
        "usd": "US dollars for these tokens",
        "by_month": "the same figures by month, all there are",
        "by_week": "by week (its Monday) and by family, else by stage (`whose`)",
        "by_family": "by family, else by stage",
        "by_asset": "by asset, its checks included",
        "seconds_taken": _DURATION,
    },
    "gc": {
        "home": "folder of local state",
        "deleted": "whether it was removed; without --delete it is only said",
        "days": "how long runs and ticks are kept",
        "garbage": "what nothing names: kind, count and bytes",
        "runs": "finished runs of Dagster that nothing needs and that ended before",
        "run_events": "finished runs before that stay for what they made, and whose step events and logs go",
        "ticks": "ticks of sensors and schedules before",
        "requests": "requests of `selvedge serve` that ended before; their ids are new ones from then on",
        "bytes": "that the garbage takes, or that were freed, Dagster's databases included",
        "seconds": _DURATION,
    },
    "backup": {
        "path": "the folder or file",
        "files": "files in it",
        "bytes": "of these files",
        "databases": "of the files, those that were copied by SQLite's online backup",
        "secrets": "of the files, credentials and keys; only their owner may read them",
        "elsewhere": "what the home uses and the backup does not hold, one sentence each",
        "sha256": "over everything its manifest says, the hashes of all files included",
        "seconds": _DURATION,
    },
    "restore": {
        "home": "the folder that is a home now",
        "made": "when the backup was made, UTC",
        "files": "files that were held to their hashes",
        "bytes": "of these files",
        "closed_runs": "runs that were under way when it was made, closed as failed",
        "elsewhere": "what the home used and the backup did not hold, one sentence each",
        "sha256": "over everything the backup's manifest says",
        "seconds": _DURATION,
    },
    "migrate": {
        "home": "folder of local state",
        "database": "the PostgreSQL database that the home is on now",
        "again": "whether it was there already; then nothing was copied, and the counts are 0",
        "tables": "tables that were held to counts and hashes at both ends",
        "rows": "rows in them, by schema",
        "runs": "of the rows, Dagster's runs",
        "events": "of the rows, events of these runs",
        "ballots": "of the rows, ballots of the ledger",
        "promotions": "of the rows, promotions of the ledger",
        "aside": "the folder of the home that holds the SQLite files now",
        "seconds": _DURATION,
    },
    "serve": {
        "home": "its folder",
        "address": "of the request API",
        "pages": "link of the home's pages, with a key; for the home's owner",
        "studio": "link of the ad studio, with the same key",
        "products": "products that a request may name",
        "workers": "processes that make ads",
        "seconds": _DURATION,
    },
    "serve key add": {
        "name": "the client's",
        "rights": "what its requests may be for",
        "key": "the key itself, which is shown only now",
    },
    "serve key list": {
        "keys": "name, rights, created: UTC",
    },
    "serve key remove": {
        "name": "of the client whose key opens nothing any more",
    },
    "doctor": {
        "home": "folder of local state",
        "checks": "databases, disk, ledger, file modes, backups, champions, services and more: ok, and what to do",
    },
    "up": {
        "home": "folder of local state",
        "services": "name, state and address of every service",
    },
    "demo": {
        "report": "the HTML report",
        "round_report": "the page of the first family's blind round; null when none was judged",
        "home": "folder of local state",
        "champion": "address of the champion of the first family; null where none passed its gate",
        "champions": "family to the address of its champion",
        "round_reports": "family to the page of its blind round",
        "products": "products described",
        "seconds": _DURATION,
        "peak_rss_bytes": "largest memory of this process",
    },
}

_BEFORE = "promote"  # the families' own commands stand before it
_COUNTS = ("", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")


def declared() -> dict[str, dict[str, str]]:
    """Every command's keys and what they mean, with what the families add."""
    commands: dict[str, dict[str, str]] = {}
    for command, keys in _SHARED.items():
        if command == _BEFORE:
            commands |= {own.name: dict(own.keys) for family in families.FAMILIES for own in family.commands}
        commands[command] = _with_families(command, keys)
    return commands


def _with_families(command: str, shared: Mapping[str, str]) -> dict[str, str]:
    parts = [(family, family.results[command]) for family in families.FAMILIES if command in family.results]
    keys: dict[str, str] = {}
    for key, meaning in shared.items():
        if key == _OWN:
            for family, part in parts:
                keys |= _owned(family, part.own)
        else:
            remarks = [f"; of {family.name} {part.remarks[key]}" for family, part in parts if key in part.remarks]
            keys[key] = meaning + "".join(remarks)
    return keys


def _owned(family: Family, keys: Mapping[str, str]) -> dict[str, str]:
    """A family's own keys; the first says whose they are and how many follow."""
    described = dict(keys)
    others = ", ".join(other.name for other in families.FAMILIES if other is not family)
    for first in list(described)[:1]:
        following = f", as the next {_COUNTS[len(described) - 1]}" if len(described) > 1 else ""
        null = f"; null for {others}{following}" if others else ""
        described[first] = f"{family.name}: {described[first]}{null}"
    return described


_stream: ContextVar[TextIO | None] = ContextVar("stream", default=None)


@contextmanager
def printing_to(stream: TextIO) -> Iterator[None]:
    """Results go to `stream`; while a command runs, `sys.stdout` is stderr (main.py)."""
    token = _stream.set(stream)
    try:
        yield
    finally:
        _stream.reset(token)


def emit(command: str, as_json: bool, values: Mapping[str, Any], lines: Sequence[str] | None = None) -> None:
    """Print a command's result.

    Args:
        lines: for people, instead of every key.

    Raises:
        ValueError: the keys are not the declared ones.
    """
    keys = declared()[command]
    if set(values) != set(keys):
        raise ValueError(f"result of {command}: keys {sorted(values)} are not the declared {sorted(keys)}")
    stream = _stream.get() or sys.stdout
    ordered = {key: values[key] for key in keys}
    if as_json:
        stream.write(json.dumps(_without_nan(ordered), ensure_ascii=False, allow_nan=False) + "\n")
    else:
        stream.write(_for_people(ordered) if lines is None else "\n".join(lines) + "\n")
    stream.flush()


def print_text(text: str) -> None:
    """A result that is a text of its own, like a file to begin with."""
    stream = _stream.get() or sys.stdout
    stream.write(text)
    stream.flush()


def print_document(values: Mapping[str, Any]) -> None:
    """A result whose keys are no command's: one JSON object."""
    print_text(json.dumps(_without_nan(values), ensure_ascii=False, allow_nan=False) + "\n")


def manual() -> str:
    """The part of docs/cli.md that lists every key."""
    parts = []
    for command, keys in declared().items():
        rows = "\n".join(f"| `{key}` | {meaning} |" for key, meaning in keys.items())
        parts.append(f"### `selvedge {command}`\n\n| key | meaning |\n|---|---|\n{rows}\n")
    return "\n".join(parts)


def _without_nan(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {str(name): _without_nan(inner) for name, inner in value.items()}
    if isinstance(value, (list, tuple)):
        return [_without_nan(inner) for inner in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def _for_people(values: Mapping[str, Any]) -> str:
    width = max(len(key) for key in values)
    lines = []
    for key, value in values.items():
        if value in (None, {}, []):
            continue
        label = key.replace("_", " ").ljust(width)
        for number, line in enumerate(_lines(value)):
            lines.append(f"{label if number == 0 else ' ' * width}  {line}")
    return "\n".join(lines) + "\n"


def _lines(value: Any) -> list[str]:
    if isinstance(value, Mapping):
        return [line for name, inner in value.items() for line in _named(str(name), inner)]
    if isinstance(value, (list, tuple)):
        return [_columns(inner) if isinstance(inner, Mapping) else _short(inner) for inner in value]
    return [_short(value)]


def _named(name: str, value: Any) -> list[str]:
    if isinstance(value, Mapping) and (len(value) > 3 or any(isinstance(inner, Mapping) for inner in value.values())):
        return [f"{name}:", *(f"  {line}" for line in _lines({k: v for k, v in value.items() if v is not None}))]
    return [f"{name}: {_short(value)}"]


def _columns(row: Mapping[str, Any]) -> str:
    return "  ".join(_short(cell).ljust(18) for cell in row.values() if cell is not None).rstrip()


def _short(value: Any) -> str:
    if isinstance(value, Mapping):
        return ", ".join(f"{name} {_short(inner)}" for name, inner in value.items() if inner is not None)
    if isinstance(value, (list, tuple)):
        return ", ".join(_short(inner) for inner in value)
    if isinstance(value, float):
        return f"{value:.3f}" if abs(value) < 10 else f"{value:.1f}"
    return str(value)
