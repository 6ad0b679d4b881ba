"""``recsys-ae data list``: the data sets known by name."""

from pathlib import Path

from . import options
from .display import Display
from .framework import as_command


@as_command("list", [options.data_dir()])
def command(data_dir: Path | None) -> None:
    """List the data sets known by name."""
    from recsys_ae.datasets import named  # noqa: PLC0415

    folder = data_dir or named.default_data_dir()
    rows = []
    for name in named.names():
        about = named.info(name)
        here = "here" if named.find(name, folder) is not None else f"{about.size / 1e6:.1f} MB"
        rows.append((name, about.users, about.items, about.interactions, here if about.files else "generated"))
    display = Display()
    display.table(("name", ">users", ">items", ">ratings", ">to download"), rows)
    display.line(f"\nLooked for in {folder}.")
    display.line("`recsys-ae data fetch NAME` downloads a set; so does `recsys-ae fit` when it needs it.")
