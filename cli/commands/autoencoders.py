"""``recsys-ae autoencoders``: a list of the autoencoders of features."""

from ..model_commands import listing

command = listing(
    "autoencoders",
    "recsys_ae.features.models",
    help="List the autoencoders of features.",
    hint="`recsys-ae pretrain NAME --help` shows the hyper-parameters of an autoencoder.",
)
