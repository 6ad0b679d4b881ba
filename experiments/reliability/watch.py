"""Watch over a running command, which sends it the signal."""

import os
import select
import signal
import time

from reliability.copied import BEGUN, SENT
from reliability.place import Moment

LIMIT = 180.0
"""Longest duration of a command in seconds."""


class Watch:
    """Watch over a running command until it ends; it sends the signal."""

    def __init__(self, pid: int, moment: Moment | None, told: int | None) -> None:
        self.pid, self.moment, self.told = pid, moment, told
        self.started = time.monotonic()
        self.due: float | None = None
        self.sent: float | None = None
        self.changes = 0
        if told is None:
            self._schedule(change=None)

    def wait(self) -> int:
        """Return the exit code."""
        process, last = os.pidfd_open(self.pid), self.started + LIMIT
        watched = {process} if self.told is None else {process, self.told}
        while process in watched:
            until = last if self.due is None else self.due
            ready, _, _ = select.select(list(watched), [], [], max(0.0, until - time.monotonic()))
            if self.told in ready:
                letters = os.read(self.told or 0, 4096)
                self._hear(letters)
                watched -= set() if letters else {self.told or 0}
            elif process in ready:
                watched -= {process}
            elif not ready:
                self._send(process, last)
        os.close(process)
        return os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1])

    def _hear(self, letters: bytes) -> None:
        for letter in letters:
            if letter == BEGUN[0]:
                self.started = time.monotonic()
                self._schedule(change=None)
                continue
            self.changes += 1
            if letter == SENT[0]:
                self.sent = time.monotonic()
            else:
                self._schedule(change=self.changes)

    def _schedule(self, *, change: int | None) -> None:
        if self.moment is not None and self.moment.change == change and self.moment.seconds is not None:
            self.due = time.monotonic() + self.moment.seconds

    def _send(self, process: int, last: float) -> None:
        now = time.monotonic()
        if self.due is not None and now >= self.due:
            assert self.moment is not None
            self.sent, self.due = now, None
            signal.pidfd_send_signal(process, self.moment.number)
        elif now >= last:
            signal.pidfd_send_signal(process, signal.SIGKILL)
