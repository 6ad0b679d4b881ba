"""Arrays as features: their types and shapes, ids, arrays that are not used, and damaged files."""

import io
import pickle
import struct
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from recsys_ae.errors import DataError
from recsys_ae.features.data.arrays import read_array


def npy(values: Any, **options: Any) -> bytes:
    stream = io.BytesIO()
    np.lib.format.write_array(stream, np.asarray(values), **options)
    return stream.getvalue()


def header(description: str, version: bytes = b"\1\0") -> bytes:
    text = description.encode().ljust(118 - (version > b"\1\xff")) + b"\n"
    return b"\x93NUMPY" + version + struct.pack("<H" if version == b"\1\0" else "<I", len(text)) + text


KINDS = arrays.integer_dtypes() | arrays.floating_dtypes() | arrays.boolean_dtypes()


@settings(max_examples=60, deadline=None)
@given(
    arrays.arrays(KINDS, arrays.array_shapes(min_dims=2, max_dims=2, max_side=4), elements={"allow_infinity": False}),
    st.booleans(),
)
def test_arrays_of_every_number_and_order_come_back(tmp_path_factory: Any, values: np.ndarray, turned: bool) -> None:
    path = tmp_path_factory.mktemp("arrays") / "v.npy"
    np.save(path, np.asfortranarray(values) if turned else values)
    with np.errstate(over="ignore"):
        right = values.astype(np.float32)
    if np.isinf(right).any():
        with pytest.raises(DataError, match="is too large for a 32-bit number"):
            read_array(path)
        return
    np.testing.assert_array_equal(read_array(path).matrix, right)


@pytest.mark.parametrize(
    ("values", "said"),
    [
        (np.ones(3), r"values of shape \(3,\) holds 1 dimensions of float64; .* needs the shape \(n, 1\)"),
        (np.array(3.0), r"values of shape \(\) holds 0 dimensions"),
        (np.ones((2, 2, 2, 2, 2)), r"holds 5 dimensions of float64; expected numbers, \(n, width\)"),
        (np.ones((2, 2), complex), "holds 2 dimensions of complex128; expected numbers"),
        (np.array([["a", "b"]]), "holds 2 dimensions of <U1; expected numbers"),
        (np.array([["2020-01-01"]], "M8[D]"), r"holds 2 dimensions of datetime64\[D\]; expected numbers"),
        (np.ones((0, 3)), r"values of shape \(0, 3\) is empty; expected at least one row and one column"),
        (np.ones((3, 0)), r"values of shape \(3, 0\) is empty"),
        (
            np.ones(3, [("a", float), ("b", int)]),
            "values holds records with the fields a, b; save one array",
        ),
        (np.array([[1, np.inf]]), "a value is infinite: row 0, column 1; leave it empty"),
        (np.array([[1, -np.inf]], np.float16), "a value is infinite: row 0, column 1"),
        (np.array([[[1.0], [np.nan]]]), "a value is missing: row 0, column 1; only a table may have missing values"),
        (np.array([[1, 1e39]]), r"the value 1e\+39 in row 0, column 1, is too large for a 32-bit number"),
    ],
)
def test_what_is_no_table_of_numbers_is_refused(tmp_path: Path, values: np.ndarray, said: str) -> None:
    np.save(tmp_path / "v.npy", values)
    with pytest.raises(DataError, match=said) as caught:
        read_array(tmp_path / "v.npy")
    assert str(caught.value).startswith(str(tmp_path / "v.npy"))


def test_a_table_may_have_missing_values(tmp_path: Path) -> None:
    np.save(tmp_path / "v.npy", [[1, np.nan], [3, 4]])
    np.testing.assert_array_equal(read_array(tmp_path / "v.npy").matrix, np.array([[1, np.nan], [3, 4]], np.float32))


