"""``recsys-ae autoencoders``: what can be pretrained on features."""

from ..display import Display
from ..framework import as_command


@as_command("autoencoders", [])
def command() -> None:
    """List the autoencoders of features."""
    from recsys_ae.features import models as autoencoders  # noqa: PLC0415

    rows = [(name.replace("_", "-"), autoencoders.summary(name).splitlines()[0]) for name in autoencoders.names()]
    display = Display()
    display.table(("autoencoder", "what it is"), rows)
    display.line("\n`recsys-ae pretrain NAME --help` shows the hyper-parameters of one.")
