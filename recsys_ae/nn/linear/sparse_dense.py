"""Products of a sparse matrix in CSR form with a dense matrix.

On a GPU there are two ways. PyTorch's ``embedding_bag`` gives a row of the sparse matrix to a few threads, which add
its entries one after another. So it waits for the longest row: an item with 40,000 users, or a user with 9,000 items.
cuSPARSE shares the entries among all threads, but needs more launches, and its last digits may change from run to run.
"""

import functools
import re
import warnings

import torch
from torch import Tensor

LONG = 16
"""Least mean number of entries of a row for cuSPARSE."""

WORK = 2**26
"""Least number of multiplications for cuSPARSE: they read 0.25 GiB of float32. An update of Mult-VAE with batches of
500 users needs fewer, if they have fewer than 220 items on average."""

UNSUPPORTED = re.compile(r"CUSPARSE_STATUS_(NOT_SUPPORTED|ARCH_MISMATCH|MATRIX_TYPE_NOT_SUPPORTED|INVALID_VALUE)")
"""Part of the message if cuSPARSE cannot multiply matrices of this kind; with too little memory it is another."""

_refused: set[torch.dtype] = set()


def product(indptr: Tensor, indices: Tensor, values: Tensor, dense: Tensor) -> Tensor | None:
    """Return the product of a sparse ``(n, width)`` and a dense ``(width, d)`` matrix, ``(n, d)``, in the dense dtype.

    It is None if ``embedding_bag`` is faster, or if cuSPARSE cannot compute it. No gradient passes.
    """
    return by_cusparse(indptr, indices, values, dense) if cusparse_is_faster(indptr, values, dense) else None


def cusparse_is_faster(indptr: Tensor, values: Tensor, dense: Tensor) -> bool:
    """Return True for many entries in long rows on a GPU; their numbers are known without a wait for it.

    It is False if PyTorch is asked for deterministic algorithms, because PyTorch uses ``CUSPARSE_SPMM_CSR_ALG2``, which
    is not deterministic: where threads share a row, they add to it in any order.
    """
    if values.device.type == "cpu" or dense.dtype in _refused or torch.are_deterministic_algorithms_enabled():
        return False
    return len(values) >= LONG * (len(indptr) - 1) and len(values) * dense.shape[1] >= WORK


def by_cusparse(indptr: Tensor, indices: Tensor, values: Tensor, dense: Tensor) -> Tensor | None:
    """Return the same product by cuSPARSE, or on the CPU by MKL; None if the library cannot compute it.

    Numbers are float64 or float32, or bf16 or fp16, which are added in float32. The first refusal of a dtype warns, and
    cuSPARSE is not asked again.
    """
    matrix = csr(indptr, indices, values.detach().to(dense.dtype), dense.shape[0])
    # Zeros, and not an empty tensor: that cuSPARSE does not read it is not documented. `torch.sparse.mm` makes two.
    result = dense.new_zeros(len(indptr) - 1, dense.shape[1])
    try:
        return torch.addmm(result, matrix, dense.detach(), beta=0, out=result)
    except RuntimeError as error:
        if not (isinstance(error, NotImplementedError) or UNSUPPORTED.search(str(error))):
            raise
        reason = str(error).partition("\n")[0]
    _refused.add(dense.dtype)
    dtype = str(dense.dtype).removeprefix("torch.")
    message = f"sparse products in {dtype} are computed without cuSPARSE, which is slower: {reason}"
    warnings.warn(message, UserWarning, stacklevel=4)
    return None


def csr(indptr: Tensor, indices: Tensor, values: Tensor, width: int) -> Tensor:
    """Return PyTorch's sparse matrix ``(n, width)`` of these arrays, which are neither copied nor checked."""
    _warn_no_more()
    return torch.sparse_csr_tensor(indptr, indices, values, size=(len(indptr) - 1, width), check_invariants=False)


@functools.cache
def _warn_no_more() -> None:
    """Suppress PyTorch's warning, given once per process, that its sparse matrices are in beta."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.sparse_csr_tensor(torch.tensor([0, 1]), torch.tensor([0]), torch.ones(1), size=(1, 1))
