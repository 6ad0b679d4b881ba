"""Checks of the files of saved models: kinds and sizes of files, depth of JSON, ids."""

import os
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from recsys_ae.errors import ArtefactError
from recsys_ae.storage import checks

JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**70), 2**70) | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner, max_size=4),
    max_leaves=20,
)
DTYPES = st.sampled_from(
    ["int64", "float64", "object", "str", "string", "bool", "Int64", "uint8", "category", "M8[ns]"]
)


@given(JSON | st.fixed_dictionaries({"dtype": JSON | DTYPES, "values": JSON | st.lists(JSON, max_size=6)}))
def test_ids_are_an_index_of_different_ids_or_refused(stored: Any) -> None:
    try:
        index = checks.ids(stored, "items.json")
    except ArtefactError:
        return
    assert index.is_unique
    assert not index.hasnans
    assert index.tolist() == stored["values"]
    assert set(map(type, index.tolist())) <= {str, int, float, bool}


@given(st.lists(st.integers(-(2**63), 2**63 - 1) | st.text(), unique_by=str, max_size=8))
def test_ids_come_back(ids: list[Any]) -> None:
    index: pd.Index[Any] = pd.Index(ids, dtype=object).infer_objects() if ids else pd.Index([], dtype=object)
    again = checks.ids({"dtype": str(index.dtype), "values": index.tolist()}, "items.json")
    assert again.tolist() == index.tolist()
    assert again.dtype == index.dtype


@pytest.mark.parametrize("text", ["[" * 65 + "]" * 65, "[" * 10**6, '{"a":' * 100 + "1" + "}" * 100, "[NaN]", "1e999",
                                  '{"a": -Infinity}', "[1, 2", "", "\x00", "[[1e400]]", "9" * 5000])  # fmt: skip
def test_json_is_shallow_and_finite(text: str, tmp_path: Path) -> None:
    with pytest.raises(ArtefactError, match=r"notes.json is damaged: .*; restore it from a copy, or fit") as caught:
        checks.parsed(tmp_path / "notes.json", text.encode())
    assert len(str(caught.value)) < 1000


def test_json_may_be_as_deep_as_any_metadata(tmp_path: Path) -> None:
    text = "[" * checks.DEPTH + "]" * checks.DEPTH
    assert checks.parsed(tmp_path / "notes.json", text.encode())
    checks.refuse_deep({"a": (1, [2.5, {"b": None}])})


@pytest.mark.parametrize("kind", ["folder", "pipe", "device", "link to a folder"])
def test_what_is_no_file_is_refused_at_once(kind: str, tmp_path: Path) -> None:
    path = tmp_path / "config.json"
    {"folder": path.mkdir, "pipe": lambda: os.mkfifo(path), "device": lambda: path.symlink_to("/dev/zero"),
     "link to a folder": lambda: path.symlink_to(tmp_path)}[kind]()  # fmt: skip
    descriptors = len([*Path("/proc/self/fd").iterdir()])
    with pytest.raises(ArtefactError, match=r"config.json is damaged: it is no file"):
        checks.content(path)
    assert len([*Path("/proc/self/fd").iterdir()]) == descriptors


def test_a_file_may_be_a_link_and_no_larger_than_allowed(tmp_path: Path) -> None:
    (tmp_path / "blob").write_bytes(b"12345")
    (tmp_path / "notes.json").symlink_to("blob")
    assert checks.content(tmp_path / "notes.json", 5) == b"12345"
    with pytest.raises(ArtefactError, match="it has 5 bytes, but a saved model has at most 4 there"):
        checks.content(tmp_path / "notes.json", 4)


def test_a_long_header_of_tensors_is_refused_unread(tmp_path: Path) -> None:
    path = tmp_path / "state.safetensors"
    with path.open("wb") as file:
        file.write((2**40).to_bytes(8, "little"))
        file.truncate(2**41)
    with pytest.raises(ArtefactError, match=r"is damaged: its header has 1,099,511,627,776 bytes"):
        checks.refuse_large(path, None)
    with pytest.raises(ArtefactError, match=r"needs 2,048.0 GiB of memory, and 1.0 GiB are free"):
        checks.refuse_large(path, 2**30)


def test_an_error_is_shown_in_one_short_line() -> None:
    assert checks.brief("a\n\tb  c") == "a b c"
    assert checks.brief(KeyError("users")) == "'users' is missing"
    assert checks.brief(RuntimeError()) == "RuntimeError"
    assert len(checks.brief("x" * 10**6)) < 400
