"""Leash: what a service's process runs first, so that the service cannot outlive the command that started it.

Belongs here: the few lines between fork and exec. Not here: starting and stopping (services.py).

It is a script of its own, run without site packages (about 15 ms), because `preexec_fn` may deadlock in a process
that has threads. Linux only: elsewhere the service is found by its pid file at the next start.

    python -I -S leash.py PARENT_PID COMMAND...      (PARENT_PID 0: no leash)
"""

import ctypes
import os
import signal
import sys

PR_SET_PDEATHSIG = 1


def main(arguments: list[str]) -> None:
    parent, command = int(arguments[0]), arguments[1:]
    # A shell that starts a job in the background leaves SIGINT ignored; exec would hand that on to the service.
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGCHLD):
        signal.signal(number, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_SETMASK, set())
    if sys.platform == "linux" and parent:
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGTERM)
        if os.getppid() != parent:
            sys.exit(1)  # the parent died before the leash was on
    os.execvp(command[0], command)


if __name__ == "__main__":
    main(sys.argv[1:])
