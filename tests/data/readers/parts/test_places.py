"""Parts of a table: folders, patterns, addresses and standard input."""

import io
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from recsys_ae.data.readers.parts import places
from recsys_ae.data.readers.parts.addresses import absolute
from recsys_ae.data.readers.parts.places import is_local_file, parts_of
from recsys_ae.errors import DataError


def made(folder: Path, *names: str) -> Path:
    for name in names:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("user,item\n1,2\n")
    return folder


def names(place: str | Path) -> list[str]:
    return [part.name for part in parts_of(place)]


def test_a_folder_is_its_data_files_in_natural_order(tmp_path: Path) -> None:
    made(
        tmp_path,
        "part-10.csv",
        "part-9.csv",
        "part-100.csv.gz",
        "_SUCCESS",
        ".part-1.csv.crc",
        "README.csv",
        "_tmp/a.csv",
    )
    assert names(tmp_path) == ["part-9.csv", "part-10.csv", "part-100.csv.gz"]
    assert is_local_file(parts_of(tmp_path))


def test_folders_in_it_have_values(tmp_path: Path) -> None:
    made(
        tmp_path,
        "date=2026-01-02/country=DE/a.csv",
        "date=2026-01-01/country=a%20b/a.csv",
        "date=2026-01-03/country=__HIVE_DEFAULT_PARTITION__/a.csv",
    )
    assert [dict(part.keys) for part in parts_of(tmp_path)] == [
        {"date": "2026-01-01", "country": "a b"},
        {"date": "2026-01-02", "country": "DE"},
        {"date": "2026-01-03", "country": None},
    ]


def test_patterns_match_files_and_folders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made(
        tmp_path, "logs/a1.csv", "logs/a2.csv", "logs/b1.csv", "logs/date=1/c.csv", "logs/date=2/c.csv", "other/a3.csv"
    )
    assert names(tmp_path / "logs" / "a*.csv") == ["a1.csv", "a2.csv"]
    assert names(f"{tmp_path}/*/a?.csv") == ["logs/a1.csv", "logs/a2.csv", "other/a3.csv"]
    monkeypatch.chdir(tmp_path)
    assert names("logs/[ab]1.csv") == ["a1.csv", "b1.csv"]
    found = parts_of("logs/date=*")
    assert [(part.name, part.keys["date"]) for part in found] == [("date=1/c.csv", "1"), ("date=2/c.csv", "2")]
    assert names("**/c.csv") == ["logs/date=1/c.csv", "logs/date=2/c.csv"]
    odd = made(tmp_path, "odd[1].csv") / "odd[1].csv"
    assert names(odd) == ["odd[1].csv"]


@pytest.mark.parametrize(
    ("files", "place", "said"),
    [
        ((), "", "the folder holds no data file"),
        (("_SUCCESS",), "", "the folder holds no data file"),
        (("a.csv",), "*.parquet", "no file matches the pattern"),
        (
            ("a.csv", "b.parquet", "c.csv.gz"),
            "",
            r"files of different kinds; give one of them, or a pattern such as .*/\*.csv",
        ),
        (("_delta_log/0.json", "a.parquet"), "", "this is a Delta table"),
        ((".hoodie/x", "a.parquet"), "", "this is a Hudi table"),
        ((), "none.csv", "there is no such file"),
    ],
)
def test_what_is_no_table_is_refused(tmp_path: Path, files: tuple[str, ...], place: str, said: str) -> None:
    made(tmp_path, *files)
    with pytest.raises(DataError, match=said):
        parts_of(f"{tmp_path}/{place}")


def test_a_file_address_is_its_path(tmp_path: Path) -> None:
    made(tmp_path, "a/p1.csv", "a/p2.csv", "b c.csv")
    assert names((tmp_path / "a").as_uri()) == ["p1.csv", "p2.csv"]
    assert names((tmp_path / "b c.csv").as_uri()) == ["b c.csv"]
    assert names(Path(f"file:{tmp_path}/a")) == ["p1.csv", "p2.csv"]


class TestFileSystemOfArrow:
    @pytest.fixture
    def bucket(self, monkeypatch: pytest.MonkeyPatch) -> object:
        """Let addresses of buckets lead to a file system in memory."""
        from pyarrow import fs

        files = fs._MockFileSystem()
        files.create_dir("bucket/logs/date=2026-01-01")
        files.create_dir("bucket/logs/_temporary")
        for name in ("date=2026-01-01/p10.csv", "date=2026-01-01/p9.csv", "_temporary/x.csv"):
            with files.open_output_stream(f"bucket/logs/{name}") as stream:
                stream.write(f"user,item\n1,{len(name)}\n".encode())
        real = fs.FileSystem

        class Found(real):  # type: ignore[misc,valid-type]
            @staticmethod
            def from_uri(address: str) -> tuple[object, str]:
                return files, address.split("://")[1]

        monkeypatch.setattr(fs, "FileSystem", Found)
        return files

    @pytest.mark.parametrize("place", ["s3://bucket/logs", Path("s3://bucket/logs"), "gs://bucket/logs"])
    def test_a_folder(self, bucket: object, place: str | Path) -> None:
        found = parts_of(place)
        assert [part.name for part in found] == ["date=2026-01-01/p9.csv", "date=2026-01-01/p10.csv"]
        assert found[0].keys == {"date": "2026-01-01"}
        assert not is_local_file(found)
        with found[0].source.open() as stream:
            assert stream.read() == b"user,item\n1,22\n"

    def test_a_file_and_nothing(self, bucket: object) -> None:
        (part,) = parts_of("s3://bucket/logs/date=2026-01-01/p9.csv")
        assert part.name == "p9.csv"
        with pytest.raises(DataError, match="there is no such file, and no folder with data files"):
            parts_of("s3://bucket/none")


class TestStandardInput:
    @pytest.fixture(autouse=True)
    def forgotten(self) -> None:
        places._standard_input.cache_clear()

    def given(self, monkeypatch: pytest.MonkeyPatch, content: bytes, *, terminal: bool = False) -> None:
        stream = SimpleNamespace(buffer=io.BytesIO(content), isatty=lambda: terminal, closed=False)
        monkeypatch.setattr(sys, "stdin", stream)

    def test_is_read_once_and_kept(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.given(monkeypatch, b"user,item\n1,2\n")
        for _ in range(2):
            (part,) = parts_of("-")
            with part.source.open() as stream:
                assert stream.read() == b"user,item\n1,2\n"
        assert not is_local_file([part])

    def test_a_terminal_and_an_empty_one_are_refused(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.given(monkeypatch, b"", terminal=True)
        with pytest.raises(DataError, match="standard input is a terminal"):
            parts_of(Path("-"))
        self.given(monkeypatch, b"")
        with pytest.raises(DataError, match="there is nothing on standard input"):
            parts_of("-")


def test_places_are_made_absolute(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert absolute("a/*.csv") == f"{tmp_path}/a/*.csv"
    assert absolute("-") == absolute(Path("-")) == "-"
    for address in ("s3://bucket/logs", "gs://b", "file:///tmp/x"):
        assert absolute(address) == absolute(Path(address)) == address
