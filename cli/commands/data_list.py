"""``recsys-ae data list``: a list of the named data sets."""

from pathlib import Path

from .. import options
from ..display import Display
from ..framework import as_command


@as_command("list", [options.data_dir()])
def command(data_dir: Path | None) -> None:
    """List the named data sets."""
    from recsys_ae.data import named  # noqa: PLC0415

    folder = data_dir or named.default_data_dir()
    rows, by_hand = [], []
    for name in named.names():
        info = named.info(name)
        size = f"{info.size / 1e6:.1f} MB" if info.files else "by hand" if info.by_hand else "generated"
        here = named.find(name, folder) is not None
        rows.append((name, info.users, info.items, info.interactions, "downloaded" if here else size))
        by_hand += [f"{name} must be downloaded by hand, from {info.page}"] if info.by_hand and not here else []
    display = Display()
    display.table(("name", ">users", ">items", ">ratings", ">download"), rows)
    display.line(f"\nData folder: {folder}")
    for line in by_hand:
        display.line(line)
    display.line("`recsys-ae data fetch NAME` downloads a data set; `recsys-ae fit` does so too if it needs one.")
