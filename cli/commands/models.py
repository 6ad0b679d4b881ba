"""``recsys-ae models``: what can be fitted."""

from ..display import Display
from ..framework import as_command


@as_command("models", [])
def command() -> None:
    """List the models that can be fitted."""
    from recsys_ae import models  # noqa: PLC0415

    rows = [(name.replace("_", "-"), models.summary(name).splitlines()[0]) for name in models.names()]
    display = Display()
    display.table(("model", "what it is"), rows)
    display.line("\n`recsys-ae fit MODEL --help` shows a model's hyper-parameters.")
