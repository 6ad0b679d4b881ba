"""Mutations of saved models with correct checksums, as a stranger would make them, and the use of what loads."""

import hashlib
import json
import resource
import shutil
import signal
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from scipy.sparse import csr_matrix

from recsys_ae import FeatureEncoder, Recommender, Run
from recsys_ae.errors import RecsysError
from recsys_ae.features.data.features import Features
from recsys_ae.testing.blocks import needed_features, unknown_users
from tests.features.models.curves import features_for
from tests.features.models.curves import small as small_encoder
from tests.models.blocks import block_of, features, holdout, small, training_data

RECOMMENDERS = (
    "mult_vae", "ease", "edlae", "bspm", "item_knn", "content_knn", "cease", "autorec", "cdae", "als", "bpr",
    "macrid_vae", "recvae", "vasp", "hvamp", "elsa", "popularity", "blend",
)  # fmt: skip
ENCODERS = ("vanilla", "deep", "convolutional", "recurrent", "masked", "variational", "pca", "sparse", "adversarial")
STATE, CONFIG = "state.safetensors", "config.json"
SECONDS = 20
"""Longest time of a load and its uses."""
MEBIBYTES = 1500
"""Largest growth of the memory of all loads together."""

Mutation = tuple[str, Callable[[Path], None]]


class Sample(NamedTuple):
    """Folder of a saved model, and a function that loads a folder and uses the model."""

    name: str
    folder: Path
    use: Callable[[Path], None]


def saved_recommender(name: str, home: Path) -> Sample:
    """Fit and save a small recommender, with a recipe in its notes, and item features where the model takes them."""
    spec = small(name, epochs=1)
    rated = spec.feedback == "explicit"
    data = training_data(rated=rated)
    cold = features(data.items, block_of(data)) if name in ("mult_vae", "ease") else needed_features(spec, data)
    model = Recommender(spec).fit(data, valid=holdout(data, rated=rated), item_features=cold, run=Run(device="cpu"))
    model.notes = {
        "source": {"data": "/nowhere/ratings.csv", "split": "strong", "min_rating": 4.0, "valid_users": 3},
        "fingerprint": "0123456789abcdef",
        "titles": [f"title {position}" for position in range(len(data.items))],
        "mlflow": None,
    }
    model.save(home / name)
    return Sample(name, home / name, use_recommender)


def saved_encoder(name: str, home: Path) -> Sample:
    """Fit and save a small feature encoder."""
    encoder = FeatureEncoder(small_encoder(name, epochs=1)).fit(features_for(name), run=Run(device="cpu"))
    encoder.save(home / name)
    rows = features_for(name).take(np.arange(3))
    return Sample(name, home / name, lambda folder: use_encoder(folder, rows))


def own_error(use: Callable[[], object]) -> bool:
    """Return True if a use ends in an error of the package of one short line, False if it succeeds."""
    try:
        use()
    except RecsysError as error:
        text = str(error)
        assert "\n" not in text, f"an error of several lines: {text[:200]!r}"
        assert len(text) < 2000, f"an error of {len(text):,} characters: {text[:200]!r}"
        return True
    return False


def use_recommender(folder: Path) -> None:
    model = Recommender.load(folder, device="cpu")
    width = len(model.items)
    dense = np.zeros((3, width), np.float32)
    dense[0, : width // 2] = 1
    histories = unknown_users() if width == 32 else csr_matrix(dense)
    users = model.users[: histories.shape[0]] if len(model.users) >= histories.shape[0] else None

    def cold() -> object:
        rows = features(training_data().items, block_of(training_data()))
        return model.recommend(histories, cold_items=Features(rows.matrix, rows.ids + 10**6, rows.columns))

    def recipe() -> None:
        model.recipe.read()
        raise AssertionError("the data that a stranger names were read")

    def again() -> None:
        copy = folder.with_name("again")
        shutil.rmtree(copy, ignore_errors=True)
        model.save(copy)
        Recommender.load(copy, device="cpu")

    uses: list[Callable[[], object]] = [
        lambda: model.to_frame(model.recommend(histories, 5, users=users), pd.RangeIndex(histories.shape[0])),
        lambda: model.similar(np.arange(min(3, width)), 3),
        lambda: model.predict(histories, (np.array([0, 1]), np.array([0, 1]))),
        cold,
        recipe,
        lambda: model.recipe.at("sample").threshold,
        lambda: repr(model),
        again,
    ]
    for use in uses:
        own_error(use)


def use_encoder(folder: Path, rows: Features) -> None:
    model = FeatureEncoder.load(folder, device="cpu")

    def again() -> None:
        copy = folder.with_name("again")
        shutil.rmtree(copy, ignore_errors=True)
        model.save(copy)
        FeatureEncoder.load(copy, device="cpu")

    uses: list[Callable[[], object]] = [
        lambda: model.encode(rows).to_frame(),
        lambda: model.reconstruct(rows),
        lambda: model.error(rows),
        lambda: model.sample(2),
        lambda: model.interpolate(rows.take(np.arange(2)), 3),
        lambda: repr(model),
        again,
    ]
    for use in uses:
        own_error(use)


# Writing


def seal(folder: Path, config: Any = None) -> None:
    """Write a configuration, or the present one, with the checksums of all files."""
    path = folder / CONFIG
    if config is None:
        config = json.loads(path.read_text("utf-8"))
    if isinstance(config, dict) and isinstance(config.get("checksums"), dict):
        sums = {
            file.name: hashlib.sha256(file.read_bytes()).hexdigest()
            for file in sorted(folder.iterdir())
            if file.name in config["checksums"]
            and file.name != CONFIG
            and file.is_file()
            and file.stat().st_size < 2**30
        }
        config["checksums"] = {**config["checksums"], **sums}
        config["checksums"].pop(CONFIG, None)
        try:
            text = json.dumps(config, ensure_ascii=False, sort_keys=True)
        except (RecursionError, TypeError):
            text = ""
        config["checksums"][CONFIG] = hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()
    path.write_text(dumped(config), "utf-8")


def dumped(value: Any) -> str:
    try:
        return json.dumps(value, ensure_ascii=False)
    except RecursionError:
        return "[" * 100_000


@contextmanager
def alarmed() -> Iterator[None]:
    """Raise a `TimeoutError` in the context after `SECONDS`."""

    def late(*_: object) -> None:
        raise TimeoutError(f"not done after {SECONDS} seconds")

    before = signal.signal(signal.SIGALRM, late)
    signal.setitimer(signal.ITIMER_REAL, SECONDS)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def outcome(sample: Sample, mutation: Mutation, home: Path) -> str:
    """Mutate a copy of a saved model, load and use it; return "loaded", "refused", or what went wrong."""
    folder = home / "model"
    shutil.rmtree(home, ignore_errors=True)
    shutil.copytree(sample.folder, folder)
    try:
        mutation[1](folder)
        with alarmed(), warnings.catch_warnings():
            warnings.simplefilter("error")
            return "refused" if own_error(lambda: sample.use(folder)) else "loaded"
    except Exception as error:
        return f"{sample.name}: {mutation[0]}: {type(error).__name__}: {str(error)[:300]}"


def peak() -> float:
    """Return the largest memory of this process so far, in MiB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
