"""Trials: equal to plain fits, failures as rows, and trainings that end early."""

import dataclasses
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from recsys_ae import Recommender, models
from recsys_ae.models import EDLAE, AutoRec
from recsys_ae.nn import capacity
from recsys_ae.nn.model import Stats
from recsys_ae.testing.blocks import training_data
from recsys_ae.tuning import journal
from recsys_ae.tuning.fit_trial import Circumstances, carry_out
from recsys_ae.tuning.material import Material
from recsys_ae.tuning.measuring import measured
from recsys_ae.tuning.pruning import Curve, Rival
from recsys_ae.tuning.ranges import Space
from recsys_ae.tuning.trial import Trial
from tests.models.blocks import small
from tests.single_thread import single_thread  # noqa: F401
from tests.tuning.small import CPU, DAE, METRIC, carried_out, proposal_of, split_of

EASE: dict[str, Any] = {"l2": 5.0}


def saved(folder: Path) -> Recommender:
    return Recommender.load(folder / journal.MODEL)


def assert_equal(one: Recommender, other: Recommender) -> None:
    """Compare the tensors of two models to the bit."""
    states = one.network.state_dict(), other.network.state_dict()
    assert states[0].keys() == states[1].keys()
    for name, tensor in states[0].items():
        assert torch.equal(tensor, states[1][name]), name


def best_values(folder: Path, trial: Trial) -> Any:
    return journal.read_curve(folder, trial.epochs or 1).best


@pytest.mark.parametrize(
    ("model", "settings"),
    [("ease", EASE), ("als", {"iterations": 2}), ("item_knn", {}), ("popularity", {}), ("mult_dae", DAE),
     ("mult_vae", {**DAE, "patience": 2}), ("elsa", {"epochs": 4, "latent": 4, "batch_size": 16})],
)  # fmt: skip
def test_a_trial_is_the_plain_fit_with_its_settings(tmp_path: Path, model: str, settings: dict[str, Any]) -> None:
    proposal = proposal_of(model, **settings)
    trial = carried_out(proposal, tmp_path)
    split = split_of()
    plain = Recommender(proposal.spec(METRIC)).fit(split.train, valid=split.valid, run=CPU)
    assert (trial.status, trial.settings) == ("complete", settings), trial.reason
    assert_equal(saved(tmp_path), plain)
    values = measured(plain, split, METRIC)
    assert np.array_equal(best_values(tmp_path, trial), values)
    assert trial.value == pytest.approx(values.mean(), abs=1e-12)
    assert trial.standard_error == pytest.approx(values.std(ddof=1) / np.sqrt(10))
    if plain.history.best is not None and trial.epochs:
        assert trial.epoch == plain.history.best.epoch
        assert trial.value == plain.history.best.value


def test_a_free_hyper_parameter_gives_the_model_of_a_fit_with_it(tmp_path: Path) -> None:
    trial = carried_out(proposal_of("edlae", l2=5.0), tmp_path)
    found = Space.of("edlae").free["popularity_discount"]
    discount = trial.settings["popularity_discount"]
    assert found.low <= discount <= found.high
    split = split_of()
    plain = Recommender(EDLAE(l2=5.0, popularity_discount=discount)).fit(split.train, valid=split.valid, run=CPU)
    assert saved(tmp_path).spec == plain.spec
    assert_equal(saved(tmp_path), plain)
    assert np.array_equal(best_values(tmp_path, trial), measured(plain, split, METRIC))
    for other in (found.low, found.high):
        fitted = Recommender(EDLAE(l2=5.0, popularity_discount=other)).fit(split.train, run=CPU)
        assert measured(fitted, split, METRIC).mean() <= (trial.value or 0) + 1e-12


def test_a_default_is_a_baseline_and_stays_as_it_is(tmp_path: Path) -> None:
    trial = carried_out(proposal_of("edlae", is_default=True), tmp_path)
    assert trial.settings == {}
    assert saved(tmp_path).spec == EDLAE().resolved(Stats(split_of().train.matrix))


def test_frozen_choices_of_a_free_hyper_parameter(tmp_path: Path) -> None:
    overrides = {"popularity_discount": {"choices": [0.25, 0.375]}}
    trial = carried_out(proposal_of("edlae", l2=5.0), tmp_path, overrides=overrides)
    assert trial.settings["popularity_discount"] in (0.0, 0.25, 0.375)


def test_a_diverging_training_is_a_row_with_its_reason(tmp_path: Path) -> None:
    trial = carried_out(proposal_of("mult_dae", **{**DAE, "lr": 1e30}), tmp_path)
    assert (trial.status, trial.value) == ("failed", None)
    assert "most likely the learning rate is too high" in trial.reason
    assert "\n" not in trial.reason
    assert not (tmp_path / journal.MODEL).exists()


