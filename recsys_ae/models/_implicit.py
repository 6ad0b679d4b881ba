"""Helpers for models fitted by the package implicit."""

import contextlib
from collections.abc import Callable, Iterator

from scipy.sparse import csr_matrix

from recsys_ae.errors import MissingPackageError
from recsys_ae.nn.rows import Rows
from recsys_ae.nn.runtime import Progress, Run


@contextlib.contextmanager
def needed(package: str, by: str) -> Iterator[None]:
    """Turn a failed import inside the context into an error that names the package to install."""
    try:
        yield
    except ImportError as error:
        raise MissingPackageError(f"{by} needs the package {package}; install it") from error


@contextlib.contextmanager
def one_blas_thread() -> Iterator[None]:
    """Limit BLAS to one thread inside the context: many small products are faster, and equal on every machine."""
    with needed("threadpoolctl", "a limit on threads"):
        from threadpoolctl import threadpool_limits  # noqa: PLC0415
    with threadpool_limits(1, "blas"):
        yield


def matrix(rows: Rows) -> csr_matrix:
    """Return the rows as a SciPy matrix of float32 without stored zeros."""
    arrays = (rows.values.cpu().numpy(), rows.indices.cpu().numpy(), rows.indptr.cpu().numpy())
    result = csr_matrix(arrays, shape=(len(rows), rows.width), copy=True)
    result.eliminate_zeros()
    return result


def reporting(run: Run, epochs: int, n_rows: int) -> Callable[..., None]:
    """Return a callback that reports an epoch as done; its first argument counts epochs from 0."""

    def report(epoch: int, *_: object) -> None:
        if run.progress is not None:
            run.progress(Progress(epoch + 1, epochs, n_rows, n_rows, {}))

    return report
