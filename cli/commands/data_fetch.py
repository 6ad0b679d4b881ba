"""``recsys-ae data fetch NAME``: a download of a data set from its publisher."""

from pathlib import Path

from .. import options
from ..display import Display, counted
from ..framework import Positional, as_command, on_interruption, told_when_saved

SUMMARY = "Name of a data set; `recsys-ae data list` shows the names."


@as_command("fetch", [Positional("name", metavar="NAME", summary=SUMMARY), options.data_dir()])
def command(name: str, data_dir: Path | None) -> None:
    """Download a data set from its publisher.

    The licence is shown first.
    """
    from recsys_ae.data import download, named  # noqa: PLC0415
    from recsys_ae.data.dataset_info import default_data_dir  # noqa: PLC0415

    display = Display()
    existing = named.find(name, data_dir)
    if existing is not None:
        display.line(f"{name} is already downloaded: {existing}")
        return
    files = named.info(name).files
    if len(files) > 1:
        on_interruption(f"complete files of {name} are kept, and the same command downloads the others")
    last = (default_data_dir() if data_dir is None else data_dir) / (files[-1].path if files else "")
    place = last if len(files) == 1 else last.parent
    with told_when_saved(last, f"{name} is saved in {place}"), counted(name) as show:
        path = download.fetch(name, data_dir, progress=show, announce=display.line)
    display.line(f"{name} is saved in {path}")
