"""The `selvedge` command: what the assets call, usable alone.

Belongs here: assembling the commands, and what every one of them shares: errors as one sentence, exit codes, a stdout
that carries nothing but the result. Not here: what a command does (its own file beside this one).

Exit codes: 0 done, 1 a `SelvedgeError`, 2 wrong usage, 130 interrupted. Starting up imports typer and nothing heavier;
each command imports what it needs.
"""

import contextlib
import errno
import os
import re
import signal
import sys
import warnings
from collections.abc import Iterator, Sequence
from types import FrameType

import typer

from catalog.errors import Interrupted, SelvedgeError
from catalog.places import refused_by_the_machine, sentence_of
from orchestration.cli import (
    backfill_command,
    backup_commands,
    catalog_commands,
    cost_command,
    deploy_commands,
    doctor_command,
    gc_command,
    handsoff_commands,
    inference_commands,
    migrate_command,
    mirror_commands,
    model_commands,
    registry_commands,
    results,
    review_commands,
    running_commands,
    serve_command,
    status_command,
    tailoring,
    trace_command,
)
from orchestration.cli.terminal import say
from orchestration.runtime.private import owner_only

FAILED, WRONG_USAGE, INTERRUPTED = 1, 2, 130
STOPPED = "selvedge: interrupted; nothing was left half-written, run the same command again to complete it."
NO_SUCH_PLACE = {errno.ELOOP, errno.EINVAL}  # a path that cannot be
NO_HOME = "Could not determine home directory"  # of ~somebody
SYMLINK_LOOP = "Symlink loop from "  # what pathlib says of one, as a RuntimeError too, before Python 3.13
EMPTY = re.compile(r"(--[\w-]+=)?\s*")
ONE_SLASH = re.compile(r"(s3|gs|gcs|az|abfs|http|https|file|postgresql|sqlite):/(?!/)")


def application() -> typer.Typer:
    """Every command, with those of the families there are."""
    app = typer.Typer(
        name="selvedge",
        help="From a catalogue to published descriptions: read, train, evaluate, review, promote, infer.",
        no_args_is_help=True,
        add_completion=False,
        rich_markup_mode=None,
        pretty_exceptions_enable=False,
    )
    app.add_typer(catalog_commands.app, name="catalog", help="Draw, read and look at catalogues.")
    model_commands.add_to(app)
    inference_commands.add_to(app)
    tailoring.add_family_commands(app)
    steps = "Labelled pictures without end from a few: generator, codes, labeller, sets."
    app.add_typer(handsoff_commands.app, name="handsoff", help=steps)
    trace_command.add_to(app)
    rounds = review_commands.application()
    app.add_typer(rounds, name="review", help="Blind rounds: people choose between two versions.")
    registry_commands.add_to(app)
    status_command.add_to(app)
    running_commands.add_to(app)
    app.add_typer(serve_command.application(), name="serve", help=serve_command.HELP)
    backfill_command.add_to(app)
    cost_command.add_to(app)
    gc_command.add_to(app)
    backup_commands.add_to(app)
    migrate_command.add_to(app)
    doctor_command.add_to(app)
    weights = "Public weights in a bucket of your own: mirror, pull by digest, verify."
    app.add_typer(mirror_commands.application(), name="models", help=weights)
    on_aws = "AWS: what a deployment creates and costs, training jobs, a champion's endpoint."
    app.add_typer(deploy_commands.application(), name="deploy", help=on_aws)
    return app


def main(arguments: Sequence[str] | None = None) -> None:
    """Run one command and exit with its code."""
    sys.exit(run(sys.argv[1:] if arguments is None else list(arguments)))


def run(arguments: Sequence[str]) -> int:
    """Run one command; its exit code. Errors a person can act on are one sentence on stderr, others are raised."""
    # Other people's advice to programmers is nothing that the person at this command can act on.
    warnings.filterwarnings("ignore", module=r"(transformers|peft|mlflow|dagster)\b.*")
    wants_help = not arguments or "--help" in arguments
    with (
        contextlib.nullcontext() if wants_help else _result_only_on_stdout(),
        _terminated_like_interrupted(),
        owner_only(),
    ):
        try:
            _refuse_impossible(arguments)
            outcome = application()(list(arguments), prog_name="selvedge", standalone_mode=False)
        except (Exception, KeyboardInterrupt) as error:
            outcome = _tell(error, arguments)
            if outcome is None:
                raise
        else:
            if outcome == INTERRUPTED:  # what typer makes of Ctrl-C
                say(STOPPED)
    return outcome if isinstance(outcome, int) else 0


