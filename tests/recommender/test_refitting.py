"""Refit: all users, the kept epoch, schedules, blends, item features, checkpoints, and refusals."""

import dataclasses
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pandas as pd
import pytest
import torch

from recsys_ae import Checkpoint, DataRecipe, Interactions, Recommender, Run, blend, split_users
from recsys_ae.data.splits.split import Split, split_interactions
from recsys_ae.errors import ConfigError, DataError, NotFittedError, UnsupportedError
from recsys_ae.models import EASE, Blend, MultDAE, MultVAE
from recsys_ae.nn.model import Model, Shape, Spec, Stats
from recsys_ae.recommender.recommender import Recommender as Fitted
from recsys_ae.recommender.refitting import refit
from recsys_ae.spec.hyper import hp
from recsys_ae.testing.blocks import block_of, features
from recsys_ae.testing.resuming import Interrupter
from recsys_ae.tracking import NoTracker
from tests.models.blocks import small, training_data
from tests.single_thread import single_thread  # noqa: F401

CPU = Run(device="cpu")


@dataclass(frozen=True, kw_only=True)
class Wordy(Spec):
    """EASE with a penalty that is computed from the data."""

    l2: float | Literal["auto"] = hp("auto", "penalty; auto is the mean count of an item", low=0)

    def resolved(self, stats: Stats) -> "Wordy":
        return self if self.l2 != "auto" else dataclasses.replace(self, l2=float(stats.items.mean()))

    def build(self, shape: Shape) -> Model:
        assert not isinstance(self.l2, str)
        return EASE(l2=self.l2).build(shape)


DAE = MultDAE(epochs=7, batch_size=16, latent=4, lr=0.02, lr_schedule="cosine", ema_decay=0.5, patience=2)


@pytest.fixture
def split() -> Split:
    """Return 40 training, 10 validation and 10 test users."""
    return split_users(training_data(), n_valid=10, n_test=10, seed=1)


def assert_equal(one: Fitted, other: Fitted) -> None:
    """Compare the tensors of two models to the bit."""
    states = one.network.state_dict(), other.network.state_dict()
    assert states[0].keys() == states[1].keys()
    for name, tensor in states[0].items():
        assert torch.equal(tensor, states[1][name]), name


def written(folder: Path, **options: Any) -> DataRecipe:
    """Write the interactions of 60 users with times to a file, and return a recipe of it."""
    data = training_data()
    table = pd.DataFrame({"user": data.rows, "item": data.items[data.matrix.indices], "rating": 5})
    table["timestamp"] = 1_000_000_000 + np.arange(len(table)) * 7 % len(table) * 86_400
    table.to_csv(folder / "data.csv", index=False)
    return DataRecipe(data=str(folder / "data.csv"), min_user_items=0, **options)


# All users


@pytest.mark.parametrize("kind", ["strong", "weak", "leave-last", "time", "none"])
def test_the_recipe_gives_all_users_and_items_of_the_filtered_data(tmp_path: Path, kind: str) -> None:
    recipe = written(tmp_path, split_kind=kind, min_item_users=2)
    split = recipe.split()
    model = Recommender(EASE(l2=5)).fit(split.train, valid=split.valid, run=CPU)
    again = refit(model, run=CPU)
    data = recipe.unsplit().read().data
    assert_equal(again, Recommender(EASE(l2=5)).fit(data, run=CPU))
    assert (again.metadata["users"], again.items.tolist()) == (data.shape[0], data.items.tolist())
    assert again.recipe == recipe.unsplit().read().recipe
    left = again.recipe.split()
    assert (left.test, left.valid) == (None, None)
    record = again.metadata["refit"]
    assert record["split_fingerprint"] == split.fingerprint
    assert record["users"] == split.train.shape[0]


