"""``recsys-ae data fetch NAME``: download a data set from its publisher."""

from pathlib import Path

import click

from .. import options
from ..display import Display, counted
from ..framework import as_command


@as_command("fetch", [click.Argument(["name"], metavar="NAME"), options.data_dir()])
def command(name: str, data_dir: Path | None) -> None:
    """Download a data set from its publisher.

    Its licence is shown first.
    """
    from recsys_ae.data import download, named  # noqa: PLC0415

    display = Display()
    there = named.find(name, data_dir)
    if there is not None:
        display.line(f"{name} is there already: {there}")
        return
    with counted(name) as show:
        place = download.fetch(name, data_dir, progress=show, announce=display.line)
    display.line(f"{name} is in {place}")
