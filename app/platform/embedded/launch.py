"""Becomes an embedded server: run by path with a bare interpreter, it prepares its own process and then
executes the server.

A process of its own rather than a function between fork and exec, because Python code there can deadlock
when the parent has threads. It does, in this order: take the data directory's lock, which the server then
holds for as long as any of its processes lives; enter the data directory; give up root; ask the kernel to be
told when the parent dies. The signal has to be asked for last, since the kernel forgets it when the
credentials change.
"""

from __future__ import annotations

import ctypes
import fcntl
import os
import signal
import sys
import time

LOCK_WAIT_SECONDS = 20.0
STILL_HELD = 75
PARENT_GONE = 76
_PR_SET_PDEATHSIG = 1


def main(arguments: list[str]) -> None:
    """`launch.py PARENT_PID UID GID SIGNAL LOCK DIRECTORY DATA_FD PROGRAM ARGUMENT …`; UID -1 keeps the user.

    With DATA_FD other than -1 the directory stays open as that descriptor, so that the server can be told
    `/proc/self/fd/N`: it then reaches its data even below a directory that its user may not enter.
    """
    parent, uid, gid, death_signal = (int(value) for value in arguments[:4])
    lock, directory, data_descriptor, program = arguments[4], arguments[5], int(arguments[6]), arguments[7:]
    _hold_lock(lock)
    os.chdir(directory)
    if data_descriptor >= 0:
        opened = os.open(".", os.O_RDONLY | os.O_DIRECTORY)
        os.dup2(opened, data_descriptor, inheritable=True)
        os.close(opened)
    if uid >= 0:
        os.setgroups([])
        os.setgid(gid)
        os.setuid(uid)
    os.umask(0o077)
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, death_signal, 0, 0, 0)
    if os.getppid() != parent:
        os._exit(PARENT_GONE)
    for ignored in (signal.SIGPIPE, signal.SIGXFSZ):
        signal.signal(ignored, signal.SIG_DFL)
    os.execv(program[0], program)  # noqa: S606


def _hold_lock(path: str) -> None:
    lock = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    deadline = time.monotonic() + LOCK_WAIT_SECONDS
    while True:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            if time.monotonic() > deadline:
                sys.stderr.write(f"an earlier server still holds {path}\n")
                os._exit(STILL_HELD)
            time.sleep(0.05)
        else:
            os.set_inheritable(lock, True)
            return


if __name__ == "__main__":
    main(sys.argv[1:])
