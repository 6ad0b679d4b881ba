"""Tests of the Million Song Dataset reader: triplets of user, song and plays."""

import gzip
import zipfile
from pathlib import Path

import pytest

from recsys_ae.data import download, named
from recsys_ae.data.filters import MinRating
from recsys_ae.errors import DataError

USERS = ("b80344d063b5ccb3212f76538f3d9e43d87dca9e", "85c1f87fea955d09b4bec2e36aee110927aedf9a")
SONGS = ("SOAKIMP12A8C130995", "SOAPDEY12A81C210A9", "SOBBMDR12A8C13253B")
TRIPLETS = [(USERS[0], SONGS[0], 1), (USERS[0], SONGS[2], 22), (USERS[1], SONGS[1], 3), (USERS[1], SONGS[0], 1)]
TEXT = "".join(f"{user}\t{song}\t{plays}\n" for user, song, plays in TRIPLETS).encode()


def written(folder: Path, name: str, text: bytes = TEXT) -> Path:
    (folder / "msd").mkdir(parents=True)
    path = folder / "msd" / name
    if name.endswith(".zip"):
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
            archive.writestr("train_triplets.txt", text)
    else:
        path.write_bytes(gzip.compress(text) if name.endswith(".gz") else text)
    return path


@pytest.mark.parametrize("name", ["train_triplets.txt", "train_triplets.txt.zip", "train_triplets.txt.gz"])
def test_packed_or_not_it_says_the_same(name: str, tmp_path: Path) -> None:
    path = written(tmp_path, name)
    assert named.find("msd", tmp_path) == path
    dataset = named.load("msd", data_dir=tmp_path)
    data = dataset.interactions
    # The split draws users from their ids in text order.
    assert data.users.tolist() == sorted(USERS)
    assert data.items.tolist() == sorted(SONGS)
    assert data.matrix.toarray().tolist() == [[1, 3, 0], [1, 0, 22]]
    assert data.order.tolist() == [3, 2, 0, 1]
    assert (dataset.items, data.timestamps, dataset.given) == (None, None, None)


def test_any_number_of_plays_counts_once(tmp_path: Path) -> None:
    written(tmp_path, "train_triplets.txt")
    data = MinRating(1)(named.load("msd", data_dir=tmp_path).interactions)
    assert data.matrix.data.tolist() == [1, 1, 1, 1]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (TEXT + b"b8\tSO\tmany\n", "rating in row 5 is not a number: 'many'"),
        (TEXT + b"b8\tSO\n", "row 5 has 2 columns"),
        (TEXT + b"b8\t\t1\n", "item in row 5 is missing"),
        (TEXT + TEXT[:60] + b"1\n", r"row 5|occur together in rows 1 and 5"),
        (b"", "the file is empty"),
    ],
)
def test_a_damaged_file_is_one_clear_error(text: bytes, message: str, tmp_path: Path) -> None:
    path = written(tmp_path, "train_triplets.txt", text)
    with pytest.raises(DataError, match=message) as caught:
        named.load("msd", data_dir=tmp_path)
    assert str(caught.value).startswith(f"{path}: ")
    assert "\n" not in str(caught.value)


def test_a_truncated_archive_is_one_clear_error(tmp_path: Path) -> None:
    path = written(tmp_path, "train_triplets.txt.zip")
    path.write_bytes(path.read_bytes()[:50])
    with pytest.raises(DataError, match="is damaged or no zip archive"):
        named.load("msd", data_dir=tmp_path)


def test_it_says_where_it_comes_from_and_where_to_put_it(tmp_path: Path) -> None:
    for ask in (lambda: named.load("msd", data_dir=tmp_path), lambda: download.fetch("msd", tmp_path)):
        with pytest.raises(DataError, match=r"put msd/train_triplets\.txt .* there, from .*tasteprofile/") as caught:
            ask()
        assert "\n" not in str(caught.value)
