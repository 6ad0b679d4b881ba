"""Fingerprint of data sets and splits: a short hash of ids and matrices."""

import hashlib
import json
from typing import Any

import numpy as np
from scipy.sparse import csr_matrix

from recsys_ae.data.parsing import Ids


def fingerprint(*contents: Ids | csr_matrix | np.ndarray | None) -> str:
    """Return 16 hexadecimal digits of the SHA-256 of ids, with their types, and of all entries of matrices.

    It depends neither on the platform nor on how ids and positions are stored.
    """
    digest = hashlib.sha256()
    for content in contents:
        if content is None:
            digest.update(b"none")
        elif isinstance(content, csr_matrix):
            matrix = content if content.has_sorted_indices else content.sorted_indices()
            for array, dtype in ((matrix.indptr, "<i8"), (matrix.indices, "<i8"), (matrix.data, "<f4")):
                digest.update(np.ascontiguousarray(array, dtype).data)
        elif isinstance(content, np.ndarray):
            digest.update(json.dumps(content.shape).encode())
            digest.update(np.ascontiguousarray(content, "<f4").data)
        else:
            # JSON keeps 1, 1.0 and "1" apart, and delimits ids of any content.
            digest.update(json.dumps(content.tolist(), default=_plain).encode())
    return digest.hexdigest()[:16]


def _plain(value: Any) -> Any:
    if isinstance(value, np.generic):
        return value.item()
    raise TypeError(f"an id of type {type(value).__name__} is neither text nor a number")
