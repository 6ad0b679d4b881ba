"""Tests of named data sets, in the form in which their publishers distribute them."""

import gzip
import zipfile
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from recsys_ae.data import named
from recsys_ae.data.catalog.gowalla import read_pairs
from recsys_ae.data.interactions import Interactions
from recsys_ae.data.synthetic.generate import Synthetic
from recsys_ae.errors import ConfigError, DataError

GENRES = "unknown|0\nAction|1\nFilm-Noir|2\n\n"
ML_100K = {
    "u.data": b"1\t20\t3\t881250949\n2\t10\t5\t891717742\n1\t10\t4\t878887116\n",
    "u.genre": GENRES.encode(),
    "u.item": (
        "10|Misérables, Les (1995)|01-Jan-1995||http://x/(1995)|0|1|1\n"
        "20|Land Before Time III: The Time of the Great Giving (1995) (V)|01-Jan-1995||http://x|0|1|0\n"
        "30|unknown||||1|0|0"
    ).encode("latin-1"),
    "u1.base": b"1\t20\t3\t881250949\n2\t10\t5\t891717742\n",
    "u1.test": b"1\t10\t4\t878887116\n",
    "ua.base": b"1\t20\t3\t881250949\n",
    "ua.test": b"1\t10\t4\t878887116\n2\t10\t5\t891717742\n",
}
ML_1M = {
    "ratings.dat": b"1::1193::5::978300760\n2::661::3::978302109\n1::661::3::0",
    "movies.dat": (
        "1193::2001: A Space Odyssey (1968)::Drama|Sci-Fi\n"
        '661::"Great Performances": Cats (1998)::Musical\n'
        "73::Misérables, Les (1995)::Drama|Musical"
    ).encode("latin-1"),
}
ML_10M = {
    "ratings.dat": b"1::122::4.5::838985046\n1::185::0.5::838983525\n2::122::5::868245777\n",
    "movies.dat": "122::Misérables, Les: 1 (1992)::Comedy|Romance\n185::Net, The (1995)::(no genres listed)\n".encode(),
    "tags.dat": b"15::122::so bad: it's good::1215184630\n20::122::Good!::1188263867\n21::122::good!::1188263868\n",
}
ML_CSV = {
    "ratings.csv": b"userId,movieId,rating,timestamp\r\n1,296,5.0,1147880044\r\n1,306,3.5,1147868817\r\n2,296,0.5,11",
    "movies.csv": (
        "movieId,title,genres\r\n"
        '296,"Misérables, Les (1995)",Drama|Musical\r\n'
        '306,"""Great Performances"": Cats (1998)",(no genres listed)\r\n'
        "307,Death Note (2006–2007),Mystery\r\n"
        "308,Babylon 5,Sci-Fi"
    ).encode(),
    "tags.csv": b'userId,movieId,tag,timestamp\r\n3,306,"cats, singing",1439472355\r\n4,296,Paris,1573945163\r\n',
}
FOLDERS = {
    "ml-100k": ("ml-100k", ML_100K),
    "ml-1m": ("ml-1m", ML_1M),
    "ml-10m": ("ml-10M100K", ML_10M),
    "ml-20m": ("ml-20m", ML_CSV),
    "ml-25m": ("ml-25m", ML_CSV),
    "ml-32m": ("ml-32m", ML_CSV),
    "ml-latest": ("ml-latest", ML_CSV),
    "ml-latest-small": ("ml-latest-small", ML_CSV),
}


