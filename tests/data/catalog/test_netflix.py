"""Tests of the Netflix Prize reader: both forms of the files, and errors for damaged files."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from recsys_ae.data import download, named
from recsys_ae.data.catalog import netflix
from recsys_ae.data.interactions import Interactions
from recsys_ae.errors import DataError

MOVIES = {
    1: b"1:\n1488844,3,2005-09-06\n822109,5,2005-05-13\n",
    2: b"2:\n2059652,4,2005-09-05\n",
    3: b"3:\n822109,1,1999-12-31\n1488844,2,2000-01-01\n7,5,2004-02-29\n",
    4: b"4:\n7,4,1970-01-02\n",
}
# User, movie, rating and seconds since 1970, in file order.
RATINGS = [
    (1488844, 1, 3.0, 1125964800),
    (822109, 1, 5.0, 1115942400),
    (2059652, 2, 4.0, 1125878400),
    (822109, 3, 1.0, 946598400),
    (1488844, 3, 2.0, 946684800),
    (7, 3, 5.0, 1078012800),
    (7, 4, 4.0, 86400),
]
TITLES = "1,2003,Dinosaur Planet\n2,2004,Isle of Man TT\n3,1997,What, Me Worry?\n4,NULL,Amélie\n".encode("latin-1")


def published(folder: Path) -> Path:
    folder.mkdir(parents=True)
    for movie, text in MOVIES.items():
        (folder / f"mv_{movie:07}.txt").write_bytes(text)
    return folder


def combined(folder: Path, texts: list[bytes] | None = None) -> Path:
    folder.mkdir(parents=True)
    for number, text in enumerate(texts or MOVIES.values(), start=1):
        (folder / f"combined_data_{number}.txt").write_bytes(text)
    return folder


def rows(data: Interactions) -> list[tuple[int, int, float, int]]:
    assert data.timestamps is not None
    coordinates = data.matrix.tocoo()
    columns = data.users[coordinates.row].tolist(), data.items[coordinates.col].tolist(), coordinates.data.tolist()
    together = list(zip(*columns, data.timestamps.tolist(), strict=True))
    return [together[position] for position in np.argsort(data.order)]


def refusal(folder: Path) -> str:
    with pytest.raises(DataError) as caught:
        netflix.read(folder)
    message = str(caught.value)
    assert len(message.splitlines()) == 1
    return message


@pytest.mark.parametrize("path", ["netflix", "netflix/training_set", "netflix/download/training_set"])
@pytest.mark.parametrize("form", [published, combined])
def test_every_form_says_the_same(form: Callable[[Path], Path], path: str, tmp_path: Path) -> None:
    form(tmp_path / path)
    assert named.find("netflix", tmp_path) == tmp_path / path
    dataset = named.load("netflix", data_dir=tmp_path)
    assert dataset.items is None
    assert rows(dataset.interactions) == RATINGS
    assert dataset.interactions.users.tolist() == [7, 822109, 1488844, 2059652]
    assert dataset.interactions.items.tolist() == [1, 2, 3, 4]


def test_movies_may_share_a_file_and_lines_end_anyhow(tmp_path: Path) -> None:
    texts = [
        MOVIES[1].replace(b"\n", b"\r\n"), MOVIES[2].rstrip(), MOVIES[3] + b"\n", b"4:\n5:\n6:\n" + MOVIES[4]
    ]  # fmt: skip
    data = netflix.read(combined(tmp_path / "a", texts)).interactions
    assert rows(data) == RATINGS


@pytest.mark.parametrize("block", [1, 30, 64])
def test_blocks_end_anywhere(block: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(netflix, "BLOCK", block)
    data = netflix.read(
        combined(tmp_path / "a", [b"".join(MOVIES.values()), b"8:\n", b"9:\n", b"10:\n7,5,2005-01-01"])
    ).interactions
    assert rows(data) == [*RATINGS, (7, 10, 5.0, 1104537600)]


@pytest.mark.parametrize("folder", ["a", "."])
def test_titles_lie_beside_the_ratings_or_above(folder: str, tmp_path: Path) -> None:
    published(tmp_path / "a")
    (tmp_path / folder / "movie_titles.txt").write_bytes(TITLES)
    items = netflix.read(tmp_path / "a").items
    assert items is not None
    assert items["title"].tolist() == ["Dinosaur Planet", "Isle of Man TT", "What, Me Worry?", "Amélie"]
    assert items["year"].fillna(0).tolist() == [2003, 2004, 1997, 0]
    assert items.index.tolist() == [1, 2, 3, 4]


def test_a_line_without_year_among_the_titles_is_shown(tmp_path: Path) -> None:
    published(tmp_path / "a")
    (tmp_path / "a/movie_titles.csv").write_bytes(TITLES + b"5,Nothing\n")
    assert refusal(tmp_path / "a").endswith(
        "movie_titles.csv: expected lines such as '17,1988,Title'; found '5,Nothing'"
    )


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (b"7,5,2005-01-01\n1:\n", "line 1 is a rating, but there is no line with a movie, such as '17:', before it"),
        (b"\n7,5,2005-01-01\n1:\n", "line 2 is a rating, but there is no line"),
        (b"1:\n7,five,2005-01-01\n", "line 2 is neither a movie, .* nor a rating, .*: '7,five,2005-01-01'"),
        (b"1:\n7,5,2005-01-01\nx,5,2005-01-01\n", "line 3 is neither"),
        (b"1:\n7,5\n", "line 2 is neither .*: '7,5'"),
        (b"1:\n7,5,2005-01-01,8\n", "line 2 is neither"),
        (b"1:\n7,,2005-01-01\n", "line 2 is neither"),
        (b"1:\n7,5,\n", "line 2 is neither"),
        (b"1:\n7,,\n", "line 2 is neither"),
        (b"1:\n7,6,2005-01-01\n", "line 2 is neither"),
        (b"1:\n7,5,01/02/2005\n", "line 2 is neither"),
        (b"1:\n-7,5,2005-01-01\n", "line 2 is neither"),
        (b"1:\n12345678,5,2005-01-01\n", "line 2 is neither"),
        (b"1:\n12345678901234567890,5,2005-01-01\n", "line 2 is neither"),
        (b"1:\n:\n", "line 2 is neither"),
        (b"1:\n1:7,5,2005-01-01\n", "line 2 is neither"),
        (b"1:\n\xff\xfe\n", "line 2 is neither"),
        (b"1:\n7,5,2005-02-30\n", "the ratings from line 1 on cannot be read: .*2005-02-30"),
        (b"", "the file is empty"),
    ],
)
def test_a_damaged_file_is_one_clear_error(text: bytes, message: str, tmp_path: Path) -> None:
    place = combined(tmp_path / "netflix", [MOVIES[1], text, MOVIES[3], MOVIES[4]])
    found = refusal(place)
    assert found.startswith(f"{place / 'combined_data_2.txt'}: ")
    with pytest.raises(DataError, match=message):
        netflix.read(place)


def test_lines_are_counted_over_blocks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(netflix, "BLOCK", 10)
    folder = combined(tmp_path / "a", [MOVIES[1], MOVIES[2], MOVIES[3] + b"7 5 2005-01-01\n", MOVIES[4]])
    assert "combined_data_3.txt: line 5 is neither" in refusal(folder)


@pytest.mark.parametrize(("form", "name"), [(published, "mv_0000002.txt"), (combined, "combined_data_2.txt")])
def test_a_file_missing_among_others_is_named(form: Callable[[Path], Path], name: str, tmp_path: Path) -> None:
    folder = form(tmp_path / "netflix")
    (folder / name).unlink()
    assert refusal(folder).startswith(f"{folder / name}: there is no such file")


def test_files_without_any_rating_are_refused(tmp_path: Path) -> None:
    assert "there are no ratings in the files" in refusal(
        combined(tmp_path / "a", [b"1:\n", b"2:\n", b"3:\n", b"4:\n"])
    )


def test_a_pair_rated_twice_is_refused_unless_allowed(tmp_path: Path) -> None:
    texts = [MOVIES[1], MOVIES[2], MOVIES[3], b"4:\n7,4,1970-01-02\n7,2,1970-01-03\n"]
    assert "user 7 and item 4" in refusal(combined(tmp_path / "netflix", texts))
    interactions = named.load("netflix", data_dir=tmp_path, duplicates="last").interactions
    assert interactions.matrix[0, 3] == 2


def test_it_says_where_it_comes_from_and_where_to_put_it(tmp_path: Path) -> None:
    page = named.info("netflix").page
    for ask in (lambda: named.load("netflix", data_dir=tmp_path), lambda: download.fetch("netflix", tmp_path)):
        with pytest.raises(DataError, match=f"put netflix/ with .* there, from {page}") as caught:
            ask()
        assert str(tmp_path) in str(caught.value)
        assert "\n" not in str(caught.value)
