"""How long a study will take yet, judged by what the fits before took."""

from collections.abc import Sequence

from recsys_ae.features.study.fits import Work


class TimeLeft:
    """Predicts each fit's time: that of the same model and steps, else of the same model, else of any."""

    def __init__(self, waiting: Sequence[Work], jobs: int) -> None:
        self._waiting = list(waiting)
        self._jobs = jobs
        self._took: dict[object, list[float]] = {}

    @property
    def n_left(self) -> int:
        """The number of fits that are not done."""
        return len(self._waiting)

    def done(self, work: Work, seconds: float) -> None:
        """Take note of a fit that is done."""
        self._waiting.remove(work)
        for kind in _kinds(work):
            self._took.setdefault(kind, []).append(seconds)

    def seconds_left(self) -> float | None:
        """Return the seconds until all is done; None where nothing is known."""
        if not self._took:
            return None
        return sum(self._guess(work) for work in self._waiting) / self._jobs

    def _guess(self, work: Work) -> float:
        took = next(self._took[kind] for kind in _kinds(work) if kind in self._took)
        return sum(took) / len(took)


def _kinds(work: Work) -> tuple[object, ...]:
    return (work.fit.model, work.steps, work.fit.layers), (work.fit.model, work.steps), work.fit.model, ()
