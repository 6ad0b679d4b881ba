"""Scaling of features to the input of a network."""

from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from scipy.sparse import csr_matrix

from recsys_ae.features.data.features import Features
from recsys_ae.features.nn.rows import FeatureRows
from recsys_ae.features.nn.scaling import Columns, Scaling

CPU = torch.device("cpu")
NAN = np.nan


def features(rows: Any, **more: Any) -> Features:
    n, width = np.shape(rows)
    plain = rows if isinstance(rows, csr_matrix) else np.array(rows, np.float32)
    return Features(plain, pd.RangeIndex(n), pd.RangeIndex(width), **more)


def seen(of: Features, scale: Any = "auto", *, bounded: bool = False) -> np.ndarray:
    return FeatureRows.of(of, Scaling.of(of, scale, bounded=bounded), CPU).seen.numpy()


ROWS = [[1.0, 10, 5], [3, 20, 5], [5, 60, 5]]


def test_standard_columns_have_mean_0_and_deviation_1_and_constant_ones_are_0() -> None:
    found = seen(features(ROWS), "standard")
    np.testing.assert_allclose(found.mean(axis=0), 0, atol=1e-6)
    np.testing.assert_allclose(found.std(axis=0), [1, 1, 0], atol=1e-6)
    assert (found[:, 2] == 0).all()


def test_min_max_columns_go_from_0_to_1() -> None:
    np.testing.assert_allclose(seen(features(ROWS), "min-max")[:, :2], [[0, 0], [0.5, 0.2], [1, 1]], atol=1e-6)


def test_new_rows_are_scaled_as_the_training_rows_were_and_back() -> None:
    scaling = Scaling.of(features(ROWS), "standard", bounded=False)
    new = FeatureRows.of(features([[3, 30, 9]]), scaling, CPU)
    np.testing.assert_allclose(new.seen.numpy(), [[0, 0, 0]], atol=1e-6)
    np.testing.assert_allclose(scaling.undo(new.seen).numpy(), [[3, 30, 5]], atol=1e-5)


@pytest.mark.parametrize("sparse", [False, True])
@pytest.mark.parametrize("scale", ["none", "standard", "min-max"])
def test_missing_values_become_the_mean_are_not_known_and_are_said(sparse: bool, scale: str) -> None:
    rows: Any = [[1.0, NAN], [3, 4], [5, 8]]
    given = features(csr_matrix(rows) if sparse else rows)
    scaling = Scaling.of(given, scale, bounded=False)  # type: ignore[arg-type]
    batch = FeatureRows.of(given, scaling, CPU)
    assert scaling.undo(batch.seen)[0, 1].item() == pytest.approx(6)
    assert batch.known is not None
    assert batch.known.tolist() == [[1, 0], [1, 1], [1, 1]]
    assert Columns.of(given).remarks(given) == (
        "1 values are missing: each is read as the mean of its column and not learnt",
    )


def test_a_constant_column_is_said_by_its_name() -> None:
    given = features(ROWS)
    assert Columns.of(given).remarks(given) == ("1 of 3 columns are constant and of no use: 2",)


def test_a_column_of_nothing_but_missing_values_is_0() -> None:
    assert (seen(features([[1, NAN], [2, NAN]]), "standard")[:, 1] == 0).all()


def test_words_are_weighed_by_their_rarity_and_rows_have_length_1() -> None:
    text = pytest.importorskip("sklearn.feature_extraction.text")
    counts = csr_matrix(np.array([[2, 1, 0], [0, 1, 0], [1, 1, 3], [0, 0, 0]], np.float32))
    expected = text.TfidfTransformer().fit_transform(counts).toarray()
    np.testing.assert_allclose(seen(features(counts), "tf-idf"), expected, rtol=1e-5, atol=1e-7)
    given = features(counts, counted=np.ones(3, bool))
    np.testing.assert_allclose(seen(given), expected, rtol=1e-5, atol=1e-7)


def test_beside_words_other_columns_go_from_0_to_1() -> None:
    counts = csr_matrix(np.array([[1990, 1], [2000, 2], [2010, 0]], np.float32))
    found = seen(features(counts, counted=np.array([False, True])))
    np.testing.assert_allclose(found, [[0, 1], [0.5, 1], [1, 0]], atol=1e-6)


def test_sparse_rows_are_scaled_like_dense_ones() -> None:
    rows = np.array([[0, 2.0, 1], [4, 0, 0], [0, 0, 3]])
    for scale in ("none", "standard", "min-max", "tf-idf"):
        np.testing.assert_allclose(seen(features(csr_matrix(rows)), scale), seen(features(rows), scale), atol=1e-6)


def test_images_are_scaled_as_a_whole() -> None:
    rows = np.array([[0, 50, 100, 200], [10, 20, 30, 100.0]])
    np.testing.assert_allclose(seen(features(rows, form=(1, 2, 2))), rows / 200, rtol=1e-6)
    np.testing.assert_array_equal(seen(features(rows / 200, form=(1, 2, 2))), np.float32(rows / 200))


def test_a_column_of_a_sequence_is_scaled_over_its_steps_and_padding_is_0() -> None:
    rows = np.array([[1, 10, 99, 99], [3, 30, 5, 50.0]])
    given = features(rows, form=(2, 2), lengths=np.array([1, 2]))
    found = seen(given, "min-max")
    np.testing.assert_allclose(found, [[0, 0, 0, 0], [0.5, 0.5, 1, 1]], atol=1e-6)
    batch = FeatureRows.of(given, Scaling.of(given, "min-max", bounded=False), CPU)
    assert batch.known is not None
    assert batch.known.tolist() == [[1, 1, 0, 0], [1, 1, 1, 1]]


@pytest.mark.parametrize("sparse", [False, True])
def test_a_batch_is_the_rows_asked_for(sparse: bool) -> None:
    given = features(csr_matrix(ROWS) if sparse else ROWS)
    rows = FeatureRows.of(given, Scaling.of(given, "standard", bounded=False), CPU)
    assert len(rows) == 3
    assert torch.equal(rows.take(torch.tensor([2, 0])).seen, rows.seen[[2, 0]])
    assert rows.device == CPU
