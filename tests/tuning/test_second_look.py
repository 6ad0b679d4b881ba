"""Second look at the best settings: who takes part, on whom, and what it decides."""

import dataclasses
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy.sparse import csr_matrix

from recsys_ae import Recommender, split_users
from recsys_ae.data.interactions import Interactions
from recsys_ae.data.splits.split import Split, split_interactions
from recsys_ae.errors import ArtefactError, TrainingError
from recsys_ae.evaluation.evaluate import evaluate
from recsys_ae.testing.blocks import block_of, features, training_data
from recsys_ae.tuning import second_look, tune
from recsys_ae.tuning.journal import FOLDS, Journal, write_curve
from recsys_ae.tuning.material import Material
from recsys_ae.tuning.pruning import Curve
from recsys_ae.tuning.trial import Trial
from tests.single_thread import single_thread  # noqa: F401
from tests.tuning.small import CPU, METRIC, RANGES, split_of, trial_of

N_USERS = 12


def noisy_split(seed: int = 0) -> Split:
    """Return a split of users with weak tastes, on whom models differ."""
    generator = np.random.default_rng(seed)
    tastes = generator.normal(size=(150, 3)) @ generator.normal(size=(3, 40)) + generator.normal(size=40)
    seen = generator.random((150, 40)) < 1 / (1 + np.exp(1.5 - tastes))
    return split_users(Interactions.from_matrix(csr_matrix(seen.astype(np.float32))), n_valid=20, n_test=20, seed=1)


def journal_of(folder: Path, trials: Sequence[Trial]) -> Journal:
    """Return a journal in which the users vary much, and their differences between trials little."""
    journal = Journal(folder, N_USERS)
    common = np.random.default_rng(0).normal(0, 0.3, N_USERS)
    for trial in trials:
        own = np.random.default_rng(trial.number).normal(0, 0.01, N_USERS)
        place = journal.place(trial.number)
        place.mkdir(parents=True)
        write_curve(place, Curve(1, best=(trial.value or 0.0) + common + own, best_epoch=1))
    return journal


def searched(out: Path, split: Split | None = None, **options: Any) -> Any:
    given: dict[str, Any] = {"models": ("popularity", "ease", "edlae"), "run": CPU, "trials": 9, **options}
    return tune(split or noisy_split(2), out=out, **given)


def slow(result: Any, folder: Path, split: Split) -> dict[int, float]:
    """Return the mean of each finalist over the validation users and the groups, fitted one by one."""
    means = {}
    folds = second_look.folds_of(split, 0)
    for trial in second_look.finalists(result.trials, Journal(folder, len(split.valid.users)), METRIC):  # type: ignore[union-attr]
        spec = trial.proposal.spec(METRIC)
        parts = [split, *folds]
        values = [
            evaluate(Recommender(spec).fit(part.train, run=CPU), part.valid, [METRIC]).values[METRIC]  # type: ignore[arg-type]
            for part in parts
        ]
        means[trial.number] = float(np.concatenate(values).mean())
    return means


@pytest.mark.parametrize("seed", range(1, 5))
def test_the_winner_is_best_on_all_users(seed: int, tmp_path: Path) -> None:
    split = noisy_split(seed)
    result = searched(tmp_path, split)
    means = slow(result, tmp_path, split)
    assert len(means) > 1
    assert result.best.number == max(means, key=lambda number: means[number])
    (remark,) = [remark for remark in result.remarks if "second look" in remark]
    assert f"trial {result.best.number} has {METRIC} {means[result.best.number]:.4f}" in remark
    spec = result.best.proposal.spec(METRIC)
    assert split.test is not None
    again = Recommender(spec).fit(split.train, run=CPU)
    assert np.array_equal(result.model.score(split.test.histories), again.score(split.test.histories))
    assert result.valid.baseline == result.best.model


def test_settings_worse_than_the_best_default_are_not_finalists(tmp_path: Path) -> None:
    default = trial_of(2, is_default=True, value=0.5)
    better, worse = trial_of(3, value=0.501), trial_of(4, value=0.499)
    journal = journal_of(tmp_path, [default, better, worse])
    assert second_look.finalists([default, better, worse], journal, METRIC) == [better, default]


def test_settings_that_are_clearly_worse_are_not_finalists(tmp_path: Path) -> None:
    trials = [trial_of(number, value=0.5 - 0.002 * number) for number in range(1, 4)]
    far = trial_of(9, value=0.45)
    journal = journal_of(tmp_path, [*trials, far])
    assert second_look.finalists([far, *trials], journal, METRIC) == trials


def test_there_are_no_more_finalists_than_said(tmp_path: Path) -> None:
    trials = [trial_of(number, value=0.5) for number in range(1, 30)]
    journal = journal_of(tmp_path, trials)
    assert second_look.finalists(trials, journal, METRIC) == trials[: second_look.FINALISTS]


def test_a_training_that_is_best_is_not_looked_at_again(tmp_path: Path) -> None:
    trained, closed = trial_of(1, "mult_dae", value=0.6, epochs=5, epoch=5), trial_of(2, value=0.59)
    journal = journal_of(tmp_path, [trained, closed])
    assert second_look.finalists([trained, closed], journal, METRIC) == []
    assert second_look.finalists([trial_of(1, value=None, status="failed")], journal, METRIC) == []
    second = [closed, dataclasses.replace(trained, value=0.589), trial_of(3, value=0.588)]
    near = journal_of(tmp_path / "near", second)
    assert [trial.number for trial in second_look.finalists(second, near, METRIC)] == [2, 3]


