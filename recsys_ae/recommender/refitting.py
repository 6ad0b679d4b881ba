"""Refit on all users: a model that has no held-out users left, trained to the epoch that its fit kept."""

import dataclasses
from pathlib import Path

import torch

from recsys_ae.data.interactions import Interactions
from recsys_ae.data.recipe import DataRecipe
from recsys_ae.data.splits.holdout import Split
from recsys_ae.data.splits.joined import joined
from recsys_ae.errors import DataError
from recsys_ae.features.data.features import Features
from recsys_ae.models.blend import BlendNetwork
from recsys_ae.nn.checkpoints.settings import Checkpoint
from recsys_ae.nn.runtime import Run
from recsys_ae.recommender.metadata import REFIT
from recsys_ae.recommender.recommender import Recommender
from recsys_ae.recommender.refit_members import refit_members
from recsys_ae.recommender.refit_plan import Plan


def refit(
    model: Recommender,
    data: Interactions | Split | None = None,
    *,
    item_features: Features | None = None,
    run: Run | None = None,
    checkpoint: Checkpoint | Path | str | None = None,
) -> Recommender:
    """Return the model fitted again on all users: those of its fit, and the validation and test users.

    The hyper-parameters stay. Nothing is held out, so the training ends with the epoch that the fit kept; so does each
    member of a blend, whose weights stay. Schedules go by the planned ``epochs`` as before, with more updates in each
    epoch, because there are more users. A fit without validation users kept its last epoch.

    Parameters
    ----------
    model
        Fitted model; it stays as it is.
    data
        All interactions. The default are those of the data recipe, with its filters; the items are then all items of
        the filtered data, also those that only held-out users interacted with. A `Split` gives the interactions of its
        three parts, on its own items.
    item_features
        Features of items; needed if the model was fitted with them.
    run
        Run settings. The default is the seed of the fit. Another seed is also another one for each member of a blend.
    checkpoint
        As in `Recommender.fit`.

    Returns
    -------
    Recommender
        The new model. ``metadata["refit"]`` says what it was made from: the split, the kept epoch, and the validation
        metrics before the refit. Its notes are the recipe of the data.

    Raises
    ------
    UnsupportedError
        If the model was refitted already, or was saved by an early version, without the epochs of its training.
    DataError
        If the data have changed since the fit, or the model was fitted on data without a recipe and none are given.
    ConfigError
        If item features are missing or were not part of the fit.
    """
    plan = Plan.of(model)
    plan.refuse_other_features(item_features)
    interactions = everybody(model.recipe) if data is None else joined_parts(data)
    return carry_out(plan, interactions, item_features, run or Run(seed=plan.seed), checkpoint)


def carry_out(
    plan: Plan,
    interactions: Interactions,
    item_features: Features | None,
    run: Run,
    checkpoint: Checkpoint | Path | str | None,
) -> Recommender:
    """Return the refitted model, from the plan alone: the fitted model need not be in memory. See `refit`."""
    plan.refuse_other_features(item_features)
    run = dataclasses.replace(run, last_epochs=plan.last_epochs)
    if plan.has_own_members:
        refitted = refit_members(plan, interactions, item_features, run, checkpoint)
    else:
        seed_of_features = plan.seed_of_features
        of_fit = item_features if seed_of_features is None else None
        refitted = Recommender(plan.spec).fit(interactions, item_features=of_fit, run=run, checkpoint=checkpoint)
        if seed_of_features is not None and item_features is not None:
            refitted.fit_cold_items(interactions, item_features, run=dataclasses.replace(run, seed=seed_of_features))
    if isinstance(refitted.network, BlendNetwork):
        weights = torch.tensor(plan.weights, dtype=torch.float64)
        refitted.network.weights.copy_(weights)  # exactly, because a division by their sum may round
    refitted.metadata[REFIT] = plan.record()
    return refitted


def everybody(recipe: DataRecipe, *, cache: bool = False) -> Interactions:
    """Return all interactions of a recipe after its filters; a `DataError` if the data have changed since a fit."""
    recipe.split(cache=cache)
    return recipe.unsplit().read(cache=cache).split().train


def joined_parts(data: Interactions | Split) -> Interactions:
    """Return the interactions of all parts of a split, on its items; interactions as they are."""
    if isinstance(data, Interactions):
        return data
    if not isinstance(data, Split):
        raise DataError(f"data must be Interactions or a Split, not {type(data).__name__}")
    everything = data.train
    for part in (data.valid, data.test):
        if part is not None:
            held_out = Interactions(part.histories + part.targets, part.users, data.train.items)
            everything = joined(everything, held_out)
    return everything
