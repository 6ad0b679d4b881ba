"""Search for the best model and its settings within a given time, and its fit on all users."""

from typing import TYPE_CHECKING

from recsys_ae.spec.faces import lazy

if TYPE_CHECKING:
    from recsys_ae.recommender.refitting import refit as refit
    from recsys_ae.tuning.result import Tuned as Tuned
    from recsys_ae.tuning.search import Watch as Watch
    from recsys_ae.tuning.trial import Trial as Trial
    from recsys_ae.tuning.tuner import tune as tune

_HOMES = {
    "Trial": "recsys_ae.tuning.trial",
    "Tuned": "recsys_ae.tuning.result",
    "Watch": "recsys_ae.tuning.search",
    "refit": "recsys_ae.recommender.refitting",
    "tune": "recsys_ae.tuning.tuner",
}

__all__ = list(_HOMES)
__getattr__, __dir__ = lazy(__name__, _HOMES)
