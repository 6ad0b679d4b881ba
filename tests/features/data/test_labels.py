"""Labels of rows: from a file next to images, from sub-folders, from a column, and from features of movies."""

import gzip
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from recsys_ae.errors import ConfigError, DataError
from recsys_ae.features.data.labels import read_labels
from recsys_ae.features.data.read import read_features


def images(folder: Path, labels: list[int], *, n: int | None = None, packed: bool = True) -> Path:
    n = len(labels) if n is None else n
    path = folder / "t10k-images-idx3-ubyte.gz"
    path.write_bytes(gzip.compress(bytes([0, 0, 8, 3, 0, 0, 0, n, 0, 0, 0, 1, 0, 0, 0, 2]) + bytes(2 * n)))
    content = bytes([0, 0, 8, 1, 0, 0, 0, len(labels), *labels])
    labels_path = folder / ("t10k-labels-idx1-ubyte" + (".gz" if packed else ""))
    labels_path.write_bytes(gzip.compress(content) if packed else content)
    return path


@pytest.mark.parametrize("packed", [True, False])
def test_labels_lie_beside_the_images(tmp_path: Path, packed: bool) -> None:
    path = images(tmp_path, [7, 0, 9], packed=packed)
    features = read_features(str(path))
    found = read_labels(str(path), features.ids)
    assert found.dtype == np.int64
    assert found.tolist() == [7, 0, 9]
    assert read_labels(str(path), features.take(np.array([2, 0])).ids).tolist() == [9, 7]


def test_named_images_have_the_labels_of_their_part(tmp_path: Path) -> None:
    (tmp_path / "mnist").mkdir()
    images(tmp_path / "mnist", [3, 1])
    assert read_labels("mnist:test", range(2), data_dir=tmp_path).tolist() == [3, 1]  # type: ignore[arg-type]
    with pytest.raises(DataError, match="mnist is not in"):
        read_labels("mnist", range(2), data_dir=tmp_path)  # type: ignore[arg-type]


def test_labels_that_do_not_fit_are_refused(tmp_path: Path) -> None:
    path = images(tmp_path, [1, 2, 3], n=2)
    with pytest.raises(DataError, match=r"holds 3 labels, but .* 2 images"):
        read_labels(str(path), pd.RangeIndex(2))
    path = images(tmp_path, [1, 2])
    with pytest.raises(DataError, match="has no row 2: 1 of 3 ids are not among its 2 rows"):
        read_labels(str(path), pd.RangeIndex(3))
    labels_path = tmp_path / "t10k-labels-idx1-ubyte.gz"
    labels_path.write_bytes(bytes([0, 0, 8, 1, 0, 0, 0, 9, 1]))
    with pytest.raises(DataError, match="is damaged: 9 labels are not 1 bytes"):
        read_labels(str(path), pd.RangeIndex(2))
    labels_path.write_bytes(b"no idx file")
    with pytest.raises(DataError, match="is no idx file of labels"):
        read_labels(str(path), pd.RangeIndex(2))
    labels_path.unlink()
    with pytest.raises(DataError, match="has no file of labels next to it; expected t10k-labels-idx1-ubyte, plain"):
        read_labels(str(path), pd.RangeIndex(2))


def test_the_sub_folder_is_the_label_of_a_picture(tmp_path: Path) -> None:
    image = pytest.importorskip("PIL.Image")
    for name in ("dogs/b.png", "cats/1.png", "cats/a.png"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        image.new("RGB", (4, 4)).save(tmp_path / name)
    features = read_features(str(tmp_path))
    assert features.ids.tolist() == ["cats/1", "cats/a", "dogs/b"]
    assert read_labels(str(tmp_path), features.ids).tolist() == ["cats", "cats", "dogs"]
    with pytest.raises(DataError, match="the picture in row 2 lies in no sub-folder: 'loose'"):
        read_labels(str(tmp_path), pd.Index(["cats/1", "loose"]))


def test_a_column_of_a_table_has_the_labels(tmp_path: Path) -> None:
    path = tmp_path / "items.csv"
    path.write_text("item,year,kind,level,gap\na,1999,x,3,1\nb,2001,y,5,\n")
    features = read_features(f"{path}:year")
    assert read_labels(f"{path}:year", features.ids, column="kind").tolist() == ["x", "y"]
    found = read_labels(str(path), pd.Index(["b", "a"]), column="level")
    assert (found.dtype, found.tolist()) == (np.dtype(np.int64), [5, 3])
    with pytest.raises(ConfigError, match="name the column of the labels; the columns are: item, year, kind"):
        read_labels(str(path), features.ids)
    with pytest.raises(DataError, match="there is no column 'sort' of labels; the columns are: item, year, kind"):
        read_labels(str(path), features.ids, column="sort")
    with pytest.raises(DataError, match="the label 'gap' in row 2 is missing"):
        read_labels(str(path), features.ids, column="gap")
    with pytest.raises(DataError, match="has no row 'z'"):
        read_labels(str(path), pd.Index(["a", "z"]), column="kind")
    path.write_text("item,kind\na,x\na,y\n")
    with pytest.raises(DataError, match="the id 'a' has more than one row"):
        read_labels(str(path), pd.Index(["a"]), column="kind")


def test_movies_have_their_first_genre() -> None:
    features = read_features("sample:genres")
    labels = read_labels("sample:genres", features.ids)
    has = features.matrix.toarray()  # type: ignore[union-attr]
    assert len(set(labels)) > 10
    for row, label in zip(has, labels, strict=True):
        assert row[features.columns.get_loc(f"genre={label}")] == 1
    with pytest.raises(DataError, match="the movies of sample have no labels 'directors'; they have: genres"):
        read_labels("sample", features.ids, column="directors")


def test_what_has_no_labels_is_refused(tmp_path: Path) -> None:
    np.save(tmp_path / "v.npy", np.zeros((2, 3)))
    with pytest.raises(DataError, match="an array has no labels"):
        read_labels(str(tmp_path / "v.npy"), pd.RangeIndex(2))
    with pytest.raises(DataError, match="there is no such file"):
        read_labels(str(tmp_path / "gone.csv"), pd.RangeIndex(2), column="x")


def test_labels_of_real_data(data_dir: Path) -> None:
    for path in ("mnist/t10k-labels-idx1-ubyte.gz", "ml-1m.zip", "content/ml-1m-movies_extrainfos.dat.gz"):
        if not (data_dir / path).exists():
            pytest.skip(f"{path} is not in {data_dir}")
    digits = read_labels("mnist:test", pd.RangeIndex(10_000), data_dir=data_dir)
    assert np.bincount(digits).tolist() == [980, 1135, 1032, 1010, 982, 892, 958, 1028, 974, 1009]
    movies = pd.Index([1, 2, 260])
    assert read_labels("ml-1m:genres", movies, data_dir=data_dir).tolist() == ["Animation", "Adventure", "Action"]
    found = read_labels("ml-1m", movies, data_dir=data_dir, column="directors")
    assert found.tolist() == ["John Lasseter", "Joe Johnston", "George Lucas"]
