"""How a file of interactions is read."""

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
    """The columns, format and repeated pairs of a file; the parameters of `read_interactions`."""

    user_column: str | int | None = option(None, "columns", "column")
    item_column: str | int | None = option(None, "columns", "column")
    rating_column: str | int | None = option(None, "columns", "column")
    timestamp_column: str | int | None = option(None, "columns", "column")
    separator: str | None = option(None, "columns", "separator")
    header: bool | None = option(None, "columns", "yes or no")
    encoding: str = option("utf-8", "columns", "name")
    duplicates: Literal["last", "sum", "error"] = option("last", "columns", "choice", ("last", "sum", "error"))

    def read_file(self, path: str | Path, *, cache: bool = False) -> "Interactions":
        """Read a file; ``cache`` as for `read_interactions`."""
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
    def from_options(cls, given: Mapping[str, Any]) -> Self:
        """Take the options among others that are in a mapping, under their names."""
        known = {one.field: given[one.name] for one in options(cls) if one.name in given}
        return cls(**known)