def zipped(folder: Path, name: str) -> Path:
    inner, files = FOLDERS[name]
    with zipfile.ZipFile(folder / f"{name}.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        for file, content in files.items():
            archive.writestr(f"{inner}/{file}", content)
    return folder


def unpacked(folder: Path, files: Mapping[str, bytes]) -> Path:
    folder.mkdir(parents=True)
    for file, content in files.items():
        (folder / file).write_bytes(content)
    return folder


def ratings(data: Interactions) -> dict[tuple[object, object], float]:
    coordinates = data.matrix.tocoo()
    users, items = data.users[coordinates.row].tolist(), data.items[coordinates.col].tolist()
    return dict(zip(zip(users, items, strict=True), coordinates.data.tolist(), strict=True))


def load(name: str, folder: Path, fold: str | None = None) -> named.Dataset:
    return named.load(name, data_dir=folder, fetch=False, fold=fold)


def items_of(name: str, folder: Path) -> pd.DataFrame:
    items = load(name, folder).items
    assert items is not None
    return items


@pytest.mark.parametrize("name", FOLDERS)
def test_archive_and_unpacked_folder_say_the_same(name: str, tmp_path: Path) -> None:
    inner, files = FOLDERS[name]
    from_zip = load(name, zipped(tmp_path, name))
    for subfolder in {name, inner, f"{name}/{inner}"}:
        folder = tmp_path / f"unpacked-{subfolder.replace('/', '-')}"
        unpacked(folder / subfolder, files)
        from_folder = load(name, folder)
        assert named.find(name, folder) == folder / subfolder
        assert ratings(from_folder.interactions) == ratings(from_zip.interactions)
        pd.testing.assert_frame_equal(items_of(name, folder), items_of(name, tmp_path))


@pytest.mark.parametrize("name", FOLDERS)
def test_every_rated_movie_is_described(name: str, tmp_path: Path) -> None:
    dataset = load(name, zipped(tmp_path, name))
    assert dataset.items is not None
    assert dataset.interactions.items.isin(dataset.items.index).all()
    assert dataset.items["year"].dtype == "Int64"
    assert all(isinstance(genres, tuple) for genres in dataset.items["genres"])
    assert ("tags" in dataset.items) == (name not in ("ml-100k", "ml-1m"))
    assert dataset.interactions.timestamps is not None


def test_movielens_100k_is_read_right(tmp_path: Path) -> None:
    dataset = load("ml-100k", zipped(tmp_path, "ml-100k"))
    assert ratings(dataset.interactions) == {(1, 10): 4.0, (1, 20): 3.0, (2, 10): 5.0}
    assert dataset.interactions.order.tolist() == [2, 0, 1]
    items = items_of("ml-100k", tmp_path)
    assert list(items.loc[10]) == ["Misérables, Les (1995)", 1995, ("Action", "Film-Noir")]
    assert items.loc[20, "year"] == 1995
    assert items.loc[30, "title"] == "unknown"
    assert items.loc[30, "genres"] == ()
    assert items["year"].isna().tolist() == [False, False, True]


def test_movielens_1m_titles_may_hold_colons_quotes_and_latin_1(tmp_path: Path) -> None:
    dataset = load("ml-1m", zipped(tmp_path, "ml-1m"))
    assert ratings(dataset.interactions) == {(1, 661): 3.0, (1, 1193): 5.0, (2, 661): 3.0}
    items = items_of("ml-1m", tmp_path)
    assert items["title"].tolist() == [
        "2001: A Space Odyssey (1968)",
        '"Great Performances": Cats (1998)',
        "Misérables, Les (1995)",
    ]
    assert items["year"].tolist() == [1968, 1998, 1995]
    assert items.loc[1193, "genres"] == ("Drama", "Sci-Fi")


def test_movielens_10m_has_half_stars_utf_8_and_tags_with_colons(tmp_path: Path) -> None:
    dataset = load("ml-10m", zipped(tmp_path, "ml-10m"))
    assert ratings(dataset.interactions) == {(1, 122): 4.5, (1, 185): 0.5, (2, 122): 5.0}
    items = items_of("ml-10m", tmp_path)
    assert items.loc[122, "title"] == "Misérables, Les: 1 (1992)"
    # Two users gave the first tag, one of them with a capital letter.
    assert items.loc[122, "tags"] == ("good!", "so bad: it's good")
    assert items.loc[185, "tags"] == ()
    assert items.loc[185, "genres"] == ()


def test_csv_with_quotes_crlf_and_no_final_newline(tmp_path: Path) -> None:
    dataset = load("ml-20m", zipped(tmp_path, "ml-20m"))
    assert ratings(dataset.interactions) == {(1, 296): 5.0, (1, 306): 3.5, (2, 296): 0.5}
    assert dataset.interactions.timestamps is not None
    assert dataset.interactions.timestamps.tolist() == [1147880044, 1147868817, 11]
    items = items_of("ml-20m", tmp_path)
    assert items["title"].tolist()[:2] == ["Misérables, Les (1995)", '"Great Performances": Cats (1998)']
    assert items["year"].fillna(0).tolist() == [1995, 1998, 2006, 0]
    assert items["genres"].tolist() == [("Drama", "Musical"), (), ("Mystery",), ("Sci-Fi",)]
    assert items["tags"].tolist() == [("paris",), ("cats, singing",), (), ()]


def test_published_folds_are_given(tmp_path: Path) -> None:
    zipped(tmp_path, "ml-100k")
    for fold, train, test in (
        (None, {(1, 20): 3.0, (2, 10): 5.0}, {(1, 10): 4.0}),
        ("ua", {(1, 20): 3.0}, {(1, 10): 4.0, (2, 10): 5.0}),
    ):
        train_and_test = load("ml-100k", tmp_path, fold).given
        assert train_and_test is not None
        assert [ratings(data) for data in train_and_test] == [train, test]


@pytest.mark.parametrize(("name", "fold"), [("ml-100k", "u6"), ("ml-1m", "u1"), ("sample", "u1"), ("gowalla", "u1")])
def test_an_unknown_fold_is_refused(name: str, fold: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=f"fold = '{fold}'"):
        load(name, tmp_path, fold)


@pytest.mark.parametrize("compressed", [False, True])
def test_gowalla_is_read_line_by_user(tmp_path: Path, *, compressed: bool) -> None:
    texts = {"train.txt": b"0 5 7\n1 5\r\n2\n", "test.txt": b"0 9 \n1\n2 7 5"}
    if compressed:
        unpacked(tmp_path / "gowalla", {f"{name}.gz": gzip.compress(text) for name, text in texts.items()})
    else:
        unpacked(tmp_path / "gowalla", texts)
    dataset = load("gowalla", tmp_path)
    assert dataset.items is None
    assert dataset.given is not None
    train, test = dataset.given
    assert ratings(train) == {(0, 5): 1.0, (0, 7): 1.0, (1, 5): 1.0}
    assert ratings(test) == {(0, 9): 1.0, (2, 5): 1.0, (2, 7): 1.0}
    assert ratings(dataset.interactions) == {**ratings(train), **ratings(test)}
    assert train.items.equals(test.items)
    assert train.users.tolist() == [0, 1, 2]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (b"0 1 2\n1 x 3\n", "line 2 holds something other than numbers: '1 x 3'"),
        (b"0 1\n\n1 -2\n", "line 3 holds something"),
        (b"0 1\n1 12345678901234567890\n", "line 2 holds too large a number"),
        (b"\n \n", "holds no numbers"),
        (b"", "holds no numbers"),
        (gzip.compress(b"0 1 2\n" * 1000, mtime=0)[:-10], "is damaged or cannot be read"),
    ],
)
def test_a_damaged_lightgcn_file_is_one_clear_error(text: bytes, message: str, tmp_path: Path) -> None:
    (tmp_path / "train.txt").write_bytes(text)
    with pytest.raises(DataError, match=message) as caught:
        read_pairs(tmp_path / "train.txt")
    assert "train.txt" in str(caught.value)