@pytest.mark.parametrize(
    ("error", "said"),
    [(ValueError("two\nlines"), "ValueError: two lines"), (RuntimeError(), "RuntimeError: RuntimeError"),
     (MemoryError(), "MemoryError: MemoryError"), (torch.OutOfMemoryError("CUDA out of memory"), "out of memory"),
     (ZeroDivisionError("x" * 9999), "ZeroDivisionError: xxx"), (KeyError("a"), "KeyError: 'a' is missing")],
)  # fmt: skip
def test_a_model_that_raises_anything_is_a_row(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: Exception, said: str
) -> None:
    def fail(*_: object) -> None:
        raise error

    monkeypatch.setattr(models.EASE, "build", fail)
    trial = carried_out(proposal_of("ease", **EASE), tmp_path)
    assert trial.status in ("failed", "refused")
    assert said in trial.reason
    assert len(trial.reason) < 400


@pytest.mark.parametrize("error", [KeyboardInterrupt, SystemExit])
def test_an_interruption_is_no_row(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: type[BaseException]) -> None:
    def fail(*_: object) -> None:
        raise error

    monkeypatch.setattr(models.EASE, "build", fail)
    with pytest.raises(error):
        carried_out(proposal_of("ease", **EASE), tmp_path)


def test_a_model_that_does_not_fit_the_memory_is_refused_with_numbers(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(capacity, "free_memory", lambda device: 100)
    trial = carried_out(proposal_of("ease", **EASE), tmp_path)
    assert (trial.status, trial.value) == ("refused", None)
    assert "GiB" in trial.reason or "MiB" in trial.reason
    assert trial.memory > 0


def test_a_training_ends_with_its_best_epoch_when_the_time_is_up(tmp_path: Path) -> None:
    settings = {**DAE, "epochs": 100_000}
    circumstances = Circumstances(deadline=time.monotonic() + 1.5)
    trial = carried_out(proposal_of("mult_dae", **settings), tmp_path, circumstances=circumstances)
    assert trial.status == "stopped"
    assert trial.reason.startswith("the time was up after ")
    assert trial.seconds < 10
    model = saved(tmp_path)
    assert trial.epoch == model.history.best.epoch  # type: ignore[union-attr]
    assert trial.value == model.history.best.value  # type: ignore[union-attr]
    assert np.array_equal(best_values(tmp_path, trial), measured(model, split_of(), METRIC))


def test_a_deadline_in_the_past_leaves_the_first_epoch(tmp_path: Path) -> None:
    trial = carried_out(proposal_of("mult_dae", **DAE), tmp_path, circumstances=Circumstances(deadline=0.0))
    assert (trial.status, trial.epoch) == ("stopped", 1)


def test_a_pruned_training_keeps_its_values(tmp_path: Path) -> None:
    n_users = len(split_of().valid.users)  # type: ignore[union-attr]
    rival = Rival(1, Curve(8, {4: np.full(n_users, 2.0)}))
    trial = carried_out(proposal_of("mult_dae", **DAE), tmp_path, circumstances=Circumstances(rival=rival))
    assert trial.status == "pruned"
    assert trial.reason.startswith("after 4 of 8 epochs ")
    assert trial.epoch is not None
    assert trial.epoch <= 4
    assert best_values(tmp_path, trial).mean() == pytest.approx(trial.value)


def test_a_worse_model_is_not_saved(tmp_path: Path) -> None:
    proposal, folder = proposal_of("ease", **EASE), tmp_path / journal.MODEL
    assert carried_out(proposal, tmp_path, circumstances=Circumstances(kept=0.9999)).value is not None
    assert not folder.exists()
    default = dataclasses.replace(proposal, is_default=True)
    carried_out(default, tmp_path, circumstances=Circumstances(kept=0.9999))
    assert folder.exists()


def test_values_of_an_interrupted_trial_do_not_mix_with_the_new_ones(tmp_path: Path) -> None:
    proposal = proposal_of("mult_dae", **DAE)
    undisturbed = carried_out(proposal, tmp_path)
    curve = journal.read_curve(tmp_path, 8)
    future = np.full(10, 9.0)
    journal.write_curve(tmp_path, Curve(8, dict(curve.at), future, 7, future, 8))
    again = carried_out(proposal, tmp_path)
    assert again.value == undisturbed.value
    assert np.array_equal(best_values(tmp_path, again), curve.best)  # type: ignore[arg-type]
    (tmp_path / journal.VALUES).write_bytes(b"PK\3\4 cut off")
    assert carried_out(proposal, tmp_path).value == undisturbed.value


def test_errors_of_ratings_are_measured_for_each_user(tmp_path: Path) -> None:
    from recsys_ae.data.splits.split import split_interactions

    split = split_interactions(training_data(rated=True), seed=1)
    material = Material(split, None, "rmse", CPU)
    spec = small("autorec", epochs=4)
    settings = {name: getattr(spec, name) for name in ("epochs", "batch_size", "latent", "l2", "lr")}
    trial = carry_out(proposal_of("autorec", **settings), Space.of("autorec"), material, Circumstances(), tmp_path)
    assert trial.status == "complete", trial.reason
    plain = Recommender(AutoRec(**settings)).fit(split.train, valid=split.valid, run=CPU)
    assert_equal(saved(tmp_path), plain)
    assert trial.value == plain.history.best.value  # type: ignore[union-attr]
    assert np.array_equal(best_values(tmp_path, trial), measured(plain, split, "rmse"), equal_nan=True)
