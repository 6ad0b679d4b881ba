"""Tests of files of other formats: compressed files and pipes are read, all others refused with a way out."""

import bz2
import gzip
import io
import json
import lzma
import os
import pickle
import sqlite3
import subprocess
import sys
import tarfile
import threading
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import sparse

from recsys_ae.data.readers.foreign import BINARY, refuse_foreign
from recsys_ae.data.readers.read import read_interactions, read_table
from recsys_ae.errors import DataError
from tests.data.files import EXPECTED, TABLE, lines, refusal, text_of, written, zipped
from tests.data.test_interactions import rows_of


def npz(path: Path) -> None:
    sparse.save_npz(path, sparse.csr_matrix(np.eye(3)))


def npy(path: Path) -> None:
    with path.open("wb") as file:
        np.save(file, np.eye(3))


def pickled(path: Path) -> None:
    path.write_bytes(pickle.dumps(TABLE))


def database(path: Path) -> None:
    with sqlite3.connect(path) as connection:
        connection.execute("create table ratings (user, item)")
    connection.close()


def tar(path: Path) -> None:
    with tarfile.open(path, "w:gz") as archive:
        entry = tarfile.TarInfo("ratings.csv")
        archive.addfile(entry, io.BytesIO())


def excel(path: Path) -> None:
    zipped(path, xl__workbook_xml="<x/>", xl__worksheets__sheet1_xml="<x/>")


def matrix_market(path: Path) -> None:
    path.write_text("%%MatrixMarket matrix coordinate real general\n2 2 2\n1 1 5\n2 2 3\n")


def dictionaries(path: Path) -> None:
    path.write_text("{'user': 1, 'item': 2}\n{'user': 1, 'item': 3}\n")


FILES: dict[str, tuple[Callable[[Path], None], str, str]] = {
    "a.xlsx": (excel, "an Excel workbook", "save its sheet as CSV"),
    "a.npz": (npz, "an archive of NumPy arrays (npz)", "Interactions.from_matrix"),
    "a.npy": (npy, "a NumPy array", "Interactions.from_matrix"),
    "a.feather": (TABLE.to_feather, "an Arrow or Feather file", "to_parquet"),
    "a.pkl": (pickled, "a pickle file", "pandas.read_pickle(path).to_parquet(other)"),
    "a.db": (database, "an SQLite database", "sqlite3 -csv"),
    "a.tar.gz": (tar, "a tar archive", "tar -xf FILE"),
    "a.mtx": (matrix_market, "a Matrix Market file", "Interactions.from_matrix"),
    "a.txt": (dictionaries, "a file of Python dictionaries", "json.dumps(ast.literal_eval(line))"),
}


@pytest.mark.parametrize("name", FILES)
@pytest.mark.parametrize("suffix", ["", ".csv", ".json"])
def test_another_format_is_named_with_a_way_out(tmp_path: Path, name: str, suffix: str) -> None:
    write, said, way_out = FILES[name]
    write(tmp_path / name)
    path = (tmp_path / name).rename(tmp_path / f"{name}{suffix}")
    message = refusal(path)
    assert message.startswith(f"this is {said}")
    assert way_out in message
    with pytest.raises(DataError, match=r"this is a"):
        read_table(path)


@settings(max_examples=200, deadline=None, derandomize=True)
@given(st.sampled_from(BINARY), st.binary(max_size=600))
def test_every_mark_is_enough(entry: tuple[int, bytes, str, str], rest: bytes) -> None:
    offset, mark, name, way_out = entry
    with pytest.raises(DataError) as caught:
        refuse_foreign(b"\0" * offset + mark + rest)
    assert name in str(caught.value)
    assert way_out in str(caught.value)


@settings(max_examples=300, deadline=None, derandomize=True)
@given(st.text(st.characters(exclude_categories=["Cc", "Cs"]), min_size=2))
def test_no_table_is_taken_for_another_format(text: str) -> None:
    refuse_foreign(f"user,{text},ORC,Obj,FEA1,7z\n".encode())
    refuse_foreign(b"ORCID,item\nObj,1\nRDX3,FEA1\n")


def zstd(content: bytes) -> bytes:
    return bytes(pa.compress(content, codec="zstd", asbytes=True))


