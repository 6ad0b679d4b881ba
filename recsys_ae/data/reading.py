"""Options for reading a file of interactions: columns, format and repeated pairs."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Self

from recsys_ae.data.recipe_table import option, options
from recsys_ae.errors import arguments_named, renamed

if TYPE_CHECKING:
    from recsys_ae.data.interactions import Interactions


@dataclass(frozen=True, kw_only=True)
class Reading:
    """Options for reading a file: its columns and format, and the treatment of repeated pairs."""

    user_column: str | int | None = option(None, "columns", "column")
    item_column: str | int | None = option(None, "columns", "column")
    rating_column: str | int | None = option(None, "columns", "column")
    timestamp_column: str | int | None = option(None, "columns", "column")
    separator: str | None = option(None, "columns", "separator")
    header: bool | None = option(None, "columns", "yes or no")
    encoding: str = option("utf-8", "columns", "name")
    duplicates: Literal["last", "sum", "error"] = option("last", "columns", "choice", ("last", "sum", "error"))

    def read_file(self, path: str | Path, *, cache: bool = False) -> "Interactions":
        """Read a file with these options; ``cache`` is that of `read_interactions`."""
        from recsys_ae.data.readers.read import read_interactions  # noqa: PLC0415

        with arguments_named(renamed({role: f"{role}_column" for role in ("user", "item", "rating", "timestamp")})):
            return read_interactions(
                Path(path),
                user=self.user_column,
                item=self.item_column,
                rating=self.rating_column,
                timestamp=self.timestamp_column,
                separator=self.separator,
                header=self.header,
                encoding=self.encoding,
                duplicates=self.duplicates,
                cache=cache,
            )

    @classmethod
    def from_options(cls, values: Mapping[str, Any]) -> Self:
        """Return the options in a mapping of names to values; other names are ignored."""
        fields = {entry.field: values[entry.name] for entry in options(cls) if entry.name in values}
        return cls(**fields)
