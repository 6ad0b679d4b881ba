"""Options for reading a file of interactions: columns, format and repeated pairs."""

import dataclasses
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Self

from recsys_ae.data.recipe_table import option, options
from recsys_ae.errors import arguments_named, renamed

if TYPE_CHECKING:
    import pandas as pd

    from recsys_ae.data.interactions import Interactions
    from recsys_ae.data.readers.parts.read_blocks import UserBlock
    from recsys_ae.data.readers.text_format import TextFormat

COLUMNS = {role: f"{role}_column" for role in ("user", "item", "rating", "timestamp")}
"""Options by the arguments of `read_interactions`."""


@dataclass(frozen=True, kw_only=True)
class Reading:
    """Options for reading a file: its columns and format, and the treatment of repeated pairs and missing values."""

    user_column: str | int | None = option(None, "columns", "column")
    item_column: str | int | None = option(None, "columns", "column")
    rating_column: str | int | None = option(None, "columns", "column")
    timestamp_column: str | int | None = option(None, "columns", "column")
    separator: str | None = option(None, "columns", "separator")
    header: bool | None = option(None, "columns", "yes or no")
    encoding: str = option("utf-8", "columns", "name")
    quote: Literal["auto", "none", "double"] = option("auto", "columns", "choice", ("auto", "none", "double"))
    decimal: str = option(".", "columns", "choice", (".", ","))
    comment: str | None = option(None, "columns", "name")
    skip_lines: int = option(0, "columns", "whole", low=0)
    layout: Literal["auto", "rows", "lists"] = option("auto", "columns", "choice", ("auto", "rows", "lists"))
    duplicates: Literal["last", "sum", "error"] = option("last", "columns", "choice", ("last", "sum", "error"))
    missing: Literal["error", "skip"] = option("error", "columns", "choice", ("error", "skip"))
    where: str | None = option(None, "columns", "condition")

    def read_file(self, path: str | Path, *, cache: bool = False) -> "Interactions":
        """Read a file with these options; ``cache`` is that of `read_interactions`."""
        from recsys_ae.data.readers.read import read_interactions  # noqa: PLC0415

        with arguments_named(renamed(COLUMNS)):
            return read_interactions(
                Path(path),
                user=self.user_column,
                item=self.item_column,
                rating=self.rating_column,
                timestamp=self.timestamp_column,
                separator=self.separator,
                header=self.header,
                encoding=self.encoding,
                quote=self.quote,
                decimal=self.decimal,
                comment=self.comment,
                skip_lines=self.skip_lines,
                layout=self.layout,
                duplicates=self.duplicates,
                missing=self.missing,
                where=self.where,
                cache=cache,
            )

    def read_blocks(
        self,
        path: str | Path,
        *,
        n_blocks: int | None = None,
        folder: Path | None = None,
        skip: Callable[[int], bool] | None = None,
    ) -> "Iterator[UserBlock]":
        """Read a file with these options in blocks of users; see `recsys_ae.data.readers.parts.read_blocks`."""
        from recsys_ae.data.readers.parts.read_blocks import read_blocks  # noqa: PLC0415

        with arguments_named(renamed(COLUMNS)):
            yield from read_blocks(
                path,
                {role: getattr(self, column) for role, column in COLUMNS.items()},
                self.text_format,
                header=self.header,
                layout=self.layout,
                duplicates=self.duplicates,
                missing=self.missing,
                where=self.where,
                n_blocks=n_blocks,
                folder=folder,
                skip=skip,
            )

    def read_ids(
        self, path: str | Path, *roles: str, fitted: "Reading | None" = None, every: bool = False
    ) -> "pd.DataFrame":
        """Read a list of users, of items or of both: ids one per line, or a table in any format.

        Parameters
        ----------
        path
            Path of the file.
        roles
            ``"user"`` and ``"item"``, or one of them; lines without columns are ids of the last one.
        fitted
            Options that other data were read with, such as the recipe of a model; their names of columns are looked
            for before the usual names.
        every
            Raise an error if the file lacks a role; otherwise only the last role is needed.
        """
        from recsys_ae.data.readers.lists.id_lists import read_ids  # noqa: PLC0415

        own = {role: getattr(self, COLUMNS[role]) for role in roles}
        # Positions in other data say nothing about a list.
        others = {role: getattr(fitted, COLUMNS[role], None) for role in roles}
        wanted = {role: [own[role], *([others[role]] if isinstance(others[role], str) else [])] for role in roles}
        with arguments_named(renamed(COLUMNS)):
            return read_ids(path, wanted, self.text_format, header=self.header, every=every, missing=self.missing)

    def read_top_n(
        self,
        path: str | Path,
        *,
        rank_column: str | int | None = None,
        score_column: str | int | None = None,
        fitted: "Reading | None" = None,
    ) -> "pd.DataFrame":
        """Read top-N lists: a table of users, items, and ranks or scores, in any format.

        Parameters
        ----------
        path
            Path of the file.
        rank_column, score_column
            Name or position of the column of ranks or of scores; recognised by usual names if both are None.
        fitted
            Options that other data were read with; their names of columns are looked for before the usual names.
        """
        from recsys_ae.data.readers.lists.top_n import read_top_n  # noqa: PLC0415

        requested = {
            "user": self.user_column, "item": self.item_column, "rank": rank_column, "score": score_column
        }  # fmt: skip
        names = {role: getattr(fitted, COLUMNS[role], None) for role in ("user", "item")}
        others = {role: name for role, name in names.items() if isinstance(name, str)}
        with arguments_named(renamed({**COLUMNS, "rank": "rank_column", "score": "score_column"})):
            return read_top_n(
                path, requested, self.text_format, others=others, header=self.header, missing=self.missing
            )

    def like(self, fitted: "Reading", path: str | Path) -> Self:
        """Return these options for a file that resembles the data that were read with other options.

        Columns that are not set are those of ``fitted`` if the file has columns of their names; positions count if
        the file has no usual names. A header, separator and encoding are taken over if the file can be read with them,
        and so are the treatment of quotation marks and the mark of comments.
        """
        from recsys_ae.data.readers.same_columns import taken_over  # noqa: PLC0415

        own, others = (
            {field.name: getattr(reading, field.name) for field in dataclasses.fields(Reading)}
            for reading in (self, fitted)
        )
        if all(others[field.name] == field.default for field in dataclasses.fields(Reading)):
            return self
        with arguments_named(renamed(COLUMNS)):
            return dataclasses.replace(self, **taken_over(path, self.text_format, own, others))

    @property
    def text_format(self) -> "TextFormat":
        """Format of a text file."""
        from recsys_ae.data.readers.text_format import TextFormat  # noqa: PLC0415

        names = (field.name for field in dataclasses.fields(TextFormat))
        return TextFormat(**{name: getattr(self, name) for name in names if hasattr(self, name)})

    @classmethod
    def from_options(cls, values: Mapping[str, Any]) -> Self:
        """Return the options in a mapping of names to values; other names are ignored."""
        fields = {entry.field: values[entry.name] for entry in options(cls) if entry.name in values}
        return cls(**fields)
