"""Choice between rows and lists as the layout of a text file."""

from collections.abc import Mapping
from typing import Literal, TypeAlias, get_args

from recsys_ae.data.parsing import NONE, Column
from recsys_ae.errors import Argument, ConfigError

FileLayout: TypeAlias = Literal["auto", "rows", "lists"]


def chosen(layout: FileLayout, requested: Mapping[str, Column | None]) -> FileLayout:
    """Return the layout: ``"auto"`` becomes ``"rows"`` if a column is requested.

    Raises
    ------
    ConfigError
        If there is no such layout.
    """
    if layout not in get_args(FileLayout):
        raise ConfigError(Argument("layout", layout), f": expected one of {', '.join(get_args(FileLayout))}")
    if layout == "auto" and any(column not in (None, NONE) for column in requested.values()):
        return "rows"
    return layout
