"""Services: started once, never left behind, never mistaken for somebody else's."""

import errno
import json
import os
import signal
import socket
import subprocess
import sys
import textwrap
import threading
import time
from pathlib import Path

import psutil
import pytest

from infra.errors import ServiceFailure
from infra.local import lock, services
from infra.local.processes import Process, end_service, port_taken
from infra.local.services import Running, ensure, recorded_process, state
from tests.infra.services_for_tests import web_service
from tests.ports import free_port


def wait_until(condition, seconds=10.0):
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.05)


def test_a_started_service_answers_and_is_gone_after_stop(tmp_path):
    service = web_service(tmp_path, free_port())
    running = ensure(service)
    assert state(service) == "running" and running.started_here
    running.stop()
    assert state(service) == "stopped" and not port_taken(service.port)


def test_a_killed_process_whose_threads_end_late_is_told_as_killed(tmp_path):
    """Its first thread is gone, and the kernel tells its code only once the others are, too."""
    child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
    mark = Process(child.pid, psutil.Process(child.pid).create_time(), None)
    running = Running(web_service(tmp_path, free_port()), mark, child)
    killer = threading.Timer(0.2, child.kill)
    killer.start()
    assert child.poll() is None and running.end().startswith("was ended by SIGKILL; ")
    killer.join()


def test_a_service_that_the_kernel_ended_for_a_mapped_page_is_told_of_the_disk(tmp_path):
    child = subprocess.Popen([sys.executable, "-c", "import os, signal; os.kill(os.getpid(), signal.SIGBUS)"])
    running = Running(web_service(tmp_path, free_port()), Process(child.pid, time.time(), None), child)
    assert running.end().startswith("was ended by SIGBUS, as happens on a full disk: free some space; ")


def test_a_second_command_uses_the_running_service_and_does_not_stop_it(tmp_path):
    service = web_service(tmp_path, free_port())
    first = ensure(service)
    try:
        second = ensure(service)
        assert second.process == first.process
        second.stop()
        assert first.alive() and state(service) == "running"
    finally:
        first.stop()


def test_a_taken_port_is_one_sentence_with_port_and_setting(tmp_path):
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        with pytest.raises(ServiceFailure, match=rf"port {port}, .* SELVEDGE_WEB_PORT") as refusal:
            ensure(web_service(tmp_path, port))
    assert "\n" not in str(refusal.value)
    assert state(web_service(tmp_path, port)) == "stopped"


def test_a_running_service_on_another_port_is_told_not_doubled(tmp_path):
    service = web_service(tmp_path, free_port())
    running = ensure(service)
    try:
        with pytest.raises(ServiceFailure, match=f"already runs on port {service.port}"):
            ensure(web_service(tmp_path, free_port()))
    finally:
        running.stop()


def test_a_pid_that_was_handed_out_again_is_not_ours(tmp_path):
    service = web_service(tmp_path, free_port())
    # This test's own process stands for whoever has the number now.
    service.pid_file.write_text(json.dumps({"pid": os.getpid(), "created": 1.0, "port": service.port}))
    running = ensure(service)
    try:
        assert running.started_here and running.process.pid != os.getpid()
    finally:
        running.stop()
    assert psutil.pid_exists(os.getpid())


def test_a_cut_pid_file_is_no_service(tmp_path):
    service = web_service(tmp_path, free_port())
    service.pid_file.write_text('{"pid": 12')
    assert recorded_process(service) is None and state(service) == "stopped"


def test_a_service_that_ends_while_starting_names_its_log(tmp_path):
    command = (sys.executable, "-c", "import sys; sys.exit('no such database')")
    with pytest.raises(ServiceFailure, match=r"web ended while starting; its log .* ends “no such database”"):
        ensure(web_service(tmp_path, free_port(), command=command))


def test_a_service_without_an_address_is_asked_in_its_own_way(tmp_path):
    told = iter([False, True, False])
    service = web_service(tmp_path, free_port(), health_url=None, settle_seconds=60.0, answering=lambda: next(told))
    running = ensure(service)
    assert state(service) == "starting or stuck"
    running.stop()


def test_a_service_that_never_answers_is_ended(tmp_path):
    command = (sys.executable, "-c", "import time; time.sleep(600)")
    service = web_service(tmp_path, free_port(), command=command, start_timeout_seconds=1.0)
    with pytest.raises(ServiceFailure, match="did not answer within 1 s"):
        ensure(service)
    assert not service.pid_file.exists()


