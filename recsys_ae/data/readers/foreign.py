"""Files of formats that are not read, recognised by their first bytes, and how to convert them."""

import re
from collections.abc import Sequence

from recsys_ae.errors import DataError

START = 1024
"""Bytes at the beginning of a file by which a format is recognised."""

SHEET = "save its sheet as CSV"
ARRAY = "in Python, load it and pass the matrix to Interactions.from_matrix, or write a table of user, item and rating"
BINARY: Sequence[tuple[int, bytes, str, str]] = (
    (0, b"\x93NUMPY", "a NumPy array", ARRAY),
    (0, b"MATLAB 5.0", "a MATLAB file", ARRAY),
    (0, b"%%MatrixMarket", "a Matrix Market file", ARRAY),
    (0, b"ARROW1\0", "an Arrow or Feather file", "write it as Parquet: pandas.read_feather(path).to_parquet(other)"),
    (0, b"FEA1\0", "a Feather file", "write it as Parquet: pandas.read_feather(path).to_parquet(other)"),
    (0, b"\xff\xff\xff\xff", "an Arrow stream", "write it as Parquet with pyarrow"),
    (0, b"\x89HDF\r\n\x1a\n", "an HDF5 file", "write it as Parquet: pandas.read_hdf(path).to_parquet(other)"),
    (0, b"SQLite format 3\0", "an SQLite database", "export a table: sqlite3 -csv -header FILE 'SELECT …' > data.csv"),
    (8, b"DUCK", "a DuckDB database", "export a table: COPY … TO 'data.parquet'"),
    (0, b"\x04\x22\x4d\x18", "compressed by lz4", "decompress it first: lz4 -d FILE"),
    (0, b"\x1f\x9d", "compressed by compress", "decompress it first: uncompress FILE"),
    (0, b"7z\xbc\xaf\x27\x1c", "a 7z archive", "unpack it first: 7z x FILE"),
    (0, b"Rar!\x1a\x07", "a RAR archive", "unpack it first: unrar x FILE"),
    (257, b"ustar", "a tar archive", "unpack it first: tar -xf FILE"),
    (0, b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "an old Excel workbook (xls)", SHEET),
    (0, b"ORC\n", "an ORC file", "write it as Parquet: pandas.read_orc(path).to_parquet(other)"),
    (0, b"Obj\x01", "an Avro file", "write it as Parquet or CSV"),
    (0, b"RDX2\n", "an R workspace", "write it as CSV: write.csv(table, 'data.csv', row.names = FALSE)"),
    (0, b"RDX3\n", "an R workspace", "write it as CSV: write.csv(table, 'data.csv', row.names = FALSE)"),
    (0, b"%PDF-", "a PDF document", "give a table as CSV, Parquet or JSON lines"),
)
PICKLE = "pickle files are not read, because they can run any code; write it as Parquet: pandas.read_pickle(path)"
TEXT: Sequence[tuple[bytes, str, str]] = (
    (rb"\s*<(!doctype html|html)", "a web page", "download the data themselves"),
    (rb"\s*<\?xml", "an XML file", "write a table as CSV, Parquet or JSON lines"),
    (rb"version https://git-lfs", "a pointer of Git LFS, not the data", "fetch the data: git lfs pull"),
    (rb"@relation\s", "an ARFF file", "write it as CSV"),
    (
        rb"\s*\{\s*u?'",
        "a file of Python dictionaries, not JSON lines",
        "write each with double quotes: json.dumps(ast.literal_eval(line))",
    ),
)
"""Patterns of the beginning of text files, without case."""


def refuse_foreign(start: bytes) -> None:
    """Raise a `DataError` if a file that begins with these bytes has a format that is not read."""
    for offset, mark, name, way_out in BINARY:
        if start[offset : offset + len(mark)] == mark and (offset == 0 or b"\0" in start):
            raise _refusal(name, way_out)
    if re.match(rb"\x80[\x02-\x05]", start):
        raise _refusal("a pickle file", f"{PICKLE}.to_parquet(other)")
    for pattern, name, way_out in TEXT:
        if re.match(pattern, start, re.IGNORECASE):
            raise _refusal(name, way_out)


def refuse_foreign_archive(members: Sequence[str]) -> None:
    """Raise a `DataError` if a zip archive of these files is a document or a matrix."""
    names = set(members)
    if any(name.startswith("xl/") for name in names):
        raise _refusal("an Excel workbook", SHEET)
    if "[Content_Types].xml" in names:
        raise _refusal("an Office document", "give a table as CSV, Parquet or JSON lines")
    if {"mimetype", "META-INF/manifest.xml"} <= names or {"mimetype", "content.xml"} <= names:
        raise _refusal("an OpenDocument file", SHEET)
    if names and all(name.endswith(".npy") for name in names):
        raise _refusal("an archive of NumPy arrays (npz)", ARRAY)


def _refusal(name: str, way_out: str) -> DataError:
    verb = "the file is" if name.startswith("compressed") else "this is"
    return DataError(f"{verb} {name}; {way_out}")
