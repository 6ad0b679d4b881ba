"""Checkpoints of one fit: when they are written, and what the fit goes on from."""

import time
import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any

from torch import Tensor

from recsys_ae.errors import ArtefactError
from recsys_ae.nn.checkpoints import files
from recsys_ae.nn.checkpoints.settings import Checkpoint
from recsys_ae.nn.checkpoints.signals import StopRequestedError, StopSignals
from recsys_ae.nn.runtime import NoCheckpoints, Resumable
from recsys_ae.storage import atomic

SHARE = 0.02
"""Largest share of the time of a fit that the writing of checkpoints may take."""
BYTES_PER_SECOND = 100e6
"""Speed of writing that is assumed before the first checkpoint was written."""


class Checkpoints(NoCheckpoints):
    """Checkpoints of one fit.

    A fit may consist of several trainings: the layers of a deep autoencoder, or the members of a blend. They run in the
    same order each time, so a checkpoint has the results of those that are finished, and the state of the current one.
    A signal during a training ends the fit after the running update: a checkpoint is written, and then the signal has
    its usual effect, which is `KeyboardInterrupt` for Ctrl-C.

    Parameters
    ----------
    identity
        Hyper-parameters, data and run settings of the fit, as JSON. A checkpoint of another fit is refused.
    run_id
        Function that returns the id of the tracker's run; None if there is none.

    Raises
    ------
    ArtefactError
        If the checkpoint is damaged, or cannot be removed.
    ConfigError
        If the checkpoint belongs to another fit.
    """

    def __init__(self, settings: Checkpoint, identity: Mapping[str, Any], run_id: Callable[[], str | None]) -> None:
        self.settings, self._identity, self._run_id = settings, identity, run_id
        self._finished: list[dict[str, Any]] = []
        self._latest: Resumable | None = None
        self._running: Resumable | None = None
        self._stored: list[dict[str, Any]] = []
        self._signals = StopSignals()
        self._is_saved = True
        if settings.restart:
            files.remove(settings.folder)
        elif files.exists(settings.folder):
            stored = files.read(settings.folder, identity)
            self._stored, self.seconds = stored.parts, stored.seconds
            epochs = len(stored.parts[-1]["history"])
            done = f"{epochs} epoch{'' if epochs == 1 else 's'} done"
            self._say(f"going on from the checkpoint in {settings.folder}: {done}, written {stored.written}")
        self._last = time.monotonic()
        self._began = self._last - self.seconds
        self._cost: float | None = None

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        """Write a checkpoint if the fit is interrupted after a training has ended."""
        is_interrupted = kind is not None and issubclass(kind, KeyboardInterrupt)
        if is_interrupted and self._running is None and not self._is_saved:
            self._write()

    @contextmanager
    def training(self, training: Resumable) -> Iterator[bool]:
        """Context of one of the trainings of the fit; yields True if it was finished before the interruption."""
        self._keep_result()
        number, self._running = len(self._finished), training
        is_finished = False
        if number < len(self._stored):
            is_finished = self._restore(training, self._stored[number])
            self._stored[number] = {}  # free the memory
        with StopSignals() as self._signals:
            try:
                yield is_finished
            except StopRequestedError:
                self._stop()
                raise
            self._latest, self._running = training, None

    def update_done(self) -> None:
        """Do what waits until an update is complete: write a checkpoint that is due, and obey a signal."""
        self._is_saved = False
        if self._signals.received is not None:
            self._stop()
        elif self._is_due():
            self._write()

    def interruptible(self) -> AbstractContextManager[None]:
        """Return a context in which a signal has its effect at once; nothing in it may change the training's state."""
        return self._signals.at_once()

    def _stop(self) -> None:
        self._write()
        self._signals.deliver()

    def _is_due(self) -> bool:
        elapsed, minutes = time.monotonic() - self._last, self.settings.minutes
        if not minutes or elapsed < 60 * minutes or self._running is None:
            return False
        if self._cost is None:
            self._cost = _bytes(self._running.state()) / BYTES_PER_SECOND
        return elapsed >= self._cost * (1 - SHARE) / SHARE

    def _restore(self, training: Resumable, state: Mapping[str, Any]) -> bool:
        """Restore a training; return True if it was finished."""
        try:
            is_finished = bool(state["finished"])
            if is_finished:
                training.restore_result(state)
            else:
                training.restore(state)
        except (KeyError, TypeError, ValueError, IndexError, RuntimeError, AttributeError) as error:
            raise files.damaged(self.settings.folder, error) from error
        return is_finished

    def _keep_result(self) -> None:
        """Copy the result of the last training, because the next one may change its weights."""
        if self._latest is not None:
            self._finished.append(_copied(self._finished_part(self._latest)))
            self._latest = None

    def _finished_part(self, training: Resumable) -> dict[str, Any]:
        return {"finished": True, **training.result()}

    def _write(self) -> None:
        """Write a checkpoint; a failure is reported, and does not end the training."""
        started = time.monotonic()
        parts = list(self._finished)
        if self._running is not None:
            parts.append({"finished": False, **self._running.state()})
        elif self._latest is not None:
            parts.append(self._finished_part(self._latest))
        written = time.strftime("%Y-%m-%d %H:%M:%S")
        stored = files.Stored(self._identity, started - self._began, written, self._run_id(), parts)
        try:
            with atomic.errors_named(f"write the checkpoint {self.settings.folder}"):
                files.write(self.settings.folder, stored)
            self._is_saved = True
        except ArtefactError as error:
            self._say(str(error), warn=True)
        self._last = time.monotonic()
        self._cost = self._last - started

    def _say(self, sentence: str, *, warn: bool = False) -> None:
        if self.settings.report is not None:
            self.settings.report(sentence)
        elif warn:
            warnings.warn(sentence, UserWarning, stacklevel=2)


def of(
    given: Checkpoint | Path | str | None, identity: Callable[[], Mapping[str, Any]], run_id: Callable[[], str | None]
) -> NoCheckpoints:
    """Return the checkpoints of a fit; without a setting there are none."""
    return NoCheckpoints() if given is None else Checkpoints(Checkpoint.of(given), identity(), run_id)


def _bytes(state: Any) -> int:
    if isinstance(state, Tensor):
        return state.nbytes
    parts = state.values() if isinstance(state, dict) else state if isinstance(state, (list, tuple)) else ()
    return sum(map(_bytes, parts))


def _copied(state: Any) -> Any:
    if isinstance(state, Tensor):
        return state.detach().to("cpu", copy=True)
    if isinstance(state, dict):
        return {key: _copied(part) for key, part in state.items()}
    return [_copied(part) for part in state] if isinstance(state, (list, tuple)) else state
