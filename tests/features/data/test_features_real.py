"""Features of published data sets, if their archives are available."""

from pathlib import Path

import numpy as np
import pytest

from recsys_ae.features.data.read import read_features


def needed(data_dir: Path, *paths: str) -> Path:
    for path in paths:
        if not (data_dir / path).exists():
            pytest.skip(f"{path} is not in {data_dir}")
    return data_dir


def test_movies_of_ml_1m(data_dir: Path) -> None:
    folder = needed(data_dir, "ml-1m.zip", "content/ml-1m-movies_extrainfos.dat.gz")
    found = read_features("ml-1m:genres,year,plots,abstracts,actors", data_dir=folder)
    assert len(found) == 3883
    assert "38 of 3,883 items have no plots" in found.remarks
    story = found.of(found.ids[found.ids == 1])
    assert {"genre=Animation", "plots=doll", "plots=woody", "actors=Tom Hanks", "year"} <= set(
        found.columns[story.matrix.nonzero()[1]]
    )


def test_movies_of_ml_latest_small(data_dir: Path) -> None:
    folder = needed(data_dir, "ml-latest-small.zip", "content/ml-latest-small-overviews.csv.gz")
    found = read_features("ml-latest-small:year,tags,overviews,directors", data_dir=folder)
    assert len(found) == 9742
    assert "117 of 9,742 texts of overviews are empty and left out" in found.remarks
    assert np.isnan(found.matrix[:, 0].toarray()).sum() == 12  # type: ignore[union-attr]


def test_histories_of_ml_latest_small(data_dir: Path) -> None:
    found = read_features("ml-latest-small:histories", data_dir=needed(data_dir, "ml-latest-small.zip"))
    assert found.form == (50, 2)
    assert len(found) == 9724


def test_images_of_mnist(data_dir: Path) -> None:
    folder = needed(data_dir, "mnist/train-images-idx3-ubyte.gz")
    train, test = (read_features(name, data_dir=folder) for name in ("mnist", "mnist:test"))
    assert (len(train), len(test), train.form) == (60_000, 10_000, (1, 28, 28))
    assert np.asarray(train.matrix).mean() == pytest.approx(0.1307, abs=1e-4)