@pytest.mark.parametrize("pack", [gzip.compress, bz2.compress, lzma.compress, zstd])
@pytest.mark.parametrize("form", ["csv", "parquet", "jsonl"])
def test_compressed_files_of_any_name_are_read(tmp_path: Path, pack: Callable[[bytes], bytes], form: str) -> None:
    buffer = io.BytesIO()
    if form == "parquet":
        TABLE.to_parquet(buffer)
    else:
        buffer.write(lines().encode() if form == "csv" else TABLE.to_json(orient="records", lines=True).encode())
    suffix = {gzip.compress: "gz", bz2.compress: "bz2", lzma.compress: "xz", zstd: "zst"}[pack]
    for name in (f"a.{form}.{suffix}", f"a.{form}", "a"):
        assert rows_of(read_interactions(written(tmp_path / name, pack(buffer.getvalue())))) == EXPECTED


@pytest.mark.parametrize("suffix", ["bz2", "xz", "zst"])
def test_truncated_and_wrong_compressed_files_are_refused(tmp_path: Path, suffix: str) -> None:
    text = text_of([("user", "item"), *((user * 7919 % 10_007, user) for user in range(5000))]).encode()
    packed = {"bz2": bz2.compress, "xz": lzma.compress, "zst": zstd}[suffix](text)
    assert "truncated or damaged" in refusal(written(tmp_path / f"a.{suffix}", packed[: len(packed) // 2]))
    assert refusal(written(tmp_path / f"b.csv.{suffix}", text))


def test_text_that_begins_like_bzip2_is_text(tmp_path: Path) -> None:
    assert read_interactions(written(tmp_path / "a.csv", "BZhu,item\n1,2\n"), user="BZhu").nnz == 1


@pytest.mark.skipif(sys.platform == "win32", reason="there are no named pipes")
class TestPipes:
    @pytest.mark.parametrize("form", ["csv", "gz", "zip", "parquet", "jsonl"])
    @pytest.mark.parametrize("cache", [True, False])
    def test_of_any_format_are_read_once(self, tmp_path, form, cache):
        content = lines().encode()
        if form == "gz":
            content = gzip.compress(content)
        elif form == "zip":
            content = zipped(tmp_path / "a.zip", ratings_csv=content).read_bytes()
        elif form == "jsonl":
            content = TABLE.to_json(orient="records", lines=True).encode()
        elif form == "parquet":
            content = TABLE.to_parquet()
        os.mkfifo(tmp_path / "pipe")
        writer = threading.Thread(target=(tmp_path / "pipe").write_bytes, args=(content,), daemon=True)
        writer.start()
        assert rows_of(read_interactions(tmp_path / "pipe", cache=cache)) == EXPECTED
        writer.join()

    def test_of_the_shell_are_read(self, tmp_path):
        code = "from recsys_ae import read_interactions; print(read_interactions('/dev/stdin').nnz)"
        result = subprocess.run([sys.executable, "-c", code], input=lines(), capture_output=True, text=True, check=True)
        assert result.stdout == "3\n"

    def test_that_are_gone_or_empty_have_a_way_out(self):
        hint = "a pipe can be read only once; write its content to a file and give that"
        assert refusal(Path("/dev/fd/987")) == f"there is no such file; {hint}"
        assert refusal(Path("/dev/null")) == f"there is nothing to read; {hint}"


@pytest.mark.parametrize("address", ["https://host/a/ratings.csv", "http://host/x.zip/y.csv", "ftp://host/y.csv"])
def test_addresses_are_not_files(address: str) -> None:
    for path in (address, Path(address), Path(address).absolute()):
        with pytest.raises(DataError, match=f"{address} is an address; expected the path of a file, so download it"):
            read_interactions(path)


@pytest.mark.skipif(sys.platform != "linux", reason="names of files are text elsewhere")
def test_names_of_files_need_not_be_utf_8(tmp_path: Path) -> None:
    path = tmp_path / os.fsdecode(b"caf\xe9.csv")
    path.write_text(lines())
    assert rows_of(read_interactions(path)) == EXPECTED
    with pytest.raises(DataError) as caught:
        read_interactions(path, user="who")
    assert str(caught.value).encode().decode().startswith(f"{tmp_path}/caf\\xe9.csv: user = 'who'")


def test_an_array_of_json_is_named(tmp_path: Path) -> None:
    for text in (json.dumps([{"user": 1, "item": 2}]), '[\n  {"user": 1, "item": 2}\n]'):
        assert "JSON arrays are not supported, write one object per line" in refusal(written(tmp_path / "a.txt", text))


def test_a_member_of_a_zip_archive_without_a_name_is_no_data_file(tmp_path):
    path = tmp_path / "a.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("b.csv", "user,item\n1,2\n")
        archive.writestr(zipfile.ZipInfo(""), "5,6\n")
    assert read_interactions(path).nnz == 1