class Trap:
    """An object that leaves a file when it is unpickled."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Any, ...]:
        return Path.touch, (self.path,)


def test_pickles_are_never_read(tmp_path: Path) -> None:
    trap = np.array([Trap(tmp_path / "sprung")], object)
    np.save(tmp_path / "v.npy", trap, allow_pickle=True)
    np.savez(tmp_path / "v.npz", values=trap, allow_pickle=True)
    (tmp_path / "p.npy").write_bytes(pickle.dumps(trap))
    for name, said in (
        ("v.npy", "values holds Python objects, which are stored as a pickle and not read; save plain numbers"),
        ("v.npz", "values holds Python objects, which are stored as a pickle and not read"),
        ("p.npy", "it is neither npy nor npz; it looks like a pickle, which can run code and is not read"),
    ):
        with pytest.raises(DataError, match=said):
            read_array(tmp_path / name)
    assert not (tmp_path / "sprung").exists()


PLAIN = npy(np.ones((2, 3)))
BIG = "{{'descr': '<f8', 'fortran_order': False, 'shape': ({}, {})}}"


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (
            header(BIG.format(10**12, 10**12)) + bytes(64),
            "claims to be 1,000,000,000,000 × 1,000,000,000,000 values",
        ),
        (header(BIG.format(2**62, 4)) + bytes(64), "claims to be .* but the file has 193 bytes"),
        (header(BIG.format(-1, 4)) + bytes(64), "claims to be -1 × 4 values"),
        (header(BIG.format(2, 4), b"\2\0") + bytes(63), "values should have 64 bytes, but has 63"),
        (header(BIG.format(2, 4)) + bytes(65), "values should have 64 bytes, but has more"),
        (header(BIG.format(2, 4), b"\3\0") + bytes(64), r"version \(3, 0\) of the format is unknown"),
        (header(BIG.format(2, 4).replace("<f8", "<U0")), "holds values without a size"),
        (header("{" * 50), "is no array of numbers, or damaged"),
        (header("__import__('os').getcwd()"), "is no array of numbers, or damaged"),
        (PLAIN[:30], "is no array of numbers, or damaged"),
        (b"", "it is neither npy nor npz"),
        (b"item,x\n1,2\n", "it is neither npy nor npz; write it with numpy"),
        (b"PK\3\4 no archive", "is no array of numbers, or damaged: File is not a zip file"),
    ],
)
def test_damaged_files_are_named(tmp_path: Path, content: bytes, said: str) -> None:
    path = tmp_path / "v.npy"
    path.write_bytes(content)
    with pytest.raises(DataError, match=said) as caught:
        read_array(path)
    assert str(caught.value).startswith(str(path))
    assert "\n" not in str(caught.value)


def test_members_that_are_too_short_are_named(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "v.npz", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("values.npy", header(BIG.format(10**6, 10**3)) + bytes(64))
        archive.writestr("readme.txt", "no array")
    with pytest.raises(DataError, match="values claims to be 1,000,000 × 1,000 values of float64, but the file has"):
        read_array(tmp_path / "v.npz")
    with zipfile.ZipFile(tmp_path / "n.npz", "w") as archive:
        archive.writestr("readme.txt", "no array")
    with pytest.raises(DataError, match=r"n\.npz has no array 'values'; it has: none"):
        read_array(tmp_path / "n.npz")


def test_arrays_that_are_not_used_are_named(tmp_path: Path) -> None:
    path = tmp_path / "v.npz"
    np.savez(path, values=np.ones((2, 3)), plots=np.ones((2, 4)), ids=[5, 9], lengths=[1, 2])
    found = read_array(path)
    assert found.ids.tolist() == [5, 9]
    assert found.remarks == (f"{path}: arrays that are not used: plots, lengths",)
    np.savez(path, only=np.ones((2, 3)), ids=[5, 9])
    assert read_array(path).remarks == ()


@pytest.mark.parametrize(
    ("ids", "right"),
    [
        (["b", "a"], ["b", "a"]),
        (np.array([b"b", b"a"]), ["b", "a"]),
        ([7.0, 9.0], [7, 9]),
        (np.array([7, 9], np.uint8), [7, 9]),
        ([7.5, 9.0], [7.5, 9.0]),
    ],
)
def test_ids_are_numbers_or_texts(tmp_path: Path, ids: Any, right: list[Any]) -> None:
    np.savez(tmp_path / "v.npz", values=np.ones((2, 3)), ids=ids)
    found = read_array(tmp_path / "v.npz").ids.tolist()
    assert found == right
    assert [type(value) for value in found] == [type(value) for value in right]


@pytest.mark.parametrize(
    ("ids", "said"),
    [
        ([1, 2, 3], r"ids of shape \(3,\) hold int64; expected a number or text for each of the 2 rows"),
        ([[1, 2]], r"ids of shape \(1, 2\) hold int64"),
        ([True, False], r"ids of shape \(2,\) hold bool"),
        ([1j, 2j], r"ids of shape \(2,\) hold complex128"),
        ([1.0, np.nan], "id in row 2 is missing"),
        ([4, 4], "the id 4 has more than one row: rows 1 and 2"),
        (np.array([b"\xff", b"a"]), "ids are bytes that are not UTF-8 text"),
    ],
)
def test_ids_that_are_none_are_refused(tmp_path: Path, ids: Any, said: str) -> None:
    np.savez(tmp_path / "v.npz", values=np.ones((2, 3)), ids=ids)
    with pytest.raises(DataError, match=said) as caught:
        read_array(tmp_path / "v.npz")
    assert str(caught.value).startswith(str(tmp_path / "v.npz"))


@pytest.mark.parametrize(
    ("lengths", "said"),
    [
        ([1.5, 2.0], r"lengths of shape \(2,\) hold float64; expected whole numbers"),
        ([[1, 2]], r"lengths of shape \(1, 2\) hold int64"),
        ([1, 4], "1 of 2 sequences have a length that is not 1 to 3"),
        (np.array([1, 2**64 - 1], np.uint64), "1 of 2 sequences have a length that is not 1 to 3"),
        ([1], "there are 2 sequences, but 1 lengths"),
    ],
)
def test_lengths_that_do_not_fit_are_refused(tmp_path: Path, lengths: Any, said: str) -> None:
    np.savez(tmp_path / "v.npz", values=np.ones((2, 3, 4)), lengths=lengths)
    with pytest.raises(DataError, match=said):
        read_array(tmp_path / "v.npz")
