"""Remaining time of a study, estimated from the finished fits."""

from collections.abc import Sequence

from recsys_ae.features.study.fits import Work


class TimeLeft:
    """Estimator of the remaining time.

    A fit is expected to take as long as finished fits of the same model and steps, else of the same model, else of any.
    """

    def __init__(self, waiting: Sequence[Work], jobs: int) -> None:
        self._waiting = list(waiting)
        self._jobs = jobs
        self._took: dict[object, list[float]] = {}

    @property
    def n_left(self) -> int:
        """The number of unfinished fits."""
        return len(self._waiting)

    def done(self, work: Work, seconds: float) -> None:
        """Record the time of a finished fit."""
        self._waiting.remove(work)
        for kind in _kinds(work):
            self._took.setdefault(kind, []).append(seconds)

    def seconds_left(self) -> float | None:
        """Return the seconds until all fits are done; None before the first one is done."""
        if not self._took:
            return None
        return sum(self._guess(work) for work in self._waiting) / self._jobs

    def _guess(self, work: Work) -> float:
        took = next(self._took[kind] for kind in _kinds(work) if kind in self._took)
        return sum(took) / len(took)


def _kinds(work: Work) -> tuple[object, ...]:
    return (work.fit.model, work.steps, work.fit.layers), (work.fit.model, work.steps), work.fit.model, ()