def _tell(error: BaseException, arguments: Sequence[str]) -> int | None:
    """The sentence of an error, and the exit code; None for a fault of ours, which wants its traceback."""
    if isinstance(error, KeyboardInterrupt | typer.Abort):
        say(STOPPED)
        return INTERRUPTED
    if isinstance(error, SelvedgeError):
        say(f"selvedge: {error}")
        return INTERRUPTED if isinstance(error, Interrupted) else FAILED
    if isinstance(error, typer.TyperException):
        message = error.format_message()
        asked_nothing = message.startswith("Usage:")  # typer answers that with the whole help
        hint = f"selvedge: {_one_line(message)} Try `selvedge {_command(arguments)}--help`."
        say(message if asked_nothing else hint)
        return WRONG_USAGE
    if isinstance(error, BrokenPipeError):
        # The reader of stdout left, as `| head` does; Python would complain again when it flushes at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        return FAILED
    sentence = _of_the_machine(error) or _of_postgres(error) or _of_sqlite(error)
    if sentence:
        say(f"selvedge: {sentence}")
        return FAILED
    return None


def _of_postgres(error: BaseException) -> str:
    """What PostgreSQL refused in the middle of a command, whoever asked it; "" for anything else."""
    library = sys.modules.get("sqlalchemy.exc")
    cause: BaseException | None = error if library is not None else None
    while cause is not None:
        driver = type(getattr(cause, "orig", None)).__module__
        if library is not None and isinstance(cause, library.OperationalError) and driver.startswith("psycopg"):
            from orchestration.runtime.databases import refused

            return str(refused(None, cause))
        cause = cause.__cause__
    return ""


def _of_sqlite(error: BaseException) -> str:
    """What a SQLite file of the home refused in the middle of a command; "" for anything else."""
    if "sqlite3" not in sys.modules:
        return ""
    from orchestration.runtime.health import refused_by_sqlite

    return refused_by_sqlite(error)


def _of_the_machine(error: BaseException) -> str:
    """What the machine, and no code of ours, refused: disk, memory, a path that cannot be; "" for anything else."""
    if refusal := refused_by_the_machine(error):
        return sentence_of(refusal)
    if isinstance(error, OSError) and error.errno in NO_SUCH_PLACE and error.filename:
        return f"{str(error.filename)[:200]}: {error.strerror}; name another path."
    if isinstance(error, MemoryError):
        return "this machine has too little free memory for that; nothing was left half-written."
    if isinstance(error, ImportError) and re.search("failed to map|cannot allocate", str(error), re.IGNORECASE):
        return f"this machine has too little free memory to load {error.name or 'a library'}; free some and run again."
    if isinstance(error, RuntimeError) and str(error).startswith(NO_HOME):
        return "a path begins with ~ and a name that has no home folder here; write the folder itself."
    if isinstance(error, RuntimeError) and str(error).startswith(SYMLINK_LOOP):
        return f"{str(error).removeprefix(SYMLINK_LOOP)[:200]}: a link to itself; name another path."
    return ""


def _refuse_impossible(arguments: Sequence[str]) -> None:
    """What no path, name or address can be is refused once, for all commands.

    Raises:
        SelvedgeError: an argument is empty (as an unset variable of the shell leaves it), holds a NUL or bytes that are
            no UTF-8, or an address has lost a slash.
    """
    for index, argument in enumerate(arguments):
        shown = ascii(argument)[:80]
        if EMPTY.fullmatch(argument):
            before = arguments[index - 1] if index and arguments[index - 1].startswith("--") else argument
            raise SelvedgeError(f"argument {before.rstrip('=') or index + 1} is empty; leave it out, or give a value.")
        if "\0" in argument:
            raise SelvedgeError(f"argument {shown} holds a NUL character, which no name does; leave it out.")
        if any(0xD800 <= ord(letter) <= 0xDFFF for letter in argument):
            raise SelvedgeError(f"argument {shown} is not UTF-8; rename the file, or mend the terminal's encoding.")
        address = ONE_SLASH.match(argument.partition("=")[2] if argument.startswith("--") else argument)
        if address:
            raise SelvedgeError(f"argument {shown} has one slash after {address[1]}:; write {address[1]}://….")


@contextlib.contextmanager
def _result_only_on_stdout() -> Iterator[None]:
    """Whatever libraries and child processes print on stdout goes to stderr; only `emit` reaches the real one."""
    try:
        real = os.dup(sys.stdout.fileno())
    except (OSError, ValueError):  # a test's stand-in for stdout has no file descriptor
        yield
        return
    sys.stdout.flush()
    ordinary, sys.stdout = sys.stdout, sys.stderr
    os.dup2(2, 1)
    try:
        with os.fdopen(os.dup(real), "w", encoding="utf-8") as stream, results.printing_to(stream):
            yield
    finally:
        os.dup2(real, 1)
        os.close(real)
        sys.stdout = ordinary


@contextlib.contextmanager
def _terminated_like_interrupted() -> Iterator[None]:
    """SIGTERM ends a command as Ctrl-C does: services stopped, temporary files removed."""

    def interrupt(number: int, frame: FrameType | None) -> None:  # noqa: ARG001 (a signal handler's)
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGTERM, interrupt)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def _one_line(text: str) -> str:
    line = " ".join(text.split())
    return line if line.endswith((".", "?", "!")) else f"{line}."


def _command(arguments: Sequence[str]) -> str:
    words = {word for command in results.declared() for word in command.split()}
    return "".join(f"{word} " for word in arguments[:2] if word in words)
