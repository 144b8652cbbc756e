"""A group of services: one that ends is started again, the others go on, and nothing of a killed one stays."""

import contextlib
import re
import subprocess
import sys
import time
from pathlib import Path
from types import SimpleNamespace

import psutil
import pytest

from infra.errors import ServiceFailure
from infra.local import services, up
from infra.local.processes import Process, port_taken
from infra.local.restarts import restarts
from infra.local.service_logs import ending
from infra.local.services import answers, ensure, state
from infra.local.up import Group
from tests.infra.services_for_tests import HANGING, parent_service, web_service
from tests.ports import free_port


class Enough(Exception):
    """Stands in for Ctrl-C."""


@pytest.fixture(autouse=True)
def quick(monkeypatch):
    monkeypatch.setattr(up, "WATCH_SECONDS", 0.02)
    monkeypatch.setattr(up, "RESTART_WAITS", (0.0, 0.05, 0.05))


def interrupted_after(fragment: str, lines: list[str]):
    def tell(line: str) -> None:
        lines.append(line)
        if fragment in line:
            raise Enough

    return tell


def kill(pid: int) -> None:
    process = psutil.Process(pid)
    process.kill()
    while process.is_running() and process.status() != psutil.STATUS_ZOMBIE:
        time.sleep(0.01)


def test_what_a_killed_server_leaves_on_the_port_is_recognised_and_ended(tmp_path):
    service = parent_service(tmp_path, free_port())
    first = ensure(service)
    left = psutil.Process(first.process.pid).children(recursive=True)
    kill(first.process.pid)
    first.end()
    assert len(left) == 2 and port_taken(service.port)
    assert state(service) == "left over"
    lines = []
    second = ensure(service, lines.append)
    assert state(service) == "running"
    second.stop()
    assert not any(process.is_running() and process.status() != psutil.STATUS_ZOMBIE for process in left)
    assert "web: ending what a killed one left behind (process " in lines[0]


def test_the_port_of_another_program_is_told_with_its_number(tmp_path):
    service = web_service(tmp_path / "ours", free_port())
    other = ensure(web_service(tmp_path / "theirs", service.port))
    try:
        with pytest.raises(ServiceFailure, match=rf"{tmp_path}/theirs/web\.pid records \(process {other.process.pid}"):
            ensure(service)
        assert state(service) == "taken" and other.alive()
    finally:
        other.stop()


def test_one_dead_service_is_started_again_and_the_others_go_on(tmp_path):
    lines = []
    with Group() as group:
        first = group.add(lambda: ensure(parent_service(tmp_path / "a", free_a, name="first")))
        other = group.add(lambda: ensure(web_service(tmp_path / "b", free_b, name="other")))
        kill(first.process.pid)
        with contextlib.suppress(Enough):
            group.watch(interrupted_after("runs again", lines))
        again = group.kept[0].running
        assert again.alive() and again.process != first.process
        assert other.alive() and group.kept[1].running is other
    assert lines[0].startswith("first was ended by SIGKILL; its log ") and "started again (1 of 3)" in lines[0]
    assert not port_taken(free_a) and not port_taken(free_b)


def test_a_service_that_ends_again_and_again_is_given_up_with_its_last_error(tmp_path):
    script = (
        "import sys, time; print('\\x1b[32mINFO\\x1b[0m skipped', flush=True); "
        "print('\\x1b[31mERROR\\x1b[0m disk I/O error', flush=True); print('bye', flush=True); sys.exit(3)"
    )
    broken = [False]

    def start():
        command = (sys.executable, "-c", script) if broken[0] else web_service(tmp_path / "a", free_a).command
        return ensure(web_service(tmp_path / "a", free_a, command=command))

    lines = []
    with Group() as group:
        first = group.add(start)
        other = group.add(lambda: ensure(web_service(tmp_path / "b", free_b, name="other")))
        broken[0] = True
        first.service.log.write_text("ERROR of another day\n")
        kill(first.process.pid)
        with contextlib.suppress(Enough):
            group.watch(interrupted_after("stays down", lines))
        assert other.alive()
    assert [line.partition("(")[2][:6] for line in lines[:3]] == ["1 of 3", "2 of 3", "3 of 3"]
    assert "“ERROR disk I/O error”" in lines[-1] and "3 times in 5 minutes" in lines[-1]


