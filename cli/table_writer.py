"""Atomic tables written in chunks: CSV, JSON lines or Parquet, by the ending of the name.

Cells of CSV that a spreadsheet would take for a formula have an apostrophe before them, unless raw cells are asked for.
"""

import csv
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, Literal, TypeAlias

import click

from recsys_ae.errors import ArtefactError, MissingPackageError, printable

from .commands._streams import bytes_of_standard_output
from .framework import told_when_saved

if TYPE_CHECKING:
    import pandas as pd

STANDARD_OUTPUT = Path("-")
FORMATS = (".csv", ".jsonl", ".parquet")
Write: TypeAlias = "Callable[[pd.DataFrame], None]"


def refuse(path: Path, *, overwrite: bool) -> None:
    """Raise an error if a file cannot be written; call this before the work."""
    if path == STANDARD_OUTPUT:
        return
    if path.suffix.lower() not in FORMATS:
        raise click.UsageError(f"{path}: unknown file format; the name must end in {', '.join(FORMATS)}, or be -")
    refuse_place(path, overwrite=overwrite)


def refuse_place(path: Path, *, overwrite: bool) -> None:
    """Raise an error if there is something at the path, or its folder cannot be written to."""
    from recsys_ae.storage.leftovers import sweep  # noqa: PLC0415

    sweep(path.absolute().parent)  # also if the file was finished, and its writer killed while it cleaned up
    if path.is_dir() or (path.exists() and not overwrite):
        raise ArtefactError(f"{path} exists; choose another name" + ("" if path.is_dir() else ", or pass --overwrite"))
    refuse_parent(path)


def refuse_parent(path: Path) -> None:
    """Raise an error if the folder of a path cannot be written to."""
    if not path.absolute().parent.is_dir():
        raise ArtefactError(f"cannot write {path}: there is no folder {path.parent}")
    if not os.access(path.absolute().parent, os.W_OK | os.X_OK):
        raise ArtefactError(f"cannot write {path}: the folder {path.absolute().parent} is not writable")


@contextmanager
def writer(path: Path, *, overwrite: bool, safe_cells: bool = True, is_result: bool = True) -> Iterator[Write]:
    """Yield a function that appends a table; the file gets its name when it is complete.

    All tables have the same columns of the same types. A terminal gets `printable` text instead of the exact cells.

    Parameters
    ----------
    safe_cells
        Write an apostrophe before the cells of CSV that a spreadsheet would take for a formula.
    is_result
        The file is the result of the command; otherwise it is a part that is lost if the command is interrupted.
    """
    if path == STANDARD_OUTPUT:
        with bytes_of_standard_output() as file:
            yield _Text(file, ".csv", safe_cells=safe_cells, exact=not sys.stdout.isatty())
        return
    from recsys_ae.storage.atomic import errors_named, whole_file  # noqa: PLC0415

    refuse(path, overwrite=overwrite)
    with (
        told_when_saved(path, f"{path} was saved") if is_result else nullcontext(),
        errors_named(f"write {path}"),
        whole_file(path) as partial,
        partial.open("xb") as file,
        _rows(file, path.suffix.lower(), safe_cells=safe_cells) as write,
    ):
        yield write


@contextmanager
def _rows(file: IO[bytes], suffix: str, *, safe_cells: bool) -> Iterator[Write]:
    if suffix == ".parquet":
        with _parquet(file) as write:
            yield write
    else:
        yield _Text(file, suffix, safe_cells=safe_cells)


class _Text:
    """A writer of CSV with a header, or of JSON lines, in UTF-8."""

    def __init__(self, file: IO[bytes], suffix: str, *, safe_cells: bool, exact: bool = True) -> None:
        self.file, self.suffix, self.safe_cells, self.exact = file, suffix, safe_cells, exact
        self.started = False

    def __call__(self, frame: "pd.DataFrame") -> None:
        text = self._lines(frame)
        self.file.write((text if self.exact else printable(text)).encode("utf-8", errors="surrogatepass"))

    def _lines(self, frame: "pd.DataFrame") -> str:
        header, self.started = not self.started, True
        if self.suffix != ".csv":
            return str(frame.to_json(orient="records", lines=True, force_ascii=False))
        frame = _in_safe_cells(frame) if self.safe_cells else frame
        texts = [*frame.columns, *(value for name in frame for value in _texts(frame[name]))]
        # A carriage return ends a line, but is no reason for quotation marks to Python's writer.
        quoting: Literal[0, 2] = csv.QUOTE_NONNUMERIC if any("\r" in str(text) for text in texts) else csv.QUOTE_MINIMAL
        return frame.to_csv(index=False, header=header, lineterminator="\n", quoting=quoting)


def _in_safe_cells(frame: "pd.DataFrame") -> "pd.DataFrame":
    from recsys_ae.data.id_forms import as_cell  # noqa: PLC0415

    frame = frame.rename(columns=lambda name: as_cell(str(name)))
    for name in frame:
        changed = {text: cell for text in _texts(frame[name]) if (cell := as_cell(text)) != text}
        if changed:
            frame[name] = frame[name].map(lambda value, cells=changed: cells.get(value, value))
    return frame


def _texts(column: "pd.Series[Any]") -> set[str]:
    """Return the distinct texts of a column, which may hold numbers, too."""
    return set() if column.dtype.kind in "iufb" else {value for value in column.unique() if isinstance(value, str)}


@contextmanager
def _parquet(file: IO[bytes]) -> Iterator[Write]:
    try:
        import pyarrow as pa  # noqa: PLC0415
        from pyarrow import parquet  # noqa: PLC0415
    except ImportError as error:
        raise MissingPackageError("a .parquet file needs the package pyarrow; pip install it, or write .csv") from error
    opened: list[Any] = []

    def write(frame: "pd.DataFrame") -> None:
        frame = frame.copy(deep=False)
        for name in frame:
            if frame[name].dtype == object:
                frame[name] = frame[name].map(_as_text)
        table = pa.Table.from_pandas(frame, preserve_index=False)
        table = table.replace_schema_metadata().cast(_schema(pa, table.schema))
        if not opened:
            opened.append(parquet.ParquetWriter(file, table.schema))
        opened[0].write_table(table)

    try:
        yield write
    finally:
        for parquet_writer in opened:
            parquet_writer.close()


def _as_text(value: Any) -> str | None:
    """Return a mixed id as text, because a column of Parquet has one type."""
    return value if value is None or isinstance(value, str) else str(value)


def _schema(pa: Any, schema: Any) -> Any:
    """Return a schema that fits all chunks: a column of empty cells becomes text instead of null."""
    plain = [
        pa.string() if pa.types.is_null(field.type) or pa.types.is_large_string(field.type) else field.type
        for field in schema
    ]
    return pa.schema(list(zip(schema.names, plain, strict=True)))