def test_groups_are_as_large_as_the_validation_users_if_half_of_the_training_users_are_left() -> None:
    for n_valid, expected in ((5, 5), (10, 8), (20, 6), (54, None)):
        split = split_users(training_data(), n_valid=n_valid, n_test=1, seed=1)
        folds = second_look.folds_of(split, 0)
        sizes = [len(fold.valid.users) for fold in folds if fold.valid is not None]
        assert sizes == ([] if expected is None else [expected] * second_look.FOLDS)


def test_validation_users_who_are_training_users_have_no_groups() -> None:
    assert second_look.folds_of(split_interactions(training_data(), seed=1), 0) == []


def test_users_without_targets_make_no_groups() -> None:
    split = noisy_split()
    starts = split.train.matrix.indptr[:-1][np.diff(split.train.matrix.indptr) > 0]
    first = np.isin(np.arange(split.train.nnz), starts)
    one_each = dataclasses.replace(split, train=split.train.take(first))
    assert second_look.folds_of(one_each, 0) == []


def test_test_users_are_in_no_group() -> None:
    split = noisy_split()
    assert split.test is not None
    for fold in second_look.folds_of(split, 0):
        assert fold.valid is not None
        for users in (fold.valid.users, fold.train.users):
            assert not users.isin(split.test.users).any()
            assert users.isin(split.train.users).all()


def test_what_was_measured_is_not_measured_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fits = []

    def counted(self: Recommender, *args: Any, **options: Any) -> Recommender:
        fits.append(self.spec)
        if len(fits) == 14:
            raise KeyboardInterrupt
        return original(self, *args, **options)

    original = Recommender.fit
    whole = searched(tmp_path / "whole")
    monkeypatch.setattr(Recommender, "fit", counted)
    with pytest.raises(KeyboardInterrupt):
        searched(tmp_path / "cut")
    known = list((tmp_path / "cut").glob(f"trials/*/{FOLDS}"))
    assert known
    fits.clear()
    fits.extend([None] * 14)  # type: ignore[list-item]
    result = searched(tmp_path / "cut")
    n_finalists = len(list((tmp_path / "whole").glob(f"trials/*/{FOLDS}")))
    assert len(fits) - 14 < second_look.FOLDS * n_finalists
    assert (result.best.number, result.remarks) == (whole.best.number, whole.remarks)
    before = len(fits)
    assert searched(tmp_path / "cut").best.number == whole.best.number
    assert len(fits) == before


def test_finalists_for_whom_there_is_no_time_are_left_out(tmp_path: Path) -> None:
    result = searched(tmp_path)
    trials = [dataclasses.replace(trial, seconds=10.0) for trial in result.trials]
    material = Material(noisy_split(2), None, METRIC, CPU)
    journal = Journal(tmp_path, 20)
    everybody = second_look.look_again(trials, journal, material, None)
    assert everybody is not None
    now = time.monotonic()
    two = second_look.look_again(trials, journal, material, now + 10.0 * second_look.FOLDS * 2.5)
    assert two is not None
    assert list(two.values) == list(everybody.values)[:2]
    assert second_look.look_again(trials, journal, material, now + 10.0 * second_look.FOLDS * 1.5) is None
    assert second_look.look_again(trials, journal, material, now) is None


def test_settings_that_cannot_be_fitted_again_are_left_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    result = searched(tmp_path)
    material, journal = Material(noisy_split(2), None, METRIC, CPU), Journal(tmp_path, 20)
    chosen = second_look.finalists(result.trials, journal, METRIC)
    assert len(chosen) > 2
    for path in tmp_path.glob(f"trials/*/{FOLDS}"):
        path.unlink()
    original = second_look._measured

    def failing(trial: Trial, *others: Any) -> Any:
        if trial.number == chosen[0].number:
            raise TrainingError("l2 is too small")
        return original(trial, *others)

    monkeypatch.setattr(second_look, "_measured", failing)
    look = second_look.look_again(result.trials, journal, material, None)
    assert look is not None
    assert list(look.values) == [trial.number for trial in chosen[1:]]


def test_models_of_item_features_are_looked_at_again(tmp_path: Path) -> None:
    split = split_of()
    given = features(split.train.items, block_of(split.train))
    result = searched(tmp_path, split, models=("cease",), item_features=given, trials=9)
    chosen = [dataclasses.replace(result.best, number=number) for number in (1, 2)]
    for trial in chosen:
        fold = second_look.folds_of(split, 0)[0]
        material = Material(split, given, METRIC, CPU)
        assert np.isfinite(second_look._measured(trial, fold, material)).any()
    assert result.best.model == "cease"


def test_a_damaged_file_of_the_second_look_is_named(tmp_path: Path) -> None:
    searched(tmp_path)
    path = sorted(tmp_path.glob(f"trials/*/{FOLDS}"))[0]
    path.write_bytes(path.read_bytes()[:40])
    with pytest.raises(ArtefactError, match=FOLDS):
        searched(tmp_path)


def test_trainings_are_judged_by_the_validation_users_alone(tmp_path: Path) -> None:
    result = searched(tmp_path, models=("mult_dae",), ranges=RANGES, trials=3)
    assert not list(tmp_path.glob(f"trials/*/{FOLDS}"))
    assert result.best.value == max(trial.value for trial in result.trials if trial.value is not None)
