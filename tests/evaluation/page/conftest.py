"""Three fitted models of one split, and what a report measures of them."""

import numpy as np
import pytest

from recsys_ae import Recommender, Run, Split, split_users
from recsys_ae.evaluation.page.contents import Contents, Model
from recsys_ae.evaluation.page.measurement import Measurement
from recsys_ae.evaluation.slices import activity
from recsys_ae.metrics import BEYOND, Catalog
from recsys_ae.models import EASE, MultDAE, Popularity
from recsys_ae.testing.blocks import training_data

RUN = Run(device="cpu", threads=1)
METRICS = ("ndcg@5", "recall@3", *(f"{name.partition('@')[0]}@5" for name in BEYOND))


@pytest.fixture(scope="session")
def split() -> Split:
    return split_users(training_data(), n_valid=10, n_test=30, seed=1)


@pytest.fixture(scope="session")
def fitted(split: Split) -> dict[str, Recommender]:
    specs = {"ease": EASE(l2=5.0), "popular": Popularity(), "dae": MultDAE(hidden=(), latent=4, epochs=4)}
    return {name: Recommender(spec).fit(split.train, valid=split.valid, run=RUN) for name, spec in specs.items()}


@pytest.fixture(scope="session")
def measurement(split: Split) -> Measurement:
    assert split.test is not None
    titles = [f"Title {item} <b>&amp;" if item % 2 else None for item in range(split.train.shape[1])]
    groups = {"activity": activity(split.test), "parity": activity(split.test) % 2}
    return Measurement(split.test, METRICS, Catalog(split.train.matrix), split.valid, groups, titles=titles)


@pytest.fixture(scope="session")
def models(fitted: dict[str, Recommender], measurement: Measurement) -> list[Model]:
    rng = np.random.default_rng(0)
    top = rng.permuted(np.tile(np.arange(12), (len(measurement.rows), 1)), axis=1)
    measured = [measurement.model(name, model, command=f"recsys-ae fit {name}") for name, model in fitted.items()]
    return [*measured, measurement.lists("other", measured[1].report, top)]


@pytest.fixture(scope="session")
def contents(models: list[Model], measurement: Measurement) -> Contents:
    return Contents.of(
        models,
        baseline="popular",
        title="Three models & <others>",
        part="test users",
        selected_by="10 validation users",
        users=measurement.users(),
        facts={"Command": "recsys-ae report a b --out 'x y.html'"},
    )
