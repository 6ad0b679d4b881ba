"""Files that rows are sorted into, in a temporary folder, which may be too small for them."""

import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Any

from recsys_ae.data.readers.table import ROWS, arrow
from recsys_ae.errors import DataError


@contextmanager
def writing(paths: Sequence[Path], schema: Any) -> Iterator[Callable[[int, Any], None]]:
    """Open a file for each block, and yield a function that appends an Arrow table to the file of a block.

    Raises
    ------
    DataError
        If the files cannot be written.
    """
    files = ExitStack()
    try:
        with _room():
            writers = [_writer(files, path, schema) for path in paths]

        def write(block: int, rows: Any) -> None:
            with _room():
                writers[block].write_table(rows, max_chunksize=ROWS)

        yield write
    except BaseException:
        with suppress(OSError):  # the first error says why
            files.close()
        raise
    with _room():
        files.close()


def _writer(files: ExitStack, path: Path, schema: Any) -> Any:
    file = files.enter_context(arrow().OSFile(str(path), "wb"))
    return files.enter_context(arrow("pyarrow.ipc").new_stream(file, schema))


@contextmanager
def _room() -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise DataError(
            f"the rows, sorted by user, cannot be written to {tempfile.gettempdir()}: {error.strerror or error}; set "
            "TMPDIR to a larger folder"
        ) from error
