"""The blocks of a page: finding them, and running those of the language `console` as a reader would type them.

Belongs here: reading blocks, running commands, comparing what they print, holding a command line to the parser. Not
here: which pages there are (test_tutorials.py), which test runs which block (tests/test_command_blocks.py).

A line that begins with `$ ` is a command, one with `> ` continues it, `^C` interrupts the command that runs in this
terminal. The other lines are what the page shows of the output: each must be printed, in this order; `…` stands for
anything, and how many blanks there are does not matter. A block with a title is another terminal, whose last command
may go on running.
"""

import os
import re
import shlex
import signal
import subprocess
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
INTERRUPT = "^C"
INTERRUPTED = 130  # how a command ends that was interrupted
SELVEDGE = re.compile(r"(?:^|[\s/$])selvedge\s+([a-z].*)$")
ANY_FENCE = re.compile(r"^```[^\n]*\n(.*?)^```$", re.MULTILINE | re.DOTALL)
BLOCK = re.compile(r"^```(?P<language>[^\n]*)\n(?P<text>.*?)^```$", re.MULTILINE | re.DOTALL)
INLINE = re.compile(r"`([^`\n]*selvedge [^`\n]*)`")
FENCE = re.compile(r'^```console(?: title="(?P<title>[^"]*)")?\n(?P<lines>.*?)^```$', re.MULTILINE | re.DOTALL)


@dataclass(frozen=True)
class Command:
    """A command line, or `^C`, and the lines that the page shows below it."""

    text: str
    shown: tuple[str, ...]


@dataclass(frozen=True)
class Block:
    """Commands typed one after another into the terminal of this title."""

    terminal: str
    commands: tuple[Command, ...]


@dataclass
class Running:
    """A command at work: its process, and every line it has printed."""

    process: subprocess.Popen[str]
    lines: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def all_lines(self) -> list[str]:
        """Everything printed, once the process has ended."""
        self._reader.join(timeout=10)
        return self.lines

    def _read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self.lines.append(line)


class Terminals:
    """The reader's terminals, all in one folder."""

    def __init__(self, folder: Path, environment: dict[str, str], seconds: float = 300.0) -> None:
        self.folder, self.environment, self.seconds = folder, environment, seconds
        self.running: dict[str, Running] = {}

    def follow(self, page: Path) -> None:
        """Type everything that a page shows.

        Raises:
            AssertionError: a command failed, or did not print what the page shows.
        """
        for block in blocks(page.read_text(encoding="utf-8")):
            for number, command in enumerate(block.commands, start=1):
                may_go_on = bool(block.terminal) and number == len(block.commands)
                self._type(block.terminal, command, may_go_on)

    def close(self) -> None:
        """Interrupt whatever still runs, and wait for its end."""
        for running in self.running.values():
            if running.process.poll() is None:
                os.killpg(running.process.pid, signal.SIGINT)
                running.process.wait(timeout=120)

    def _type(self, terminal: str, command: Command, may_go_on: bool) -> None:
        if command.text == INTERRUPT:
            running = self.running[terminal]
            os.killpg(running.process.pid, signal.SIGINT)
            may_go_on = False
        else:
            running = self.running[terminal] = self._start(command.text)
        self._wait(running, command, may_go_on)

    def _start(self, text: str) -> Running:
        process = subprocess.Popen(
            ["bash", "-c", text],
            cwd=self.folder,
            env=self.environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )
        return Running(process)

    def _wait(self, running: Running, command: Command, may_go_on: bool) -> None:
        deadline = time.monotonic() + self.seconds
        while running.process.poll() is None:
            if may_go_on and missing(command.shown, running.lines) is None:
                return
            assert time.monotonic() < deadline, f"`{command.text}` takes too long; so far:\n{''.join(running.lines)}"
            time.sleep(0.1)
        output = "".join(running.all_lines())
        expected = INTERRUPTED if command.text == INTERRUPT else 0
        assert running.process.returncode == expected, f"`{command.text}` failed:\n{output}"
        lacking = missing(command.shown, running.lines)
        assert lacking is None, f"`{command.text}` did not print {lacking!r}; it printed:\n{output}"


