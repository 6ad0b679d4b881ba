"""Contract of a recommender model, as tests."""

from recsys_ae.testing.learning import Learning
from recsys_ae.testing.refitting import Refitting
from recsys_ae.testing.resuming import Resuming
from recsys_ae.testing.saving import Saving
from recsys_ae.testing.serving import Serving


class ModelContract(Learning, Serving, Saving, Resuming, Refitting):
    """Tests that every model must pass, on data with a known answer. A subclass sets ``spec``.

    If a test does not apply to a model, its subclass overrides the test with one for what holds instead.

    Attributes
    ----------
    spec
        Hyper-parameters with which the model learns 60 users and 32 items in about a second.
    personal
        True if different users get different recommendations.
    """