def test_a_given_test_part_is_joined(tmp_path: Path) -> None:
    recipe = written(tmp_path)
    table = pd.read_csv(tmp_path / "data.csv")
    is_test = np.arange(len(table)) % 5 == 0
    table[~is_test].to_csv(tmp_path / "base.csv", index=False)
    table[is_test].to_csv(tmp_path / "test.csv", index=False)
    given = DataRecipe(
        data=str(tmp_path / "base.csv"), test_data=str(tmp_path / "test.csv"), split_kind="given", min_user_items=0
    )
    part = given.split()
    model = Recommender(EASE(l2=5)).fit(part.train, valid=part.valid, run=CPU)
    again = refit(model, run=CPU)
    assert_equal(again, Recommender(EASE(l2=5)).fit(recipe.read().data, run=CPU))
    assert again.recipe.split().train.nnz == len(table)


def test_a_split_of_ratings_keeps_all_ratings(tmp_path: Path) -> None:
    data = training_data(rated=True)
    table = pd.DataFrame({"user": data.rows, "item": data.items[data.matrix.indices], "rating": data.matrix.data})
    table.to_csv(tmp_path / "ratings.csv", index=False)
    recipe = DataRecipe(data=str(tmp_path / "ratings.csv"), split_kind="ratings")
    split = recipe.split()
    spec = small("autorec", epochs=4)
    again = refit(Recommender(spec).fit(split.train, valid=split.valid, run=CPU), run=CPU)
    everything = recipe.unsplit().read().data
    assert np.unique(everything.matrix.data).tolist() == [1, 2, 4, 5]
    assert again.metadata["interactions"] == len(table)
    assert len(again.users) == everything.shape[0]  # parameters of each user


def test_the_parts_of_a_split_are_joined(split: Split) -> None:
    model = Recommender(EASE(l2=5)).fit(split.train, valid=split.valid, run=CPU)
    again = refit(model, split, run=CPU)
    assert_equal(again, Recommender(EASE(l2=5)).fit(training_data(), run=CPU))
    weak = split_interactions(training_data(), seed=1)
    assert refit(Recommender(EASE()).fit(weak.train, run=CPU), weak).metadata["interactions"] == training_data().nnz


# The kept epoch


def kept(model: Fitted) -> int:
    assert model.history.best is not None
    return model.history.best.epoch


def test_it_ends_with_the_kept_epoch_and_schedules_keep_their_total(split: Split) -> None:
    """Compared with a training that a function stops, and that knows nothing of a last epoch."""
    model = Recommender(MultVAE(**_plain(DAE), anneal=0.9)).fit(split.train, valid=split.valid, run=CPU)
    last, everybody = kept(model), training_data()
    assert last < 7
    again = refit(model, everybody, run=CPU)
    expected = Recommender(model.spec).fit(
        everybody, run=dataclasses.replace(CPU, stop=lambda history: len(history) >= last)
    )
    assert_equal(again, expected)
    assert len(again.history) == last
    whole = Recommender(dataclasses.replace(model.spec, epochs=last)).fit(everybody, run=CPU)
    assert not torch.equal(*(next(iter(one.network.state_dict().values())) for one in (again, whole)))


def test_updates_are_as_many_as_the_users_need(split: Split, monkeypatch: pytest.MonkeyPatch) -> None:
    steps: list[tuple[int, int]] = []
    from recsys_ae.models import mult_dae

    loss = mult_dae.MultDAENetwork.loss

    def watched(self: Any, x: Any, step: Any) -> Any:
        steps.append((step.update, step.total))
        return loss(self, x, step)

    model = Recommender(DAE).fit(split.train, valid=split.valid, run=CPU)
    monkeypatch.setattr(mult_dae.MultDAENetwork, "loss", watched)
    refit(model, training_data(), run=CPU)
    assert steps == [(update, 7 * 4) for update in range(kept(model) * 4)]  # 60 users in batches of 16


def test_progress_counts_up_to_the_kept_epoch(split: Split) -> None:
    model = Recommender(DAE).fit(split.train, valid=split.valid, run=CPU)
    seen: list[tuple[int, int]] = []
    refit(model, split, run=dataclasses.replace(CPU, progress=lambda at: seen.append((at.epoch, at.epochs))))
    assert seen[-1] == (kept(model), kept(model))


