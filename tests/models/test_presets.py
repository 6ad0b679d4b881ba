"""Presets and defaults that depend on the data."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.sparse import csr_matrix

from recsys_ae import Recommender, Run, models
from recsys_ae.errors import ConfigError
from recsys_ae.models import BPR, BSPM, EASE, EDLAE, Blend, Popularity
from recsys_ae.nn.model import AUTO, PAPER, Shape, Spec, Stats
from recsys_ae.spec.hyper import alternatives, describe, flatten
from recsys_ae.testing.blocks import training_data
from tests.single_thread import single_thread  # noqa: F401

EARLIER = json.loads((Path(__file__).parents[1] / "compatibility" / "defaults_0_1_0.json").read_text("utf-8"))
"""Defaults of version 0.1.0, which were the papers'."""
NAMES = models.names()
STATS = Stats(csr_matrix(np.ones((4, 3), np.float32)))


def spec_of(name: str) -> type[Spec]:
    return models.spec_class(name)


@pytest.mark.parametrize("name", sorted(EARLIER))
def test_the_papers_settings_are_the_defaults_of_the_first_version(name: str) -> None:
    cls = spec_of(name)
    values = flatten(cls.paper() if cls.presets else cls())
    assert {field: values[field] for field in EARLIER[name]} == EARLIER[name]
    added = {one.name: one.default for one in describe(cls) if one.name not in EARLIER[name]}
    assert {field: values[field] for field in added} == added


@pytest.mark.parametrize("name", NAMES)
def test_a_preset_holds_what_differs_from_the_defaults(name: str) -> None:
    cls = spec_of(name)
    defaults = {one.name: one.default for one in describe(cls)}
    assert set(cls.presets) <= {PAPER}
    for values in cls.presets.values():
        assert all(values[field] != defaults[field] for field in values)
        assert AUTO not in values.values()


@pytest.mark.parametrize("name", NAMES)
def test_a_hyper_parameter_may_be_a_word_if_there_is_a_rule_for_it(name: str) -> None:
    cls = spec_of(name)
    assert {one.name for one in describe(cls) if alternatives(one.type)[1] == (AUTO,)} == set(cls.rules)
    resolved = flatten(cls().resolved(STATS))
    assert AUTO not in {value for value in resolved.values() if isinstance(value, str)}
    numbers: dict[str, Any] = dict.fromkeys(cls.rules, 1)
    if numbers:
        assert cls(**numbers).resolved(STATS) == cls(**numbers)


@pytest.mark.parametrize("name", [name for name in NAMES if spec_of(name).presets])
def test_the_defaults_fit_small_data(name: str) -> None:
    cls = spec_of(name)
    given = {one.name: one.default for one in describe(cls)}
    rated = cls.feedback == "explicit"
    data = training_data(rated=rated)
    short: dict[str, Any] = {field: 3 for field in ("epochs", "latent") if field in given}
    model = Recommender(cls(**short)).fit(data, run=Run(device="cpu"))
    assert AUTO not in [value for value in flatten(model.spec).values() if isinstance(value, str)]
    assert np.isfinite(model.score(data.matrix[:5], users=data.users[:5] if model.knows_users else None)).all()


def test_a_preset_is_changed_by_name() -> None:
    assert EASE.paper() == EASE(l2=500)
    assert EASE.paper(dtype="float32") == EASE(l2=500, dtype="float32")
    assert EDLAE.preset("paper", l2=7) == EDLAE(l2=7, dropout=0.33, user_discount=0, scaling=0, popularity_discount=0)
    assert EDLAE.paper(rank=5).rank == 5


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda: EASE.preset("papre"), "ease has no preset 'papre'; did you mean 'paper'? known: paper"),
        (lambda: EASE.paper(l3=1), "EASE has no hyper-parameter 'l3'"),
        (lambda: EASE.paper(l2=-1), "l2 = -1.0 is out of bounds"),
        (Popularity.paper, "popularity has no preset 'paper'; it has none"),
        (lambda: EASE(l2="automatic"), "l2 = 'automatic'"),
    ],
)
def test_wrong_presets_are_one_clear_line(make: Any, said: str) -> None:
    with pytest.raises(ConfigError) as caught:
        make()
    assert said in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_network_is_not_built_from_words() -> None:
    with pytest.raises(ConfigError, match="still 'auto'; call resolved"):
        EASE().memory(Shape(3, 3))


