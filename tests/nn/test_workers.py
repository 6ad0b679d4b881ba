"""Tests of worker processes: none is left when their parent ends, and a lost one is an error with a way out."""

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from recsys_ae.errors import TrainingError
from recsys_ae.nn.workers import Workers

PARENT = """
import os, time
from multiprocessing import active_children
from recsys_ae.nn.workers import Workers
with Workers(2, time.sleep, (0,)) as workers:
    workers.submit(os.getpid).result()
    for _ in range(3):
        workers.submit(time.sleep, 1000)
    print(*(process.pid for process in active_children()), flush=True)
    ENDING
"""


def is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    with contextlib.suppress(OSError):
        return Path(f"/proc/{pid}/stat").read_text("ascii").rpartition(")")[2].split()[0] != "Z"
    return True


def wait_for(condition: Callable[[], bool], seconds: float = 20.0) -> bool:
    end = time.monotonic() + seconds
    while not condition() and time.monotonic() < end:
        time.sleep(0.05)
    return condition()


@pytest.mark.parametrize("end", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT, "raise SystemExit", "os._exit(3)"])
def test_no_worker_is_left(end: signal.Signals | str) -> None:
    listening = "import signal; signal.signal(signal.SIGINT, signal.default_int_handler)\n"
    ending = "time.sleep(1000)" if isinstance(end, signal.Signals) else end
    command = [sys.executable, "-c", listening + PARENT.replace("ENDING", ending)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as parent:
        assert parent.stdout is not None
        try:
            workers = [int(word) for word in parent.stdout.readline().split()]
            if isinstance(end, signal.Signals):
                parent.send_signal(end)
            parent.communicate(timeout=30)  # the pipes close when the last worker has ended
        finally:
            parent.kill()
    assert len(workers) == 2
    assert wait_for(lambda: not any(map(is_alive, workers)), 5)


def test_the_terminal_cannot_interrupt_a_worker() -> None:
    with Workers(1, time.sleep, (0,)) as workers:
        pid = workers.result(workers.submit(os.getpid))
        os.kill(pid, signal.SIGINT)
        assert workers.result(workers.submit(os.getpid)) == pid


def test_a_lost_worker_is_one_error_with_the_way_out() -> None:
    with Workers(1, time.sleep, (0,)) as workers:
        pid = workers.result(workers.submit(os.getpid))
        work = workers.submit(time.sleep, 1000)
        os.kill(pid, signal.SIGKILL)
        with pytest.raises(TrainingError, match=r"ended from outside.*lower jobs"):
            workers.result(work)
        with pytest.raises(TrainingError, match="ended from outside"):
            workers.result(workers.submit(os.getpid))


def test_work_is_finished_when_nothing_is_wrong() -> None:
    with Workers(2, time.sleep, (0,)) as workers:
        futures = [workers.submit(pow, 2, number) for number in range(5)]
    assert [workers.result(future) for future in futures] == [1, 2, 4, 8, 16]