def test_one_that_runs_and_does_not_answer_is_started_again_by_the_same_rule(tmp_path, monkeypatch):
    monkeypatch.setattr(up, "PROBE_SECONDS", 0.02)
    monkeypatch.setattr(up, "UNANSWERED_PROBES", 3)
    silent = tmp_path / "silent"

    def start():
        silent.unlink(missing_ok=True)
        command = (sys.executable, "-c", HANGING, str(free_a), str(silent))
        return ensure(web_service(tmp_path / "a", free_a, name="hung", command=command))

    lines = []
    with Group() as group:
        hung = group.add(start)
        other = group.add(lambda: ensure(web_service(tmp_path / "b", free_b, name="other")))
        monkeypatch.setattr(services, "HEALTH_TIMEOUT_SECONDS", 0.2)
        silent.touch()
        with contextlib.suppress(Enough):
            group.watch(interrupted_after("runs again", lines))
        again = group.kept[0].running
        assert again.started_here and answers(again.service) and not hung.alive()
        assert group.kept[1].running is other and group.kept[1].unanswered == 0
        assert len(group.kept[0].restarts) == 1 and group.kept[0].unanswered == 0
    assert f"hung was ended: it ran, and http://127.0.0.1:{free_a}/ did not answer 3 times in a row; " in lines[0]
    assert "(1 of 3)" in lines[0] and not port_taken(free_a)


def test_an_answer_in_between_starts_the_count_again(monkeypatch):
    replies = iter([False, False, True, False, False, False])
    monkeypatch.setattr(up, "PROBE_SECONDS", 0.0)
    monkeypatch.setattr(up, "UNANSWERED_PROBES", 3)
    monkeypatch.setattr(up, "answers", lambda service: next(replies))
    kept = up.Kept(start=lambda: None, running=SimpleNamespace(service=SimpleNamespace(pulse=None)))
    assert [up._hangs(kept) for _ in range(6)] == [False, False, False, False, False, True]


def test_restarts_of_long_ago_do_not_count(tmp_path):
    lines = []
    with Group() as group:
        group.add(lambda: ensure(web_service(tmp_path, free_a)))
        group.kept[0].restarts = [time.monotonic() - 301] * 9
        kill(group.kept[0].running.process.pid)
        with contextlib.suppress(Enough):
            group.watch(interrupted_after("runs again", lines))
    assert "(1 of 3)" in lines[0]


free_a, free_b = free_port(), free_port()


@pytest.mark.parametrize(
    ("text", "quoted"),
    [
        ("2026 ERROR disk\nINFO fine\n", "the last error in its log LOG: “2026 ERROR disk”."),
        ("Traceback\n  File x\nsqlite3.OperationalError: locked\n", "“sqlite3.OperationalError: locked”."),
        ("INFO 0 errors\nlast\n", "its log LOG ends “last”."),
        ("\x1b[32m2026\x1b[0m - \x1b[34mdone\x1b[0m\n", "its log LOG ends “2026 - done”."),
        ("", "its log LOG is empty."),
    ],
)
def test_the_last_error_is_quoted_without_colours(tmp_path: Path, text, quoted):
    log = tmp_path / "x.log"
    log.write_text(text)
    assert ending(log).endswith(quoted.replace("LOG", str(log)))


def test_what_an_earlier_start_wrote_explains_nothing(tmp_path):
    log = tmp_path / "x.log"
    log.write_text("ERROR of yesterday\n")
    begin = log.stat().st_size
    assert "is empty" in ending(log, begin) and "names no error" in ending(log, begin, only_errors=True)
    with log.open("a") as file:
        file.write("ERROR of today\n")
    assert "“ERROR of today”" in ending(log, begin, only_errors=True)


