"""Errors of reading a file, as one line that begins with its path."""

import gzip
import lzma
import os
import struct
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from recsys_ae.data.readers.parts.addresses import address_of
from recsys_ae.data.readers.text_layout import not_text
from recsys_ae.errors import DataError

DAMAGED = (EOFError, gzip.BadGzipFile, zlib.error, lzma.LZMAError, zipfile.BadZipFile, struct.error)


@contextmanager
def errors_of(path: str | Path, encoding: str) -> Iterator[None]:
    """Turn every error of reading a file into a `DataError` of one line that begins with its path."""
    path = address_of(os.fsencode(path).decode("utf-8", "backslashreplace"))  # names of files need not be UTF-8
    try:
        yield
    except DataError as error:
        lines = (" ".join(line.splitlines()) if isinstance(line, str) else line for line in error.parts)
        raise type(error)(f"{path}: ", *lines) from error
    except UnicodeError as error:
        raise DataError(f"{path}: ", *not_text(encoding).parts) from error
    except DAMAGED as error:
        raise DataError(_line(path, f"the file is truncated or damaged ({error})")) from error
    except OSError as error:
        raise DataError(_line(path, f"the file cannot be read: {error.strerror or error}")) from error


def _line(path: str | Path, message: object) -> str:
    return f"{path}: {' '.join(str(message).splitlines())}"