def test_the_seed_is_that_of_the_fit_and_two_refits_are_equal(split: Split) -> None:
    model = Recommender(DAE).fit(split.train, valid=split.valid, run=Run(seed=5, device="cpu"))
    first, second, other = refit(model, split), refit(model, split), refit(model, split, run=Run(seed=6, device="cpu"))
    assert_equal(first, second)
    assert first.metadata["seed"] == 5
    assert not torch.equal(*(next(iter(one.network.state_dict().values())) for one in (first, other)))


def test_the_fitted_model_stays_as_it_is(split: Split) -> None:
    model = Recommender(DAE).fit(split.train, valid=split.valid, run=CPU)
    before = {name: tensor.clone() for name, tensor in model.network.state_dict().items()}
    metadata, epochs = dict(model.metadata), len(model.history)
    refit(model, split, run=CPU)
    assert model.metadata == metadata
    assert len(model.history) == epochs
    assert all(torch.equal(tensor, before[name]) for name, tensor in model.network.state_dict().items())


def test_words_are_computed_again_from_all_data(split: Split) -> None:
    model = Recommender(Wordy()).fit(split.train, valid=split.valid, run=CPU)
    again, expected = refit(model, training_data(), run=CPU), Recommender(Wordy()).fit(training_data(), run=CPU)
    assert again.spec == expected.spec != model.spec
    assert again.metadata["rules"] == {"l2": "auto"}


def test_a_saved_refit_is_loaded_with_its_record(split: Split, tmp_path: Path) -> None:
    Recommender(DAE).fit(split.train, valid=split.valid, run=CPU).save(tmp_path / "model")
    again = refit(Recommender.load(tmp_path / "model", device="cpu"), split, run=CPU)
    again.save(tmp_path / "again")
    loaded = Recommender.load(tmp_path / "again", device="cpu")
    assert loaded.metadata["refit"] == again.metadata["refit"]
    assert_equal(loaded, again)
    with pytest.raises(UnsupportedError, match="refitted on all users already; refit the model it was made from"):
        refit(loaded, split)


def test_the_tracker_is_not_told_twice(split: Split) -> None:
    """A fit without validation users does not know its split, which its caller has told the tracker."""
    told: list[dict[str, Any]] = []

    class Notebook(NoTracker):
        def parameters(self, values: Mapping[str, Any]) -> None:
            told.append(dict(values))

    run = dataclasses.replace(CPU, tracker=Notebook())
    refit(Recommender(DAE).fit(split.train, valid=split.valid, run=CPU), split, run=run)
    refit(blend(fitted_members(split)), split, run=run)
    names = [name for values in told for name in values]
    assert "last_epochs" in names
    assert "split_fingerprint" not in names


# Blends


def test_members_of_a_blend_keep_their_epochs_and_weights(split: Split) -> None:
    members = ("ease l2=5", "mult_dae epochs=7 batch_size=16 latent=4 lr=0.02", "mult_dae epochs=5 latent=3 lr=0.05")
    model = Recommender(Blend(members=members)).fit(split.train, valid=split.valid, run=CPU)
    epochs = [member["kept_epoch"] for member in model.metadata["members"]]
    assert epochs[0] is None
    again = refit(model, split, run=CPU)
    assert again.metadata["last_epochs"] == epochs
    weights = [one.network.get_buffer("weights").tolist() for one in (model, again)]
    assert weights[0] == weights[1]
    for position, (spec, epoch) in enumerate(zip(model.spec.specs, epochs, strict=True)):
        alone = Recommender(spec).fit(  # type: ignore[arg-type]
            training_data(), run=dataclasses.replace(CPU, last_epochs=() if epoch is None else (epoch,))
        )
        member = again.network.get_submodule(f"members.{position}")
        for name, tensor in alone.network.state_dict().items():
            assert torch.equal(tensor, member.state_dict()[name]), (position, name)