def test_a_log_is_bounded_and_no_line_is_lost_while_files_change_places(tmp_path, monkeypatch):
    monkeypatch.setattr(services, "LOG_LIMIT_BYTES", 60_000)
    lines = 10_000  # 11 bytes each: one change
    script = f"import sys\nfor number in range({lines}): print(f'{{number:010}}', flush=number % 7 == 0)"
    service = web_service(tmp_path, None, health_url=None, command=(sys.executable, "-c", script), settle_seconds=9.0)
    with pytest.raises(ServiceFailure, match=rf"ended while starting; its log .* ends “{lines - 1:010}”"):
        ensure(service)
    older = tmp_path / "web.old.log"
    assert older.stat().st_size <= 60_000 and service.log.stat().st_size <= 60_000
    written = (older.read_text() + service.log.read_text()).split()
    assert written == [f"{number:010}" for number in range(lines)]


def test_a_log_that_takes_nothing_more_holds_up_no_service(tmp_path):
    log = tmp_path / "full.log"
    log.symlink_to("/dev/full")
    script = (sys.executable, "-I", "-S", str(Path(services.__file__).with_name("log_writer.py")), str(log), "1000")
    assert subprocess.run(script, input=b"x" * 500_000, timeout=20, check=False).returncode == 0


def watched(tmp_path: Path, **changes) -> up.Kept:
    """A service that is this test's own process, which lives; nothing of it is ended."""
    me = psutil.Process()
    service = web_service(tmp_path, None, health_url=None, **changes)
    running = services.Running(service, Process(me.pid, me.create_time(), None))
    return up.Kept(start=lambda: running, running=running)


def looks(kept: up.Kept, clock: list[float], seconds: int, rule: up.MemoryRule | None = None) -> list[str]:
    """What is told in so many seconds, a look each ten."""
    lines: list[str] = []
    for _ in range(seconds // 10):
        clock[0] += 10
        up._look_after(kept, lines.append, rule or up.MemoryRule())
    return lines


@pytest.fixture
def clock(monkeypatch):
    moment = [time.monotonic()]
    monkeypatch.setattr(up.time, "monotonic", lambda: moment[0])
    return moment


def test_a_daemon_that_signs_no_more_is_started_again_and_a_slow_one_is_not(tmp_path, clock):
    beats = [1.0]
    kept = watched(tmp_path, name="daemon", pulse=lambda: beats[0])
    for _ in range(4):  # a sign each four minutes
        assert looks(kept, clock, 240) == []
        beats[0] += 1
    lines = looks(kept, clock, 400)
    assert lines[0].startswith("daemon was ended: it ran, and has given no sign of life for 3")
    assert "It is started again (1 of 3)" in lines[0] and lines[1] == "daemon runs again."
    assert "no sign of life" in restarts(kept.running.service)[0].why


def test_a_clock_that_jumps_ends_no_service(tmp_path, clock, monkeypatch):
    beats = iter([1e9 + 30 * number for number in range(40)] + [30 * number for number in range(40)])  # set back
    kept = watched(tmp_path, pulse=lambda: next(beats))
    monkeypatch.setattr(up.time, "time", lambda: 0.0, raising=False)
    assert looks(kept, clock, 800) == []


def test_a_service_that_holds_too_much_is_started_again_while_nothing_runs(tmp_path, clock):
    kept, rests = watched(tmp_path, name="daemon"), [False]
    rule = up.MemoryRule(1_000_000, lambda: rests[0])
    assert looks(kept, clock, 4000, rule) == [], "a run is under way"
    rests[0] = True
    lines = looks(kept, clock, 3000, rule)
    assert (
        re.match(r".*daemon held \d+\.\d\d GB ", lines[0])
        and "0.00 GB are allowed; it is started again now, while nothing" in lines[0]
    )
    assert lines[1:] == ["daemon runs again."], "and not again within an hour"
    assert len(looks(kept, clock, 1000, rule)) == 2
    assert [restart.why.partition(" held")[0] for restart in restarts(kept.running.service)] == ["daemon", "daemon"]
    assert looks(kept, clock, 4000, up.MemoryRule(10**12)) == [] == looks(kept, clock, 4000)
