"""The contract of a model of histories, as tests."""

from recsys_ae.testing.learning import Learning
from recsys_ae.testing.saving import Saving
from recsys_ae.testing.serving import Serving


class ModelContract(Learning, Serving, Saving):
    """What every model must do, on data with a known answer; a subclass names its hyper-parameters as ``spec``.

    A test that does not apply is overridden in the subclass with one that says what holds instead.

    Attributes
    ----------
    spec
        Hyper-parameters with which the model learns 60 users and 32 items in about a second.
    personal
        Whether different users get different recommendations.
    """