def fitted_members(split: Split, *, all_epochs: bool = False) -> list[Fitted]:
    """Return a model twice, with two seeds, and a closed form."""
    runs: Sequence[tuple[Any, int]] = (DAE, 3), (EASE(l2=5), 0), (DAE, 4)
    return [
        Recommender(spec).fit(split.train, valid=None if all_epochs else split.valid, run=Run(seed=seed, device="cpu"))
        for spec, seed in runs
    ]


def test_members_that_were_fitted_one_by_one_keep_their_seeds(split: Split, tmp_path: Path) -> None:
    models = fitted_members(split)
    blend(models, split.valid, weights=(0.5, 0.2, 0.3)).save(tmp_path / "blend")
    again = refit(Recommender.load(tmp_path / "blend", device="cpu"), split)
    for position, model in enumerate(models):
        alone, member = refit(model, split), again.network.get_submodule(f"members.{position}")
        for name, tensor in alone.network.state_dict().items():
            assert torch.equal(tensor, member.state_dict()[name]), (position, name)
    assert again.network.get_buffer("weights").tolist() == pytest.approx([0.5, 0.2, 0.3])
    assert again.metadata["member_seeds"] == [3, 0, 4]
    other = refit(blend(models), split, run=Run(seed=13, device="cpu"))
    assert other.metadata["member_seeds"] == [13, 10, 14]


def test_a_blend_of_refitted_models_is_no_refit(split: Split) -> None:
    models = [refit(model, split) for model in fitted_members(split)]
    assert not {"refit", "last_epochs"} & blend(models).metadata.keys()


# Item features


def test_features_are_needed_again_if_the_fit_had_them(split: Split) -> None:
    told = features(split.train.items, block_of(split.train))
    plain = Recommender(DAE).fit(split.train, valid=split.valid, run=CPU)
    model = Recommender(DAE).fit(split.train, valid=split.valid, item_features=told, run=CPU)
    again = refit(model, split.train, item_features=told, run=CPU)
    assert_equal(again, model)
    assert again.feature_columns == model.feature_columns
    with pytest.raises(ConfigError, match=r"fitted with item features, .* give them again as item_features"):
        refit(model, split)
    with pytest.raises(ConfigError, match="fitted without item features; leave out item_features"):
        refit(plain, split, item_features=told)
    fewer = dataclasses.replace(told, matrix=told.matrix[:, :2], columns=told.columns[:2])
    with pytest.raises(DataError, match="have 2 columns and those of the fit 5; they differ in f2, f3, f4"):
        refit(model, split, item_features=fewer)
    mixed = blend([model, Recommender(EASE()).fit(split.train, run=CPU)])
    with pytest.raises(ConfigError, match="give them again as item_features"):
        refit(mixed, split)
    assert refit(mixed, split, item_features=told).metadata["members"][0]["item_vectors"]


def test_features_that_were_learnt_after_the_fit_are_so_again(split: Split) -> None:
    told = features(split.train.items, block_of(split.train))
    model = Recommender(DAE).fit(split.train, valid=split.valid, run=CPU)
    model.fit_cold_items(split.train, told, run=Run(seed=9, device="cpu"))
    again = refit(model, split.train, item_features=told, run=CPU)
    assert_equal(again, model)
    cold = dataclasses.replace(told, ids=pd.Index([f"new {i}" for i in range(len(told))]))
    lists = [one.recommend(split.train.matrix[:5], 5, cold_items=cold) for one in (model, again)]
    np.testing.assert_array_equal(lists[0].items, lists[1].items)


# Checkpoints


