"""Maps of codes by UMAP (McInnes, Healy, Melville 2018)."""

import warnings

import numpy as np

from recsys_ae.errors import MissingPackageError


def umap_map(codes: np.ndarray, *, neighbours: int = 15, seed: int = 0) -> np.ndarray:
    """Return a point in the plane for each code, ``(n, 2)`` float32; the same for the same seed.

    Raises
    ------
    MissingPackageError
        The package umap-learn is not installed.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # it warns that its variant for TensorFlow is missing
            from umap import UMAP  # noqa: PLC0415
    except ImportError as error:
        raise MissingPackageError(
            "maps of the code need the package umap-learn: pip install 'recsys-ae[study]'"
        ) from error
    near = min(neighbours, len(codes) - 1)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # it warns that a seed prevents several threads, and of numba's deprecations
        points = UMAP(n_neighbors=near, min_dist=0.1, random_state=seed, n_jobs=1).fit_transform(codes)
    return np.asarray(points, np.float32)
