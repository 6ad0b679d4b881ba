"""Cost of checkpoints: bytes, seconds to write one, share of the time, and seconds to go on, for each trained model.

    python experiments/reliability/checkpoint_costs.py

Recommenders have their default hyper-parameters and the shape of ML-1M, or its data if ``RECSYS_AE_DATA`` names a
folder with them. Autoencoders of features have pictures of 28 × 28. Each fit is interrupted after a few updates, and
resumed.
"""

import json
import os
import signal
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

os.environ.setdefault("OMP_NUM_THREADS", "1")
HERE = Path(__file__).parent
sys.path.insert(0, str(HERE.parent))

import numpy as np  # noqa: E402
import pandas as pd  # noqa: E402
from measured import machine  # noqa: E402  in the parent folder

from recsys_ae import FeatureEncoder, Features, Recommender, Run, load_dataset, models  # noqa: E402
from recsys_ae.data.filters import MinRating, apply  # noqa: E402
from recsys_ae.data.synthetic.generate import synthesize  # noqa: E402
from recsys_ae.features import models as autoencoders  # noqa: E402
from recsys_ae.features.nn.contract import TrainableFeatureSpec  # noqa: E402
from recsys_ae.nn.checkpoints import session  # noqa: E402
from recsys_ae.nn.checkpoints.settings import Checkpoint  # noqa: E402
from recsys_ae.nn.model import PAPER  # noqa: E402
from recsys_ae.nn.training.model import TrainableSpec  # noqa: E402
from recsys_ae.spec.hyper import build  # noqa: E402
from recsys_ae.storage.atomic import write_text  # noqa: E402

UPDATES, REPEATS = 3, 5
EXTRA = {"autorec": {"optimizer": "lbfgs"}, "deep": {"pretrain_epochs": 1}}
"""Settings of second rows, with their own kind of state."""


def main() -> None:
    """Measure every model and print the table."""
    rows = [*_encoders(), *_recommenders()]
    folder = HERE / "results"
    folder.mkdir(exist_ok=True)
    write_text(folder / "checkpoint_costs.json", json.dumps({"machine": machine(), "rows": rows}, indent=1))
    print(f"{machine()}\n\n{table(rows)}")


def table(rows: list[dict[str, Any]]) -> str:
    """Format the costs as a Markdown table."""
    lines = ["| model | MB | seconds to write | share of the time at the default interval | seconds to go on |"]
    lines.append("|---|---|---|---|---|")
    for row in rows:
        share = row["write"] / (60 * Checkpoint(path="").minutes)
        cells = [f"{row['bytes'] / 1e6:.1f}", f"{row['write']:.3f}", f"{share:.4%}", f"{row['read']:.3f}"]
        lines.append(f"| {row['model']} | {' | '.join(cells)} |")
    return "\n".join(lines)


def _recommenders() -> Iterator[dict[str, Any]]:
    ratings = (
        load_dataset("ml-1m") if "RECSYS_AE_DATA" in os.environ else synthesize(6_040, 3_706, 1_000_209)
    ).interactions
    likes = apply(ratings, MinRating(4))
    for name in models.names():
        kind = models.spec_class(name)
        if issubclass(kind, TrainableSpec):
            for settings in ({}, *([EXTRA[name]] if name in EXTRA else [])):
                spec = build(kind, {**kind.presets.get(PAPER, {}), **settings})
                data = ratings if spec.feedback == "explicit" else likes
                yield _costs(_title(name, settings), lambda: Recommender(spec), data)  # noqa: B023  called at once


def _encoders() -> Iterator[dict[str, Any]]:
    rows = np.random.default_rng(0).random((2_000, 28 * 28), dtype=np.float32)
    ids, columns = pd.RangeIndex(len(rows)), pd.RangeIndex(rows.shape[1])
    images = Features(rows, ids, columns, (1, 28, 28))
    sequences = Features(rows, ids, columns, (28, 28), np.full(len(rows), 28))
    for name in autoencoders.names():
        kind = autoencoders.spec_class(name)
        if issubclass(kind, TrainableFeatureSpec):
            for settings in ({}, *([EXTRA[name]] if name in EXTRA else [])):
                spec = build(kind, settings)
                data = sequences if name == "recurrent" else images
                yield _costs(_title(name, settings), lambda: FeatureEncoder(spec), data)  # noqa: B023


def _title(name: str, settings: dict[str, Any]) -> str:
    return " ".join([name, *(f"{key}={value}" for key, value in settings.items())])


def _costs(title: str, make: Callable[[], Any], data: Any) -> dict[str, Any]:
    print(title, file=sys.stderr, flush=True)
    writes, reads = [], []
    with tempfile.TemporaryDirectory(prefix="checkpoints-") as folder:
        settings = Checkpoint(path=Path(folder) / "model.checkpoint", minutes=0)
        for _ in range(REPEATS):
            with _timed("_write") as written, _timed("__init__") as read, _timed("_restore") as restored:
                _interrupted(make(), data, settings)
            writes += written[:1]
            reads += [sum(read) + sum(restored)] if restored else []
        size = sum(file.stat().st_size for file in settings.folder.iterdir())
    return {"model": title, "bytes": size, "write": float(np.median(writes)), "read": float(np.median(reads))}


def _interrupted(model: Any, data: Any, settings: Checkpoint) -> None:
    """Fit a model until a few updates are done, and interrupt it."""
    count = 0

    def progress(_: Any) -> None:
        nonlocal count
        count += 1
        if count == UPDATES:
            signal.raise_signal(signal.SIGINT)

    with suppress(KeyboardInterrupt):
        model.fit(data, run=Run(device="cpu", threads=1, progress=progress), checkpoint=settings)


@contextmanager
def _timed(name: str) -> Iterator[list[float]]:
    """Measure the calls of a method of the checkpoints in the context."""
    seconds: list[float] = []
    genuine = getattr(session.Checkpoints, name)

    def measured(*arguments: Any) -> Any:
        started = time.perf_counter()
        try:
            return genuine(*arguments)
        finally:
            seconds.append(time.perf_counter() - started)

    setattr(session.Checkpoints, name, measured)
    try:
        yield seconds
    finally:
        setattr(session.Checkpoints, name, genuine)


if __name__ == "__main__":
    signal.signal(signal.SIGINT, signal.default_int_handler)
    main()
