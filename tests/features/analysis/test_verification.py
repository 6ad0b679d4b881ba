"""Verification: pairs of rows, generated rows, and the verifier."""

from collections import Counter

import numpy as np
import pandas as pd
import pytest

from recsys_ae import Features
from recsys_ae.errors import ConfigError, DataError
from recsys_ae.features.analysis.verification import augmented, pairs, verification
from tests.features.analysis.small import encoder, rows


def test_half_of_the_pairs_share_a_label_and_every_label_is_as_frequent() -> None:
    labels = np.random.default_rng(0).permutation(np.repeat(["a", "b", "c", "d"], [50, 10, 2, 1]))
    first, second, same = pairs(labels, 6000, seed=1)
    assert same.mean() == 0.5
    assert (first != second).all()
    np.testing.assert_array_equal(labels[first] == labels[second], same)
    found = Counter(labels[first[same]])
    assert set(found) == {"a", "b", "c"}
    assert min(found.values()) > 900
    assert min(Counter(labels[np.concatenate([first[~same], second[~same]])]).values()) > 1300
    assert len(np.unique(first[labels[first] == "a"])) == 50
    assert len({(a, b) for a, b, one in zip(first, second, same, strict=True) if one and labels[a] == "c"}) == 2
    np.testing.assert_array_equal(pairs(labels, 6000, seed=1), (first, second, same))


def test_pairs_that_cannot_be_are_refused() -> None:
    with pytest.raises(DataError, match="3 rows have 1 labels, 1 of them more than once"):
        pairs(np.ones(3), 4)
    with pytest.raises(DataError, match="3 rows have 3 labels, 0 of them more than once"):
        pairs(np.arange(3), 4)


def test_rare_classes_are_filled_up_and_every_row_has_its_likeness() -> None:
    features, _ = rows(13)
    labels = np.repeat([0, 1, 2], [8, 4, 1])
    made, names = augmented(encoder(), features, labels, share=0, minimum=5)
    assert names.tolist() == [1, 2, 2, 2, 2]
    # Without noise, a generated row is the reconstruction of a real one.
    back = np.asarray(encoder().reconstruct(features).matrix)
    np.testing.assert_allclose(made.matrix, back[[8, 12, 12, 12, 12]], rtol=1e-4, atol=1e-5)
    twice, names = augmented(encoder(), features, labels, share=0, per_real=2)
    assert names.tolist() == np.repeat(labels, 2).tolist()
    np.testing.assert_allclose(twice.matrix, np.repeat(back, 2, axis=0), rtol=1e-4, atol=1e-5)
    both, names = augmented(encoder(), features, labels, share=0.1, minimum=6, per_real=1)
    assert Counter(names.tolist()) == {0: 8, 1: 4, 2: 1 + 4}
    assert len(np.unique(np.asarray(both.matrix), axis=0)) == len(both)
    none, names = augmented(encoder(), features, labels, share=0.1, minimum=1)
    assert (len(none), len(names)) == (0, 0)
    with pytest.raises(ConfigError, match="minimum = -1"):
        augmented(encoder(), features, labels, share=0.1, minimum=-1)


@pytest.mark.parametrize("on", ["codes", "rows"])
def test_classes_that_lie_apart_are_verified(on: str) -> None:
    train, labels = rows(200, classes=5)
    test, expected = rows(200, seed=1, classes=5)
    chosen = {"share": 0.0, "on": on, "seed": 2}
    found = verification(encoder("pca", 4), train, labels, test, expected, **chosen)  # type: ignore[arg-type]
    assert found > 0.9
    assert found == verification(encoder("pca", 4), train, labels, test, expected, **chosen)  # type: ignore[arg-type]
    shuffled = np.random.default_rng(0).permutation(expected)
    assert verification(encoder("pca", 4), train, labels, test, shuffled, **chosen) == pytest.approx(0.5, abs=0.1)  # type: ignore[arg-type]


def test_members_that_are_made_stand_in_for_real_ones_and_nonsense_does_not() -> None:
    train, labels = rows(400, classes=5)
    single = np.array([np.flatnonzero(labels == one)[0] for one in range(5)])
    test, expected = rows(300, seed=1, classes=5)
    model = encoder("pca", 4)
    one_each = (model, train.take(single), labels[single], test, expected)
    with pytest.raises(DataError, match="5 rows have 5 labels, 0 of them more than once"):
        verification(*one_each, share=0.1)
    sensible, wild = (verification(*one_each, share=share, minimum=40) for share in (0.1, 4.0))
    assert sensible > 0.9
    assert wild < sensible - 0.1


def test_rows_with_gaps_are_verified_by_their_codes_only() -> None:
    features, labels = rows(40)
    holed = np.array(features.matrix)
    holed[3, 3] = np.nan
    gaps = Features(holed, pd.RangeIndex(40), features.columns)
    assert 0.5 < verification(encoder(), gaps, labels, gaps, labels, share=0, per_real=1) <= 1
    with pytest.raises(DataError, match="the verifier needs dense rows without missing values"):
        verification(encoder(), gaps, labels, gaps, labels, share=0, on="rows")
    with pytest.raises(DataError, match="40 training and 40 test rows have 39 and 40 labels"):
        verification(encoder(), gaps, labels[1:], gaps, labels, share=0)
    with pytest.raises(ConfigError, match="on = 'both' is not codes or rows"):
        verification(encoder(), gaps, labels, gaps, labels, share=0, on="both")  # type: ignore[arg-type]


def test_moved_and_stretched_rows_are_verified_alike() -> None:
    """Training and test rows are standardised with the means and deviations of the training rows."""
    train, labels = rows(200, classes=5)
    test, expected = rows(200, seed=1, classes=5)
    stretch, shift = np.geomspace(0.01, 100, 9), np.linspace(-50, 500, 9)

    def moved(features: Features) -> Features:
        return Features(np.asarray(features.matrix) * stretch + shift, features.ids, features.columns)

    plain = verification(encoder(), train, labels, test, expected, share=0, on="rows")
    found = verification(encoder(), moved(train), labels, moved(test), expected, share=0, on="rows")
    assert plain > 0.9
    assert found == pytest.approx(plain, abs=0.01)
