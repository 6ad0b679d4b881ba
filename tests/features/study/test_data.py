"""What a study reads, and how it divides it."""

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
    found = StudyData.read(str(flowers), labels="kind", sizes=Sizes(valid=6))
    parts = [found.train, found.valid, found.test]
    assert [len(part) for part in parts] == [74, 6, 20]
    assert len({name for part in parts for name in part.features.ids}) == 100
    assert list(found.train.features.columns) == ["a", "b", "c"]


def test_labels_stay_with_their_rows(flowers: Path) -> None:
    found = StudyData.read(str(flowers), labels="kind", sizes=Sizes())
    kinds = pd.read_csv(flowers).set_index("name")["kind"]
    for part in (found.train, found.valid, found.test):
        assert part.told.tolist() == kinds[part.features.ids].tolist()
    assert set(found.labels) == {"iris", "rose"}


def test_the_same_rows_are_drawn_each_time_and_the_pool_keeps_the_others(flowers: Path) -> None:
    one, two = (StudyData.read(str(flowers), labels="kind", sizes=Sizes(train=20, test=5)) for _ in range(2))
    assert one.prints == two.prints
    assert (len(one.train), len(one.test), len(one.pool)) == (20, 5, 72)
    assert set(one.train.features.ids) <= set(one.pool.features.ids)


def test_rows_without_a_label_are_measured_but_not_compared_by_label(flowers: Path) -> None:
    found = StudyData.read(str(flowers), labels="kind", sizes=Sizes()).test
    found.labels[:3] = ""  # type: ignore[index]
    assert len(found) == 20
    assert len(found.labelled()) == 17


def test_a_classifier_is_taught_labels_that_enough_rows_have(flowers: Path) -> None:
    frame = pd.read_csv(flowers)
    frame["kind"] = [f"rare {n}" if n % 5 == 0 else ["iris", "rose"][n % 2] for n in range(100)]
    frame.to_csv(flowers, index=False)
    found = StudyData.read(str(flowers), labels="kind", sizes=Sizes())
    assert len(found.labels) > 10
    assert found.classes.tolist() == ["iris", "rose"]
    kept = found.pool.of_labels(found.classes)
    assert set(kept.told) == {"iris", "rose"}
    assert kept.features.ids.isin(found.pool.features.ids[found.pool.labels != ""]).all()
    assert len(kept) == sum(not label.startswith("rare") for label in found.pool.told)


def test_films_are_called_by_their_titles() -> None:
    found = StudyData.read("sample", sizes=Sizes())
    assert found.called([1]) == ["Lonesome Stagecoach of Lordale (1970)"]
    assert found.called(["none"]) == ["none"]
    assert "Western" in found.labels


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
    found = StudyData.read("mnist", unlike=["emnist-letters:test"], sizes=Sizes(valid=5000), data_dir=data_dir)
    assert [len(part) for part in (found.train, found.valid, found.test)] == [55_000, 5_000, 10_000]
    assert found.test.told[:5].tolist() == ["7", "2", "1", "0", "4"]
    if not (data_dir / "emnist-letters").is_dir():
        assert [one for one in found.remarks if "emnist-letters is not in" in one]