def test_a_service_that_does_not_answer_any_more_is_replaced(tmp_path, monkeypatch):
    monkeypatch.setattr(services, "PATIENCE_SECONDS", 0.5)
    monkeypatch.setattr(services, "STUCK_GRACE_SECONDS", 0.5)
    monkeypatch.setattr(services, "HEALTH_TIMEOUT_SECONDS", 0.2)
    service = web_service(tmp_path, free_port())
    stuck = ensure(service)
    os.kill(stuck.process.pid, signal.SIGSTOP)
    replacement = ensure(service)
    try:
        assert replacement.process != stuck.process and not stuck.alive()
    finally:
        replacement.stop()


MANY_THREADS = textwrap.dedent("""
    import socket, threading, time
    listener = socket.create_server(("127.0.0.1", 0))
    for _ in range(400):
        threading.Thread(target=time.sleep, args=(600,)).start()
    print(listener.getsockname()[1], flush=True)
    time.sleep(600)
""")


def test_a_service_has_ended_only_when_its_last_thread_has_left_the_port():
    taken = 0
    for _ in range(5):  # where the first thread's end was enough, more than half of these were too early
        child = subprocess.Popen([sys.executable, "-c", MANY_THREADS], stdout=subprocess.PIPE)
        port = int(child.stdout.readline())
        end_service(Process(child.pid, psutil.Process(child.pid).create_time(), port), 1)
        taken += port_taken(port)
        child.wait()
    assert taken == 0


STARTER = textwrap.dedent("""
    import sys, time
    from pathlib import Path
    from infra.local.services import ensure
    from tests.infra.services_for_tests import web_service
    running = ensure(web_service(Path(sys.argv[1]), int(sys.argv[2])))
    print(running.process.pid, flush=True)
    time.sleep(600)
""")


def started_by_another(folder: Path, port: int) -> tuple[subprocess.Popen, psutil.Process]:
    root = Path(__file__).resolve().parents[2]
    starter = subprocess.Popen(
        [sys.executable, "-c", STARTER, str(folder), str(port)], stdout=subprocess.PIPE, cwd=root
    )
    return starter, psutil.Process(int(starter.stdout.readline()))


@pytest.mark.skipif(sys.platform != "linux", reason="the death signal is Linux's")
def test_killing_the_command_leaves_no_service_behind(tmp_path):
    port = free_port()
    starter, service = started_by_another(tmp_path, port)
    starter.kill()
    starter.wait()
    wait_until(lambda: not service.is_running() or service.status() == psutil.STATUS_ZOMBIE)
    running = ensure(web_service(tmp_path, port))  # the stale pid file does not stand in the way
    assert running.started_here
    running.stop()


def test_stop_ends_the_children_of_a_service(tmp_path):
    script = "import subprocess,sys; subprocess.Popen([sys.executable,'-c','import time; time.sleep(600)']); "
    script += f"subprocess.run([sys.executable,'-m','http.server','{(port := free_port())}','--bind','127.0.0.1'])"
    running = ensure(web_service(tmp_path, port, command=(sys.executable, "-c", script)))
    family = psutil.Process(running.process.pid).children(recursive=True)
    assert len(family) == 2
    running.stop(grace_seconds=3)
    assert not any(child.is_running() and child.status() != psutil.STATUS_ZOMBIE for child in family)


def test_interrupt_is_not_inherited_as_ignored(tmp_path):
    """A shell's background job ignores SIGINT; a service started from it must still have the default handler."""
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        running = ensure(web_service(tmp_path, free_port()))
    finally:
        signal.signal(signal.SIGINT, before)
    assert running.alive()
    os.kill(running.process.pid, signal.SIGINT)
    wait_until(lambda: not running.alive())
    running.stop()


def test_process_identity_needs_number_and_birth():
    me = psutil.Process()
    assert Process(me.pid, me.create_time(), None).find() is not None
    assert Process(me.pid, me.create_time() - 60, None).find() is None


FULL = OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def test_a_service_whose_pid_file_finds_no_room_is_told_and_not_left_running(tmp_path, monkeypatch):
    service = web_service(tmp_path, free_port())

    def full(path, text, *arguments, **options):
        raise FULL

    before = set(psutil.Process().children())
    with monkeypatch.context() as patched:
        patched.setattr(Path, "write_text", full)
        with pytest.raises(ServiceFailure, match=r"could not be started \(.*No space left on device\)"):
            ensure(service)
    assert psutil.wait_procs(set(psutil.Process().children()) - before, timeout=10)[1] == []
    running = ensure(service)
    assert state(service) == "running"
    running.stop()


def test_a_lock_on_a_full_disk_holds_without_a_name_and_fails_nothing(tmp_path, monkeypatch):
    def full(*arguments):
        raise FULL

    with monkeypatch.context() as patched, lock.exclusive(tmp_path / "lock", 1, "counting"):
        patched.setattr(os, "write", full)
    with lock.exclusive(tmp_path / "lock", 1, "counting"):
        assert "counting" in (tmp_path / "lock").read_text()
