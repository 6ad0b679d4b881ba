"""Tests of the data of a study and of its split."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from recsys_ae.errors import DataError
from recsys_ae.features.study.data import StudyData
from recsys_ae.features.study.plan import Sizes


@pytest.fixture
def flowers(tmp_path: Path) -> Path:
    frame = pd.DataFrame(np.random.default_rng(0).normal(size=(100, 3)), columns=["a", "b", "c"])
    frame.insert(0, "name", [f"flower {n}" for n in range(100)])
    frame["kind"] = np.resize(["iris", "rose"], 100)
    frame.to_csv(tmp_path / "flowers.csv", index=False)
    return tmp_path / "flowers.csv"


def test_every_row_is_in_one_part(flowers: Path) -> None:
    data = StudyData.read(str(flowers), labels="kind", sizes=Sizes(valid=6))
    subsets = [data.train, data.valid, data.test]
    assert [len(rows) for rows in subsets] == [74, 6, 20]
    assert len({name for rows in subsets for name in rows.features.ids}) == 100
    assert list(data.train.features.columns) == ["a", "b", "c"]


def test_labels_stay_with_their_rows(flowers: Path) -> None:
    data = StudyData.read(str(flowers), labels="kind", sizes=Sizes())
    kinds = pd.read_csv(flowers).set_index("name")["kind"]
    for rows in (data.train, data.valid, data.test):
        assert rows.told.tolist() == kinds[rows.features.ids].tolist()
    assert set(data.labels) == {"iris", "rose"}


def test_the_same_rows_are_drawn_each_time_and_the_pool_keeps_the_others(flowers: Path) -> None:
    data, again = (StudyData.read(str(flowers), labels="kind", sizes=Sizes(train=20, test=5)) for _ in range(2))
    assert data.prints == again.prints
    assert (len(data.train), len(data.test), len(data.pool)) == (20, 5, 72)
    assert set(data.train.features.ids) <= set(data.pool.features.ids)


def test_rows_without_a_label_are_measured_but_not_compared_by_label(flowers: Path) -> None:
    rows = StudyData.read(str(flowers), labels="kind", sizes=Sizes()).test
    rows.labels[:3] = ""  # type: ignore[index]
    assert len(rows) == 20
    assert len(rows.labelled()) == 17


def test_a_classifier_is_taught_labels_that_enough_rows_have(flowers: Path) -> None:
    frame = pd.read_csv(flowers)
    frame["kind"] = [f"rare {n}" if n % 5 == 0 else ["iris", "rose"][n % 2] for n in range(100)]
    frame.to_csv(flowers, index=False)
    data = StudyData.read(str(flowers), labels="kind", sizes=Sizes())
    assert len(data.labels) > 10
    assert data.classes.tolist() == ["iris", "rose"]
    rows = data.pool.of_labels(data.classes)
    assert set(rows.told) == {"iris", "rose"}
    assert rows.features.ids.isin(data.pool.features.ids[data.pool.labels != ""]).all()
    assert len(rows) == sum(not label.startswith("rare") for label in data.pool.told)


def test_movies_are_called_by_their_titles() -> None:
    data = StudyData.read("sample", sizes=Sizes())
    assert data.called([1]) == ["Lonesome Stagecoach of Lordale (1970)"]
    assert data.called(["none"]) == ["none"]
    assert "Western" in data.labels


def test_rows_of_another_form_are_refused(flowers: Path) -> None:
    with pytest.raises(DataError, match=r"has rows of 2 columns.* expected the study's 3 columns"):
        StudyData.read(f"{flowers}:a,b,c", unlike=[f"{flowers}:a,b"], sizes=Sizes())


def test_too_few_rows_are_refused(tmp_path: Path) -> None:
    (tmp_path / "few.csv").write_text("id,a\n" + "".join(f"{n},{n}\n" for n in range(29)))
    with pytest.raises(DataError, match="29 rows; a study needs at least 30"):
        StudyData.read(str(tmp_path / "few.csv"), sizes=Sizes())


def test_digits_keep_their_published_test_part(data_dir: Path) -> None:
    if not (data_dir / "mnist").is_dir():
        pytest.skip(f"there is no mnist in {data_dir}")
    data = StudyData.read("mnist", unlike=["emnist-letters:test"], sizes=Sizes(valid=5000), data_dir=data_dir)
    assert [len(rows) for rows in (data.train, data.valid, data.test)] == [55_000, 5_000, 10_000]
    assert data.test.told[:5].tolist() == ["7", "2", "1", "0", "4"]
    if not (data_dir / "emnist-letters").is_dir():
        assert [remark for remark in data.remarks if "emnist-letters is not in" in remark]