def blocks(page: str) -> list[Block]:
    """The console blocks of a page, in order."""
    return [Block(match["title"] or "", tuple(_commands(match["lines"]))) for match in FENCE.finditer(page)]


def command_block(page: str, beginning: str) -> str:
    """The text of a page's one block that begins so; its test in tests/test_command_blocks.py finds calls by name.

    Args:
        page: below docs/, or beside it.
    """
    text = (ROOT / page if (ROOT / page).is_file() else ROOT / "docs" / page).read_text(encoding="utf-8")
    (block,) = [match["text"] for match in BLOCK.finditer(text) if match["text"].startswith(beginning)]
    return str(block)


def missing(shown: tuple[str, ...], printed: list[str]) -> str | None:
    """The first line of `shown` that was not printed after those before it; None when all were."""
    rest = iter([" ".join(line.split()) for line in printed])
    for line in shown:
        pattern = ".*".join(re.escape(part) for part in " ".join(line.split()).split("…"))
        if line.strip() != "…" and not any(re.fullmatch(pattern, printed_line) for printed_line in rest):
            return line
    return None


def _commands(text: str) -> list[Command]:
    commands: list[tuple[str, list[str]]] = []
    for line in text.splitlines():
        if line == INTERRUPT:
            commands.append((INTERRUPT, []))
        elif line.startswith("$ "):
            commands.append((line.removeprefix("$ "), []))
        elif line.startswith("> "):
            typed, shown = commands[-1]
            commands[-1] = (f"{typed}\n{line.removeprefix('> ')}", shown)
        else:
            commands[-1][1].append(line)
    return [Command(typed, tuple(shown)) for typed, shown in commands]


def selvedge_commands(page: str) -> list[list[str]]:
    """The words of every `selvedge …` that a page shows, in a block or in the text."""
    text = re.sub(r"\\\n(?:> )?\s*", " ", page)
    lines = [line for block in ANY_FENCE.findall(text) for line in block.splitlines()]
    lines += INLINE.findall(ANY_FENCE.sub("", text))
    found = []
    for line in lines:
        match = SELVEDGE.search(line)
        if match:
            # Square brackets stand for what may be left out, an ellipsis for what a reader fills in.
            words = re.sub(r"[\[\]…]", " ", match[1].split(" #")[0].split("|")[0].split(">")[0])
            found.append(shlex.split(words))
    return found


def understood(words: list[str]) -> str:
    """What is wrong with a command's names and options; "" where all are declared. Nothing is run."""
    import typer

    from orchestration.cli.main import application

    command = typer.main.get_command(application())
    rest = list(words)
    while rest and not rest[0].startswith("-") and getattr(command, "commands", None):
        name = rest.pop(0)
        if name not in command.commands:
            return f"there is no command {name}"
        command = command.commands[name]
    named = [option for parameter in command.params for option in (*parameter.opts, *parameter.secondary_opts)]
    options = {*named, "--help"}
    return next((f"there is no option {word}" for word in rest if word.startswith("--") and word not in options), "")


def refused(words: list[str]) -> str:
    """Why a whole `selvedge` command line would be refused; "" where it would be run. Nothing is run."""
    import typer

    from orchestration.cli.main import application

    name, command, context = "selvedge", typer.main.get_command(application()), None
    try:
        while True:
            context = command.make_context(name, list(words), parent=context)
            rest = [*getattr(context, "_protected_args", ()), *context.args]
            if not isinstance(command, typer.core.TyperGroup) or (command.invoke_without_command and not rest):
                return ""
            name, command, words = command.resolve_command(context, rest)
    except typer.TyperException as refusal:
        return refusal.format_message()
