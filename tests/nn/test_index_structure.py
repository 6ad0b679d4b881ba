"""Index structures: those that follow from another one equal those computed from the indices."""

import gc
import weakref
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from recsys_ae.nn import rows as rows_file
from recsys_ae.nn.corruption import drop_entries
from recsys_ae.nn.index_structure import IndexStructure
from recsys_ae.nn.layers import Gated, SparseLinear
from recsys_ae.nn.rows import Rows
from recsys_ae.nn.runtime import Run
from recsys_ae.recommender.recommender import Recommender
from tests.nn.small import matrix, rows_of
from tests.pretended.machine import pretended_gpu
from tests.pretended.test_recommenders import brief, data_for

PARTS = ("rows", "order", "rows_by_column", "column_ends")


@st.composite
def structures(draw: Any) -> IndexStructure:
    """Return rows of any length, whose columns may repeat and need not ascend."""
    width = draw(st.integers(1, 9))
    rows = draw(st.lists(st.lists(st.integers(0, width - 1), max_size=6), max_size=6))
    indptr = torch.tensor(np.cumsum([0, *map(len, rows)]), dtype=torch.int32)
    return IndexStructure(indptr, torch.tensor([c for row in rows for c in row], dtype=torch.int32), width)


def assert_as_computed(actual: IndexStructure) -> None:
    expected = IndexStructure(actual._indptr, actual._indices, actual._width)
    for part in PARTS:
        torch.testing.assert_close(getattr(actual, part), getattr(expected, part), rtol=0, atol=0)


@settings(deadline=None)
@given(st.data(), structures())
def test_the_structure_of_chosen_entries_needs_no_sort(data: Any, structure: IndexStructure) -> None:
    n = len(structure._indices)
    chosen = torch.tensor(data.draw(st.lists(st.booleans(), min_size=n, max_size=n)), dtype=torch.bool)
    ends = torch.cat([torch.zeros(1, dtype=torch.int32), chosen.cumsum(0, dtype=torch.int32)])
    indices = structure._indices[chosen]
    assert_as_computed(structure.chosen(chosen, ends[structure._indptr], indices))


@settings(deadline=None)
@given(structures())
def test_columns_with_entries_and_the_structure_with_only_these(structure: IndexStructure) -> None:
    columns, places = structure.distinct_columns()
    expected, expected_places = torch.unique(structure._indices, return_inverse=True)
    assert columns.tolist() == expected.tolist()
    assert places.tolist() == expected_places.tolist()
    assert places.dtype is torch.int32
    assert_as_computed(structure.renumbered(places, len(columns)))


def test_the_parts_are_computed_from_the_indices() -> None:
    indptr, indices = (torch.tensor(numbers, dtype=torch.int32) for numbers in ([0, 2, 2, 5], [3, 0, 1, 3, 0]))
    structure = IndexStructure(indptr, indices, 5)
    assert structure.rows.tolist() == [0, 0, 2, 2, 2]
    assert structure.order.tolist() == [1, 4, 2, 0, 3]
    assert structure.rows_by_column.tolist() == [0, 2, 2, 0, 2]
    assert structure.column_ends.tolist() == [0, 2, 3, 3, 5, 5]


def counted(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """Return a list that gets the indices of each sort of entries by columns."""
    sort, calls = torch.argsort, list[Any]()

    def argsort(values: torch.Tensor, *args: Any, **how: Any) -> torch.Tensor:
        if values.dtype is torch.int32:
            calls.append(values)
        return sort(values, *args, **how)

    monkeypatch.setattr(torch, "argsort", argsort)
    return calls


@pytest.mark.parametrize(
    ("name", "chosen", "sorts"),
    [
        ("mult_vae", {}, 1),
        ("hvamp", {}, 1),  # two gated layers with separate dropout: four sparse layers
        ("macrid_vae", {}, 1),
        ("vasp", {}, 1),
        ("autorec", {"orientation": "user"}, 1),
        ("cdae", {}, 2),  # the rows, and their negatives
        ("mult_vae", {"sampled_items": 6}, 1),
        ("recvae", {"sampled_items": 6, "encoder_epochs": 2, "decoder_epochs": 1}, 1),
    ],
)
def test_a_batch_is_sorted_once(name: str, chosen: dict[str, Any], sorts: int, monkeypatch: pytest.MonkeyPatch) -> None:
    spec = brief(name, epochs=2, **chosen)
    with pretended_gpu() as record:
        calls = counted(monkeypatch)
        Recommender(spec).fit(data_for(spec)[0], run=Run(device="cuda"))
    assert len(calls) == sorts * record.passes["update"]


def batch() -> Rows:
    return rows_of(matrix(20, 13)).take(torch.arange(20))


def test_a_batch_with_other_values_shares_the_structure_and_other_entries_do_not() -> None:
    x = batch()
    assert x.with_values(2 * x.values).structure is x.structure
    assert x.normalised().structure is drop_entries(x, 0.5, torch.Generator()).structure is x.structure
    fewer = x.with_values(x.values * (torch.arange(len(x.values)) % 2)).without_zeros()
    assert fewer.structure is not x.structure
    assert fewer.structure is fewer.structure
    assert x.take(torch.tensor([1, 0])).structure is not x.structure
    assert x.narrowed()[1].structure is not x.structure


def test_rows_that_are_no_batch_keep_nothing() -> None:
    rows = rows_of(matrix(20, 13))
    assert rows.structure is not rows.structure
    assert rows.transposed() is not rows.transposed()
    assert rows.with_values(rows.values)._structure is None
    assert rows.narrowed()[1]._structure is None
    assert rows.with_values(0 * rows.values).without_zeros()._structure is None


def test_a_batch_is_transposed_once_for_two_layers(monkeypatch: pytest.MonkeyPatch) -> None:
    """It holds on a CPU too, and for rows without their zeros."""
    transposed, calls = rows_file.Rows._transposed, list[Rows]()
    monkeypatch.setattr(Rows, "_transposed", lambda rows: calls.append(rows) or transposed(rows))  # type: ignore[func-returns-value]
    x = batch()
    x = x.with_values(x.values * (torch.arange(len(x.values)) % 2))
    Gated(13, 5, sparse=True)(x).sum().backward()
    assert len(calls) == 1
    assert (calls[0].values != 0).all()


@pytest.mark.parametrize(
    "use",
    [
        lambda x: x.transposed(),
        lambda x: x.without_zeros(),
        lambda x: x.structure.rows_by_column,
        lambda x: x.narrowed()[1].transposed(),
        lambda x: SparseLinear(13, 5)(x.normalised()).sum().backward(),
        lambda x: SparseLinear(13, 5)(x.with_values(0 * x.values)).sum().backward(),
    ],
)
def test_nothing_outlives_the_batch(use: Callable[[Rows], Any]) -> None:
    """All is freed with the batch itself, without the garbage collector, which may run much later."""
    gc.disable()
    try:
        x = batch()
        use(x)
        kept = weakref.ref(x.structure)
        assert kept() is not None
        del x
        assert kept() is None
    finally:
        gc.enable()
