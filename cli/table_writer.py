"""Atomic tables written in chunks: CSV, JSON lines or Parquet, by the ending of the name."""

import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, TypeAlias

import click

from recsys_ae.errors import ArtefactError, MissingPackageError

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
    if path.is_dir() or (path.exists() and not overwrite):
        raise ArtefactError(f"{path} exists; choose another name" + ("" if path.is_dir() else ", or pass --overwrite"))
    if not path.absolute().parent.is_dir():
        raise ArtefactError(f"cannot write {path}: there is no folder {path.parent}")
    if not os.access(path.absolute().parent, os.W_OK | os.X_OK):
        raise ArtefactError(f"cannot write {path}: the folder {path.absolute().parent} is not writable")


@contextmanager
def writer(path: Path, *, overwrite: bool) -> Iterator[Write]:
    """Yield a function that appends a table; the file gets its name when it is complete.

    All tables have the same columns of the same types.
    """
    if path == STANDARD_OUTPUT:
        with _rows(sys.stdout.buffer, ".csv") as write:
            yield write
        sys.stdout.buffer.flush()
        return
    from recsys_ae.storage.atomic import errors_named, whole_file  # noqa: PLC0415

    refuse(path, overwrite=overwrite)
    with (
        errors_named(f"write {path}"),
        whole_file(path) as partial,
        partial.open("xb") as file,
        _rows(file, path.suffix.lower()) as write,
    ):
        yield write


@contextmanager
def _rows(file: IO[bytes], suffix: str) -> Iterator[Write]:
    if suffix == ".parquet":
        with _parquet(file) as write:
            yield write
    else:
        yield _Text(file, suffix)


class _Text:
    """A writer of CSV with a header, or of JSON lines, in UTF-8."""

    def __init__(self, file: IO[bytes], suffix: str) -> None:
        self.file, self.suffix, self.started = file, suffix, False

    def __call__(self, frame: "pd.DataFrame") -> None:
        if self.suffix == ".csv":
            text = frame.to_csv(index=False, header=not self.started, lineterminator="\n")
        else:
            text = frame.to_json(orient="records", lines=True, force_ascii=False)
        self.started = True
        self.file.write(text.encode("utf-8", errors="surrogatepass"))


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
