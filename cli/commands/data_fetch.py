"""``recsys-ae data fetch NAME``: a download of a data set from its publisher."""

from pathlib import Path

from .. import options
from ..display import Display, counted
from ..framework import Positional, as_command, on_interruption

SUMMARY = "Name of a data set; `recsys-ae data list` shows the names."


@as_command("fetch", [Positional("name", metavar="NAME", summary=SUMMARY), options.data_dir()])
def command(name: str, data_dir: Path | None) -> None:
    """Download a data set from its publisher.

    The licence is shown first.
    """
    from recsys_ae.data import download, named  # noqa: PLC0415

    display = Display()
    existing = named.find(name, data_dir)
    if existing is not None:
        display.line(f"{name} is already downloaded: {existing}")
        return
    if len(named.info(name).files) > 1:
        on_interruption(f"complete files of {name} are kept, and the same command downloads the others")
    with counted(name) as show:
        path = download.fetch(name, data_dir, progress=show, announce=display.line)
    on_interruption(f"{name} is saved in {path}")
    display.line(f"{name} is saved in {path}")