def test_lightgcn_lines_with_many_numbers_keep_their_order(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    lines = [(user, rng.integers(1_000_000, size=rng.integers(0, 9)).tolist()) for user in range(300, 0, -1)]
    text = "".join(f"{user} {' '.join(map(str, items))}".rstrip() + "\n" for user, items in lines)
    (tmp_path / "a.txt").write_text(text)
    users, items = read_pairs(tmp_path / "a.txt")
    expected = [(user, item) for user, chosen in lines for item in chosen]
    assert list(zip(users.tolist(), items.tolist(), strict=True)) == expected


@pytest.mark.parametrize(
    ("name", "meant"), [("ml-1n", "ml-1m"), ("ML-1M", "ml-1m"), ("movielens_20m", "ml-20m"), ("gowala", "gowalla")]
)
def test_an_unknown_name_suggests_the_nearest(name: str, meant: str) -> None:
    for use in (named.load, named.find, named.info):
        with pytest.raises(ConfigError, match=f"no data set '{name}'; did you mean '{meant}'"):
            use(name)


@pytest.mark.parametrize("name", [name for name in named.names() if name != "sample"])
def test_what_is_not_there_says_what_was_expected_where(name: str, tmp_path: Path) -> None:
    assert named.find(name, tmp_path) is None
    (tmp_path / name).mkdir()
    with pytest.raises(DataError, match=f"{name} is not in .*expected {name}") as caught:
        load(name, tmp_path)
    assert str(tmp_path) in str(caught.value)
    assert "set data_dir or RECSYS_AE_DATA" in str(caught.value)


def test_the_data_folder_may_be_named_by_the_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RECSYS_AE_DATA", str(zipped(tmp_path, "ml-1m")))
    assert named.find("ml-1m") == tmp_path / "ml-1m.zip"
    assert named.load("ml-1m").interactions.nnz == 3
    monkeypatch.delenv("RECSYS_AE_DATA")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    assert named.default_data_dir() == tmp_path / "cache/recsys_ae"
    monkeypatch.delenv("XDG_CACHE_HOME")
    monkeypatch.setenv("HOME", str(tmp_path))
    assert named.default_data_dir() == tmp_path / ".cache/recsys_ae"


def test_a_truncated_archive_is_one_clear_error(tmp_path: Path) -> None:
    archive = zipped(tmp_path, "ml-1m") / "ml-1m.zip"
    archive.write_bytes(archive.read_bytes()[:200])
    with pytest.raises(DataError, match=r"ml-1m\.zip is damaged or no zip archive; delete it") as caught:
        load("ml-1m", tmp_path)
    assert "\n" not in str(caught.value)


def test_a_damaged_archive_is_one_clear_error(tmp_path: Path) -> None:
    archive = zipped(tmp_path, "ml-1m") / "ml-1m.zip"
    content = bytearray(archive.read_bytes())
    start = content.find(b"ratings.dat") + len(b"ratings.dat")
    content[start + 5 : start + 15] = bytes(10)
    archive.write_bytes(content)
    with pytest.raises(DataError, match=r"ratings\.dat") as caught:
        load("ml-1m", tmp_path)
    assert "\n" not in str(caught.value)


def test_an_archive_without_ratings_says_what_it_holds(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "ml-1m.zip", "w") as archive:
        archive.writestr("ml-1m/README", "nothing else")
    with pytest.raises(DataError, match=r"no file ratings\.dat"):
        load("ml-1m", tmp_path)


def test_repeated_pairs_are_refused_unless_allowed(tmp_path: Path) -> None:
    files = {**ML_1M, "ratings.dat": b"1::661::3::978302109\n1::661::5::978302110\n"}
    unpacked(tmp_path / "ml-1m", files)
    with pytest.raises(DataError, match="661"):
        load("ml-1m", tmp_path)
    dataset = named.load("ml-1m", data_dir=tmp_path, fetch=False, duplicates="last")
    assert ratings(dataset.interactions) == {(1, 661): 5.0}


def test_the_sample_is_generated_and_counted() -> None:
    sample = named.load("sample", fetch=False)
    description = named.info("sample")
    assert isinstance(sample, Synthetic)
    assert sample.interactions.shape == (description.users, description.items)
    # On other machines rounding may differ in the last digit.
    assert sample.interactions.nnz == pytest.approx(description.interactions, abs=10)
    assert named.find("sample") is None


@pytest.mark.parametrize("name", ["ml-100k", "ml-1m", "ml-latest-small", "gowalla"])
def test_real_data_have_the_published_counts(name: str, data_dir: Path) -> None:
    dataset = load(name, data_dir)
    description = named.info(name)
    assert dataset.interactions.counts == (description.interactions, description.users, description.items)


def test_real_movielens_1m(data_dir: Path) -> None:
    dataset = load("ml-1m", data_dir)
    data = dataset.interactions
    assert np.bincount(data.matrix.data.astype(int)).tolist() == [0, 56174, 107557, 261197, 348971, 226310]
    items = items_of("ml-1m", data_dir)
    assert len(items) == 3_883
    assert items.loc[73, "title"] == "Misérables, Les (1995)"
    assert items["year"].between(1900, 2000).all()
    assert data.items.isin(items.index).all()


def test_real_movielens_100k_folds_are_parts_of_it(data_dir: Path) -> None:
    dataset = load("ml-100k", data_dir)
    expected = ratings(dataset.interactions)
    assert dataset.given is not None
    train, test = (ratings(data) for data in dataset.given)
    assert (len(train), len(test)) == (80_000, 20_000)
    assert {**train, **test} == expected
    fold = load("ml-100k", data_dir, "ua").given
    assert fold is not None
    assert np.bincount(fold[1].rows).tolist() == [10] * 943


def test_real_latest_small_has_its_tags(data_dir: Path) -> None:
    items = items_of("ml-latest-small", data_dir)
    assert len(items) == 9_742
    assert list(items.loc[1]) == [
        "Toy Story (1995)", 1995, ("Adventure", "Animation", "Children", "Comedy", "Fantasy"), ("pixar", "fun")
    ]  # fmt: skip
    assert sum(map(bool, items["tags"])) == 1_572


def test_real_gowalla_is_the_split_of_lightgcn(data_dir: Path) -> None:
    train_and_test = load("gowalla", data_dir).given
    assert train_and_test is not None
    assert [data.counts for data in train_and_test] == [(810_128, 29_858, 40_981), (217_242, 29_858, 40_981)]
    assert train_and_test[0].matrix.multiply(train_and_test[1].matrix).nnz == 0