@settings(max_examples=50, deadline=None)
@given(st.lists(st.lists(st.booleans(), min_size=3, max_size=3), min_size=1, max_size=9))
def test_users_per_interaction_is_a_mean_over_interactions(rows: list[list[bool]]) -> None:
    dense = np.array(rows, np.float32)
    counts = dense.sum(axis=0)
    slow = [counts[item] for _, item in zip(*np.nonzero(dense), strict=True)]
    assert Stats(csr_matrix(dense)).users_per_interaction == pytest.approx(np.mean(slow) if slow else 0.0)


@pytest.mark.parametrize(
    ("users", "items", "of_user", "latent", "iterations", "user_l2"),
    [
        (4, 3, 3, 32, 34, 0.02),  # few interactions
        (400, 300, 100, 40, 34, 0.3),  # 40,000: 0.2 · 200; 45 · 100 / (400/3); long histories
        (400, 1000, 25, 32, 100, 0.062),  # more items of a user than users of an item; 0.3 · (25/55)²
        (2000, 50, 10, 32, 10, 0.02),  # many users of each item
    ],
)
def test_rules_count_interactions_items_and_users(
    users: int, items: int, of_user: int, latent: int, iterations: int, user_l2: float
) -> None:
    columns = (np.arange(users)[:, None] * of_user + np.arange(of_user)) % items
    rows = np.repeat(np.arange(users), of_user)
    stats = Stats(csr_matrix((np.ones(rows.size), (rows, columns.ravel())), shape=(users, items)))
    assert BSPM().resolved(stats).latent == latent
    found = BPR().resolved(stats)
    assert (found.iterations, found.user_l2) == (iterations, user_l2)


def test_the_saved_spec_holds_the_number(tmp_path: Path) -> None:
    data = training_data()
    counts = data.matrix.getnnz(axis=0).astype(float)
    model = Recommender(EASE()).fit(data, run=Run(device="cpu"))
    assert isinstance(model.spec, EASE)
    assert model.spec.l2 == round(min(500.0, 3 * float((counts**2).sum() / counts.sum())), 1)
    assert model.metadata["rules"] == {"l2": AUTO}
    model.save(tmp_path / "model")
    assert Recommender.load(tmp_path / "model").spec == model.spec
    assert json.loads((tmp_path / "model" / "config.json").read_text("utf-8"))["spec"]["l2"] == model.spec.l2


def test_edlae_at_low_rank_has_no_discounts() -> None:
    assert EDLAE(rank=2).resolved(STATS) == EDLAE(rank=2, user_discount=0, scaling=0, popularity_discount=0)
    with pytest.raises(ConfigError, match="are for full rank, not rank = 2"):
        EDLAE(rank=2, scaling=0.5)


def test_a_saved_blend_does_not_depend_on_later_defaults(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    blend = Blend(members=("ease l2=3", "mult_dae latent=5 hidden=7/6", "popularity"))
    stored = json.loads(json.dumps(blend.stored()))
    assert Blend.of_stored(stored) == blend
    for member, spec in zip(stored["members"], blend.specs, strict=True):
        assert all(f"{one.name}=" in member for one in describe(type(spec)))


def test_a_blend_of_an_earlier_version_has_its_defaults() -> None:
    stored = {"members": ["edlae l2=20", "mult_vae latent=3"], "weights": [], "scale": "rank", "monitor": "ndcg@100"}
    edlae, vae = Blend.of_stored(stored).specs
    assert edlae == EDLAE.paper(l2=20)
    assert {**flatten(vae), "latent": 200} == EARLIER["mult_vae"]
