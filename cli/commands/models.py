"""``recsys-ae models``: a list of the models."""

from ..model_commands import listing

command = listing(
    "models",
    "recsys_ae.models",
    help="List the models that can be fitted.",
    hint="`recsys-ae fit MODEL --help` shows the hyper-parameters of a model.",
)
