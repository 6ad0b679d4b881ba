"""Mutated saved models with correct checksums: each is refused by one line of the package, or works."""

import random
from pathlib import Path

import pytest

from tests.single_thread import single_thread  # noqa: F401
from tests.storage.mutated import (
    ENCODERS,
    MEBIBYTES,
    RECOMMENDERS,
    Sample,
    outcome,
    peak,
    saved_encoder,
    saved_recommender,
)
from tests.storage.mutations import all_of

QUICK = ("mult_vae", "bspm", "autorec", "content_knn", "blend", "convolutional", "recurrent", "pca")
FEW, MANY = 40, 150
"""Mutations of each model in all tests, and in those of the night."""


@pytest.fixture(scope="module")
def saved(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Sample]:
    home = tmp_path_factory.mktemp("saved")
    return {name: (saved_encoder if name in ENCODERS else saved_recommender)(name, home) for name in QUICK}


@pytest.fixture(scope="module")
def every(saved: dict[str, Sample], tmp_path_factory: pytest.TempPathFactory) -> dict[str, Sample]:
    home = tmp_path_factory.mktemp("every")
    recommenders = {name: saved_recommender(name, home) for name in RECOMMENDERS if name not in saved}
    return {**saved, **recommenders, **{name: saved_encoder(name, home) for name in ENCODERS if name not in saved}}


def assert_refused_or_works(name: str, samples: dict[str, Sample], count: int, home: Path) -> None:
    sample, rng = samples[name], random.Random(name)
    others = rng.sample([other for other in samples.values() if other.name != name], 5)
    assert outcome(sample, ("nothing", lambda _: None), home) == "loaded"
    before = peak()
    outcomes = [outcome(sample, mutation, home) for mutation in rng.sample(all_of(sample, others, rng), count)]
    assert [text for text in outcomes if text not in ("loaded", "refused")] == []
    assert {"loaded", "refused"} <= set(outcomes)
    assert peak() - before < MEBIBYTES


@pytest.mark.parametrize("name", QUICK)
def test_a_mutated_model_is_refused_or_works(name: str, saved: dict[str, Sample], tmp_path: Path) -> None:
    """320 mutations."""
    assert_refused_or_works(name, saved, FEW, tmp_path / "work")


@pytest.mark.nightly
@pytest.mark.parametrize("name", [*RECOMMENDERS, *ENCODERS])
def test_many_mutations_of_each_model_are_refused_or_work(name: str, every: dict[str, Sample], tmp_path: Path) -> None:
    """4,050 mutations."""
    assert_refused_or_works(name, every, MANY, tmp_path / "work")
