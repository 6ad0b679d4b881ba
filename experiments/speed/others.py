"""Fits of other packages to the same matrices, each by the interpreter of its own environment.

    python experiments/speed/run.py --other lenskit=/path/to/python --other cornac=/path/to/python

That interpreter runs this file, which prints one line of JSON. So the file imports only NumPy and the package.
"""

import json
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np

EPOCHS = 2  # timed epochs of a network, after those that warm up


def lenskit_ease(matrix: tuple[np.ndarray, np.ndarray, int]) -> dict[str, float]:
    """Time LensKit's EASE (2025.8 or later)."""
    import pandas as pd  # noqa: PLC0415  in the package's environment, as all below
    from lenskit.data import from_interactions_df  # noqa: PLC0415
    from lenskit.knn.ease import EASEScorer  # noqa: PLC0415

    rows, columns, _ = matrix
    data = from_interactions_df(pd.DataFrame({"user_id": rows, "item_id": columns}))
    scorer = EASEScorer(regularization=500.0)
    return {"fit_seconds": _seconds(lambda: scorer.train(data))}


def cornac_ease(matrix: tuple[np.ndarray, np.ndarray, int]) -> dict[str, float]:
    """Time Cornac's EASE."""
    from cornac.models import EASE  # noqa: PLC0415

    data = _cornac_data(matrix)
    model = EASE(lamb=500, posB=False, verbose=False)
    return {"fit_seconds": _seconds(lambda: model.fit(data))}


def cornac_vaecf(matrix: tuple[np.ndarray, np.ndarray, int]) -> dict[str, float]:
    """Time an epoch of Cornac's Mult-VAE, 600-200, batches of 500, as a difference of two fits."""
    from cornac.models import VAECF  # noqa: PLC0415

    data = _cornac_data(matrix)
    settings: dict[str, Any] = {"k": 200, "autoencoder_structure": [600], "act_fn": "tanh", "likelihood": "mult"}
    settings |= {"batch_size": 500, "learning_rate": 1e-3, "beta": 0.2, "seed": 0, "use_gpu": False, "verbose": False}
    warm_up, short, long = (VAECF(n_epochs=n, **settings) for n in (1, 1, 1 + EPOCHS))
    warm_up.fit(data)  # imports PyTorch
    short_seconds = _seconds(lambda: short.fit(data))
    return {"seconds_per_epoch": (_seconds(lambda: long.fit(data)) - short_seconds) / EPOCHS}


KNOWN = {
    "lenskit": {"ease": lenskit_ease},
    "cornac": {"ease": cornac_ease, "vaecf": cornac_vaecf},
}
"""Models of each package that this benchmark can fit."""


def parse(text: str) -> tuple[str, str]:
    """Read ``name=interpreter``; refuse an unknown package or a missing interpreter."""
    name, equals_sign, interpreter = text.partition("=")
    if name not in KNOWN:
        raise SystemExit(f"--other: there is no package {name!r}; available: {', '.join(KNOWN)}")
    if not equals_sign or not Path(interpreter).is_file():
        raise SystemExit(f"--other {text}: expected {name}=/path/to/python of an environment that has {name} installed")
    return name, interpreter


def measure(name: str, model: str, interpreter: str, file: Path, threads: int | None) -> dict[str, Any]:
    """Fit another package's model in its own environment; return its timings, or the reason of a failure."""
    command = [interpreter, str(Path(__file__).absolute()), name, model, str(file)]
    environment = {**os.environ, **({} if threads is None else {"OMP_NUM_THREADS": str(threads)})}
    process = subprocess.run(command, capture_output=True, text=True, env=environment, check=False)
    if process.returncode:
        reason = (process.stderr.strip().splitlines() or [f"exit code {process.returncode}"])[-1]
        return {"refused": reason}
    timings: dict[str, Any] = json.loads(process.stdout.strip().splitlines()[-1])
    return timings


def _cornac_data(matrix: tuple[np.ndarray, np.ndarray, int]) -> Any:
    from cornac.data import Dataset  # noqa: PLC0415

    rows, columns, _ = matrix
    return Dataset.from_uir([(str(row), str(column), 1.0) for row, column in zip(rows, columns, strict=True)], seed=0)


def _seconds(work: Any) -> float:
    started = time.perf_counter()
    work()
    return time.perf_counter() - started


def _peak_mib() -> float | None:
    status = Path("/proc/self/status")
    lines = status.read_text(encoding="ascii").splitlines() if status.exists() else []
    return next((int(line.split()[1]) / 1024 for line in lines if line.startswith("VmHWM")), None)


def main(name: str, model: str, file: str) -> None:
    """Fit a model to the training matrix in a file of `shapes.make`; print its timings as JSON."""
    with np.load(file) as stored:
        indptr, columns, n_items = stored["train_indptr"], stored["train_indices"], int(stored["items"])
    rows = np.repeat(np.arange(len(indptr) - 1), np.diff(indptr))
    timings: dict[str, Any] = KNOWN[name][model]((rows, columns, n_items))
    print(json.dumps({**timings, "peak_mib": _peak_mib()}))


if __name__ == "__main__":
    main(*sys.argv[1:])