@pytest.mark.parametrize("how", ["one model", "blend", "blend of fitted models"])
def test_an_interrupted_refit_goes_on_bit_for_bit(split: Split, tmp_path: Path, how: str) -> None:
    """The interruptions are in the first epoch, in a later one, and in a later member."""
    if how == "blend of fitted models":
        model = blend(fitted_members(split, all_epochs=True), split.valid)
    else:
        members = ("mult_dae epochs=7 batch_size=16 latent=4", "ease l2=5", "mult_dae epochs=6 batch_size=16 latent=3")
        spec = DAE if how == "one model" else Blend(members=members)
        model = Recommender(spec).fit(split.train, run=CPU)
    undisturbed = refit(model, split, run=CPU)
    checkpoint = Checkpoint(path=tmp_path / "checkpoint", minutes=0)
    for updates in (1, 2, 20) if how == "one model" else (1, 2, 20, 10, 3, 2):
        with pytest.raises(KeyboardInterrupt):
            refit(model, split, run=dataclasses.replace(CPU, progress=Interrupter(updates)), checkpoint=checkpoint)
    resumed = refit(model, split, run=CPU, checkpoint=checkpoint)
    assert_equal(resumed, undisturbed)
    assert (tmp_path / "checkpoint").exists()
    resumed.save(tmp_path / "model")
    assert not (tmp_path / "checkpoint").exists()


def test_a_checkpoint_of_another_last_epoch_is_refused(split: Split, tmp_path: Path) -> None:
    model = Recommender(DAE).fit(split.train, valid=split.valid, run=CPU)
    interrupted = dataclasses.replace(CPU, progress=Interrupter(1))
    with pytest.raises(KeyboardInterrupt):
        refit(model, split.train, run=interrupted, checkpoint=Checkpoint(path=tmp_path / "c", minutes=0))
    with pytest.raises(ConfigError, match=re.escape(f"last epochs [{kept(model)}], not None")):
        Recommender(DAE).fit(split.train, run=CPU, checkpoint=tmp_path / "c")


# Refusals


def test_a_model_that_was_not_fitted_is_refused(split: Split) -> None:
    with pytest.raises(NotFittedError):
        refit(Recommender(EASE()), split)


def test_a_model_without_the_epochs_of_its_training_is_refused(split: Split) -> None:
    model = Recommender(DAE).fit(split.train, valid=split.valid, run=CPU)
    mixed = blend([model, Recommender(EASE()).fit(split.train, run=CPU)])
    for facts in mixed.metadata["members"]:
        del facts["kept_epoch"]
    model.history.clear()
    model.history.best = None
    for early in (model, mixed):
        with pytest.raises(UnsupportedError, match=r"does not say which epoch its training kept.*; fit it again"):
            refit(early, split)
    closed = blend([Recommender(EASE(l2=l2)).fit(split.train, run=CPU) for l2 in (5, 50)])
    del closed.metadata["members"]
    assert refit(closed, split).metadata["refit"]["kept_epochs"] == [None, None]


def test_a_model_of_data_in_memory_needs_data(split: Split) -> None:
    model = Recommender(EASE()).fit(split.train, run=CPU)
    with pytest.raises(DataError, match="has no data recipe"):
        refit(model)
    with pytest.raises(DataError, match="data must be Interactions or a Split, not str"):
        refit(model, "data.csv")  # type: ignore[arg-type]


def test_data_that_have_changed_are_refused(tmp_path: Path) -> None:
    recipe = written(tmp_path)
    model = Recommender(EASE()).fit(recipe.split().train, run=CPU)
    table = pd.read_csv(tmp_path / "data.csv")
    table[:-1].to_csv(tmp_path / "data.csv", index=False)
    with pytest.raises(DataError, match="the data have changed since"):
        refit(model)


@pytest.mark.parametrize("epochs", [(0,), (3, -1)])
def test_a_last_epoch_is_at_least_one(epochs: tuple[int, ...]) -> None:
    with pytest.raises(ConfigError, match="last_epochs"):
        Run(last_epochs=epochs)


def _plain(spec: MultDAE) -> dict[str, Any]:
    names = ("epochs", "batch_size", "latent", "lr", "lr_schedule", "ema_decay", "patience")
    return {name: getattr(spec, name) for name in names}


def test_interactions_are_taken_as_they_are(split: Split) -> None:
    data: Interactions = split.train
    model = Recommender(EASE()).fit(data, run=CPU)
    assert refit(model, data).metadata["train_fingerprint"] == model.metadata["train_fingerprint"]
