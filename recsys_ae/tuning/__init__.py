"""Search for the best model and its settings within a given time."""

from typing import TYPE_CHECKING

from recsys_ae.spec.faces import lazy

if TYPE_CHECKING:
    from recsys_ae.tuning.result import Tuned as Tuned
    from recsys_ae.tuning.search import Advance as Advance
    from recsys_ae.tuning.search import Watch as Watch
    from recsys_ae.tuning.trial import Proposal as Proposal
    from recsys_ae.tuning.trial import Trial as Trial
    from recsys_ae.tuning.tuner import tune as tune

_HOMES = {
    "Advance": "recsys_ae.tuning.search",
    "Proposal": "recsys_ae.tuning.trial",
    "Trial": "recsys_ae.tuning.trial",
    "Tuned": "recsys_ae.tuning.result",
    "Watch": "recsys_ae.tuning.search",
    "tune": "recsys_ae.tuning.tuner",
}

__all__ = list(_HOMES)
__getattr__, __dir__ = lazy(__name__, _HOMES)
