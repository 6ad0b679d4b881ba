"""Recommender: fits any model to interactions, recommends items, and saves and loads the model."""

import dataclasses
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Self

import numpy as np
import pandas as pd
import torch
from scipy.sparse import csr_matrix, issparse
from torch.nn import functional

from recsys_ae.cold_start import cold_start
from recsys_ae.cold_start.cold_start import ColdStart
from recsys_ae.cold_start.extended import Extended
from recsys_ae.data.filters import MinRating
from recsys_ae.data.id_matching import match, mismatch
from recsys_ae.data.inputs.matrices import canonical
from recsys_ae.data.interactions import Column, Ids, Interactions
from recsys_ae.data.origin import with_origin
from recsys_ae.data.parsing import shown
from recsys_ae.data.recipe import DataRecipe
from recsys_ae.data.splits.holdout import histories_of
from recsys_ae.data.splits.split import Holdout
from recsys_ae.data.table_rows import Missing
from recsys_ae.errors import (
    Argument,
    ConfigError,
    DataError,
    NotFittedError,
    UnsupportedError,
    arguments_named,
    renamed,
)
from recsys_ae.features.data.features import Features
from recsys_ae.nn.checkpoints import files as checkpoint_files
from recsys_ae.nn.checkpoints.settings import Checkpoint
from recsys_ae.nn.history import History
from recsys_ae.nn.model import Model, Spec
from recsys_ae.nn.rows import Rows
from recsys_ae.nn.runtime import Run
from recsys_ae.ranking import rank as ranking
from recsys_ae.ranking import recommendations
from recsys_ae.ranking.candidates import Candidates, Filter, at_least_1, places
from recsys_ae.ranking.recommendations import Recommendations
from recsys_ae.recommender import preflight
from recsys_ae.recommender.fitting import fitted
from recsys_ae.recommender.metadata import FEATURES_LATER
from recsys_ae.recommender.state import Fitted


class Recommender:
    """Recommender model: fit it to interactions, then recommend items for the histories of any users.

    Histories are a sparse matrix ``(n, n_items)``, one row per user, with the model's items (`items`) as columns. A row
    may belong to any user, known or unknown. A row without known items gets the most popular items.

    Some models learn parameters of each training user (the user vectors of CDAE, the output weights of item-based
    AutoRec). Give them the ids of the rows as ``users``, so that they use these parameters. Rows without an id, and ids
    that are not in the training data, are unknown users. All other models ignore the ids.

    Parameters
    ----------
    spec
        Hyper-parameters, which also select the model: ``Recommender(MultVAE(latent=200))``. See `recsys_ae.models`.

    Examples
    --------
    >>> model = Recommender(EASE()).fit(split.train, valid=split.valid)
    >>> items, scores = model.recommend(split.test.histories, k=10)
    >>> model.save("models/ease")
    >>> model = Recommender.load("models/ease")
    """

    spec: Spec
    """Hyper-parameters. After a fit, those that depend on the data have their values."""
    items: Ids
    """Ids of the model's items, in the order of their positions; empty before a fit."""
    users: Ids
    """Ids of the training users, if the model has learnt parameters of each; else empty."""
    history: History
    """Losses and validation metrics of each epoch; for a closed form one entry with the validation metrics, if any."""
    metadata: dict[str, Any]
    """Information about the fit: run settings, counts, fingerprints, versions, seconds."""
    notes: dict[str, Any]
    """Additional information that is saved with the model, as JSON values; the caller may add to it."""

    def __init__(self, spec: Spec) -> None:
        self.spec = spec
        self.items, self.users = pd.Index([]), pd.Index([])
        self.history, self.metadata, self.notes = History(), {}, {}
        self._network: Model | None = None
        self._popularity = torch.empty(0)
        self._cold_start: ColdStart | None = None
        self._checkpoint: Path | None = None

    @classmethod
    def assembled(cls, parts: Fitted, checkpoint: Path | None = None) -> Self:
        """Build a fitted model from its parts, such as those of a saved model or of a blend.

        ``checkpoint`` is the folder of its fit's checkpoint, which `save` removes.
        """
        model = cls(parts.spec)
        model._take(parts)
        model._checkpoint = checkpoint
        return model

    @property
    def parts(self) -> Fitted:
        """State of the fitted model, from which `assembled` builds an equal model."""
        learnt = self.network, self._popularity, self.items, self.users, self._cold_start
        return Fitted(self.spec, *learnt, self.history, self.metadata, self.notes)

    def _take(self, parts: Fitted) -> None:
        self.spec = parts.spec
        self._network, self._popularity, self._cold_start = parts.network, parts.popularity, parts.cold_start
        self.items, self.users = parts.items, parts.users
        self.history, self.metadata, self.notes = parts.history, parts.metadata, dict(parts.notes)

    def __repr__(self) -> str:
        state = "not fitted" if self._network is None else f"fitted on {len(self.items):,} items"
        return f"Recommender({self.spec!r}, {state})"

    @property
    def recipe(self) -> DataRecipe:
        """Recipe of the data of the fit; ``model.recipe.split()`` repeats the split of the fit.

        Raises
        ------
        DataError
            If the model was fitted to data that were not made by a `DataRecipe`.
        """
        return DataRecipe.of_notes(self.notes)

    @property
    def network(self) -> Model:
        """Fitted network; a `NotFittedError` before the fit."""
        if self._network is None:
            raise NotFittedError(f"this {self.spec.name()} has not been fitted; call fit first")
        return self._network

    @property
    def knows_users(self) -> bool:
        """True if the model has learnt parameters of each training user, and so uses ``users``."""
        return len(self.users) > 0

    @property
    def feature_columns(self) -> list[str] | None:
        """Names of the item features that rank cold items; None if the model has learnt from none."""
        return None if self._cold_start is None else [str(name) for name in self._cold_start.columns]

    def fit(
        self,
        train: Interactions,
        *,
        valid: Holdout | None = None,
        item_features: Features | None = None,
        run: Run | None = None,
        checkpoint: Checkpoint | Path | str | None = None,
    ) -> Self:
        """Fit the model to the interactions of the training users.

        Parameters
        ----------
        train
            Training interactions, such as ``split.train``.
        valid
            Validation users, such as ``split.valid``, who select the best epoch by ``spec.monitor``. Without them the
            weights of the last epoch are kept.
        item_features
            Features of items, such as the vectors of a `FeatureEncoder`. Models that are trained by gradient descent
            initialize their item embeddings with them, and every model learns to rank cold items by them
            (``cold_items`` of `recommend`). Items without features are initialized as usual.
        run
            Run settings: seed, device, precision, threads, tracker. The default is seed 0 on a GPU if there is one.
        checkpoint
            Folder for the state of the training, which is written every five minutes (`Checkpoint` has other settings)
            and when the fit is interrupted. The same fit then goes on from it, and ends with the same weights, bit for
            bit. `save` removes it. Closed forms, ALS and BPR write none and begin anew.

        Returns
        -------
        Recommender
            This model. If the fit fails or is interrupted, the model stays as it was before.

        Raises
        ------
        DataError
            If there are no interactions, if ``valid`` is of another split, or if the values do not suit the model:
            equal ratings for a model of ratings, negative values for any other.
        ConfigError
            If the monitor is no metric, the device does not exist, or the checkpoint belongs to another fit.
        ArtefactError
            If the checkpoint is damaged.
        TrainingError
            If memory does not suffice, or the training diverges.
        """
        parts = fitted(self.spec, train, valid, item_features, run or Run(), checkpoint)
        # Assigned last, so that a fit that fails leaves the former model intact.
        self._take(dataclasses.replace(parts, notes=with_origin(self.notes, train.origin)))
        self._checkpoint = None if checkpoint is None else Checkpoint.of(checkpoint).folder
        return self

    def fit_cold_items(self, train: Interactions, item_features: Features, *, run: Run | None = None) -> Self:
        """Learn to rank cold items by their features, after `fit`; scores of the model's items do not change.

        Parameters
        ----------
        train
            The interactions of the fit.
        item_features
            Features of the model's items.
        run
            Run settings; the device is that of the model.

        Raises
        ------
        UnsupportedError
            If the model learns from item features in `fit`.
        DataError
            If ``train`` has other items than the model.
        """
        if self.network.learns_from_features:
            raise UnsupportedError(
                f"{self.spec.name()} learns from item features in fit; pass them to fit as ", Argument("item_features")
            )
        preflight.refuse_other_types(train)
        if not np.array_equal(match(self._known, train.items), np.arange(len(self._known))):
            raise DataError("the items of train are not those that the model was fitted on; give the same interactions")
        device = self._popularity.device
        run = dataclasses.replace(run or Run(), device=str(device))
        with run.settings(self.spec.name()):
            start = cold_start.known(self.network, item_features, self.items, device)
            rows = Rows.from_matrix(train.matrix, device)
            self._cold_start = ColdStart.learn(self.network, rows, start, run.generator())
        self.metadata |= {**start.metadata, FEATURES_LATER: run.seed}
        return self

    def score(self, histories: csr_matrix, *, users: Ids | None = None) -> np.ndarray:
        """Return the scores of all items, a dense array ``(n, n_items)`` float32; use it for few rows.

        Parameters
        ----------
        histories
            ``(n, n_items)`` sparse, over this model's items.
        users
            Ids of the rows, for models with parameters of each training user.

        Raises
        ------
        DataError
            If ``histories`` is not sparse or has other columns, or if there is not one id for each row.
        """
        rows = self._rows(histories)
        blocks = ranking.score_blocks(self.network, rows, self._popularity, self._positions(users, rows))
        return np.concatenate([values.cpu().numpy() for _, values in blocks], axis=1)

    def recommend(
        self,
        histories: csr_matrix,
        k: int = 10,
        *,
        users: Ids | None = None,
        exclude_seen: bool = True,
        exclude: csr_matrix | None = None,
        allow: Filter | None = None,
        deny: Filter | None = None,
        cold_items: Features | None = None,
        only_cold: bool = False,
    ) -> Recommendations:
        """Return the ``k`` best items for each row; equal scores are ordered by position.

        Parameters
        ----------
        histories
            ``(n, n_items)`` sparse, over this model's items, of known or unknown users.
        k
            Number of items per row. A list is shorter if fewer items remain.
        users
            Ids of the rows, for models with parameters of each training user.
        exclude_seen
            Exclude the items of a row's history from its list.
        exclude
            ``(n, n_items)`` sparse: other items to exclude from each row's list, whatever their values, such as items
            that the user rated too low for the model's input. They are excluded even with ``exclude_seen=False``.
        allow, deny
            Recommend only these items, or none of these: positions for all rows, or ``(n, n_items)`` sparse with the
            items of each row. See `positions`.
        cold_items
            Features of cold items, with the columns of ``item_features`` in `fit`. Their positions follow those of the
            model's items, in this order.
        only_cold
            Recommend only the cold items.

        Returns
        -------
        Recommendations
            ``items``, the positions ``(n, k)`` int64, and ``scores`` ``(n, k)`` float32, best first. Positions without
            an item hold -1 and −inf.

        Raises
        ------
        ConfigError
            If ``k`` is below 1, or ``only_cold`` is set without ``cold_items``.
        DataError
            If a matrix has the wrong shape, a position does not exist, there is not one id for each row, or
            ``cold_items`` has other columns or items that the model knows.
        UnsupportedError
            If ``cold_items`` is given and the model was fitted without item features.
        """
        rows, k = self._rows(histories), at_least_1("k", k)
        if only_cold and cold_items is None:
            raise ConfigError(Argument("only_cold"), " needs features of cold items; set ", Argument("cold_items"))
        positions, network, fallback = self._positions(users, rows), self.network, self._popularity
        if cold_items is not None:
            network, n_cold = self._with(cold_items), len(cold_items)
            rows, allow, deny, exclude = (
                cold_start.padded(selection, n_cold) for selection in (rows, allow, deny, exclude)
            )
            fallback = functional.pad(fallback, (0, n_cold))
        candidates = Candidates.of(rows, exclude_seen=exclude_seen, allow=allow, deny=deny, exclude=exclude)
        if only_cold:
            candidates = candidates.without(len(self.items), rows.shape[1])
        lists = ranking.rank(network, rows, k, candidates=candidates, fallback=fallback, positions=positions)
        return Recommendations(*lists)

    def predict(
        self, histories: csr_matrix, pairs: tuple[np.ndarray, np.ndarray], *, users: Ids | None = None
    ) -> np.ndarray:
        """Return predicted ratings ``(m,)`` float32; only models with explicit feedback predict ratings.

        Parameters
        ----------
        histories
            ``(n, n_items)`` sparse, over this model's items.
        pairs
            Two arrays ``(m,)`` of whole numbers: the row in ``histories`` and the item position of each rating.
        users
            Ids of the rows, for models with parameters of each training user.

        Raises
        ------
        UnsupportedError
            If the model ranks items and does not predict ratings.
        DataError
            If a row or position does not exist, the arrays differ in length, or ``histories`` does not suit.
        """
        history = self._rows(histories)
        rows, items = places(pairs[0], history.shape[0], "rows"), places(pairs[1], len(self.items))
        if len(rows) != len(items):
            raise DataError(f"pairs hold {len(rows):,} rows and {len(items):,} items; give one item for each row")
        return ranking.predict(self.network, history, (rows, items), self._positions(users, history))

    def recommend_frame(
        self,
        frame: pd.DataFrame,
        k: int = 10,
        *,
        user: Column = "user",
        item: Column = "item",
        rating: Column | None = None,
        min_rating: float | None = None,
        exclude_seen: bool = True,
        allow: Sequence[Any] | None = None,
        deny: Sequence[Any] | None = None,
        missing: Missing = "error",
    ) -> pd.DataFrame:
        """Return the best items for each user of a table of interactions.

        Parameters
        ----------
        frame
            One row per interaction: a DataFrame, or another table that `Interactions.from_frame` reads. A user id of
            the training data means that user. Items that the model does not know are dropped. Ids may be written in
            another form than in the training data: ``7``, ``"7"`` or ``7.0``.
        k
            Number of items per user.
        user, item, rating
            Names or positions of the columns; ``rating`` is None for implicit feedback.
        min_rating
            Rating threshold of the fit (`MinRating`). Higher or equal ratings are the model's input, each as 1. Lower
            ratings only exclude their items from the list. Users without input get the most popular items.
        exclude_seen
            Exclude all items that the user interacted with, also those rated too low.
        allow, deny
            Ids of the only items to recommend, or of items not to recommend.
        missing
            Treatment of rows without a user, item or rating, as in `Interactions.from_frame`.

        Returns
        -------
        DataFrame
            Columns ``user, rank, item, score``; ``attrs["unknown"]`` is the number of dropped interactions. If the
            model knows fewer than half of the items, ``attrs["remarks"]`` has a sentence with an example of each side.

        Warns
        -----
        UserWarning
            If the model knows none of the items.

        Raises
        ------
        DataError
            If the table cannot be read, or the model does not know an item of ``allow`` or ``deny``.
        ConfigError
            If ``k`` is below 1, or ``min_rating`` is given without ``rating`` or is no number above 0.
        """
        if min_rating is not None and rating is None:
            raise ConfigError(
                Argument("min_rating", min_rating), " needs ratings; set ", Argument("rating"), " to their column"
            )
        data = Interactions.from_frame(frame, user=user, item=item, rating=rating, duplicates="last", missing=missing)
        target = match(self._known, data.items)
        interactions = data.moved(target, self._known)
        remarks = mismatch(self._known, data.items, target, "items")
        if not interactions.nnz:
            warnings.warn(f"{remarks[0]}; every user gets the most popular items", UserWarning, stacklevel=2)
        liked = interactions
        if min_rating is not None:
            with arguments_named(renamed({"rating": "min_rating"})):
                liked = MinRating(min_rating)(data).onto(self._known)
        lists = self.recommend(
            interactions.matrix if min_rating is None else histories_of(liked, data.users),
            k,
            users=data.users,
            exclude_seen=exclude_seen,
            exclude=interactions.matrix if exclude_seen and min_rating is not None else None,
            allow=None if allow is None else self.positions(allow),
            deny=None if deny is None else self.positions(deny),
        )
        result = self.to_frame(lists, data.users)
        result.attrs["unknown"] = int((target[data.matrix.indices] < 0).sum())
        if remarks:
            result.attrs["remarks"] = remarks
        return result

    def to_frame(
        self, found: Recommendations, rows: Ids, row: str = "user", *, cold: Ids | None = None
    ) -> pd.DataFrame:
        """Return recommendations as a table ``row, rank, item, score`` with ids, without empty positions.

        Parameters
        ----------
        found
            Recommendations of `recommend` or `similar`.
        rows
            Ids ``(n,)`` of the rows, such as users.
        row
            Heading of their column.
        cold
            Ids of the items that were given as ``cold_items``.
        """
        ids = self.items if cold is None else self.items.append(cold)
        return recommendations.to_frame(found, ids, rows, row)

    def similar(self, items: Sequence[int] | np.ndarray, k: int = 10) -> Recommendations:
        """Return the ``k`` most similar items for each item at these positions, by the cosine of item vectors.

        Raises
        ------
        ConfigError
            If ``k`` is below 1.
        DataError
            If a position does not exist.
        UnsupportedError
            If the model has no item vectors.
        """
        k = at_least_1("k", k)
        positions = places(items, len(self._known))
        return Recommendations(*ranking.most_alike(self.network.item_vectors(), positions, k))

    def positions(self, ids: Sequence[Any]) -> np.ndarray:
        """Return the positions ``(n,)`` of item ids, in any form: ``7``, ``"7"`` or ``7.0``.

        A `DataError` names the ids that the model does not know.
        """
        positions = match(self._known, ids)
        if (positions < 0).any():
            unknown = [shown(item) for item, position in zip(ids, positions, strict=True) if position < 0]
            remaining = f" and {len(unknown) - 5:,} more" if len(unknown) > 5 else ""
            own = "" if (positions >= 0).any() else f"; it has ids such as {shown(self.items[0])}"
            raise DataError(f"the model does not know the items {', '.join(unknown[:5])}{remaining}{own}")
        return positions

    def save(self, path: str | Path, *, overwrite: bool = False) -> None:
        """Save the model in a folder, from which `load` returns an equal model; the checkpoint of its fit is removed.

        Parameters
        ----------
        path
            Folder; it must not exist, unless it is empty.
        overwrite
            Replace a saved model at ``path``. Other folders are never replaced.

        Raises
        ------
        ArtefactError
            If the folder exists or cannot be written, the notes are not JSON values, or the model is not registered.
        """
        self.parts.save(path, overwrite=overwrite)
        checkpoint_files.remove_after_saving(self._checkpoint)
        self._checkpoint = None

    @classmethod
    def load(cls, path: str | Path, *, device: str = "auto") -> Self:
        """Load a saved model, which may have been saved on another device; no training data are needed.

        Parameters
        ----------
        path
            Folder of the saved model.
        device
            ``auto`` (a GPU if there is one), ``cpu``, ``cuda``, ``cuda:1``, …

        Raises
        ------
        ArtefactError
            If the folder is no saved `Recommender`, is damaged, or was written by a newer version.
        ConfigError
            If the device does not exist.
        """
        return cls.assembled(Fitted.load(path, device=device))

    def _with(self, cold_items: Features) -> Extended:
        """Return the network, extended by cold items."""
        if self._cold_start is None:
            raise UnsupportedError(
                f"this {self.spec.name()} was fitted without item features, so it cannot rank cold items; fit it again "
                "with item_features (--item-features)"
            )
        is_known = match(self._known, cold_items.ids) >= 0
        if is_known.any():
            raise DataError(
                f"{int(is_known.sum()):,} of the {len(cold_items):,} cold items are known to the model, the first is "
                f"{shown(cold_items.ids[int(np.argmax(is_known))])}; remove them with Features.without"
            )
        return Extended(self.network, len(self.items), self._cold_start.weights(self.network, cold_items))

    @property
    def _known(self) -> Ids:
        """Ids of the items; a `NotFittedError` before the fit."""
        _ = self.network
        return self.items

    def _positions(self, users: Ids | None, rows: csr_matrix) -> np.ndarray | None:
        """Return the training positions of the rows' users, -1 for unknown users; None if no user is known."""
        if users is None:
            return None
        if len(users) != rows.shape[0]:
            raise DataError(
                f"users hold {len(users):,} ids, but there are {rows.shape[0]:,} histories; give one id for each row"
            )
        return match(self.users, users) if len(self.users) else None

    def _rows(self, histories: csr_matrix) -> csr_matrix:
        width = len(self._known)
        if not issparse(histories) or histories.ndim != 2:
            raise DataError(f"histories must be a sparse (n, {width:,}) matrix, not {type(histories).__name__}")
        if histories.shape[1] != width:
            raise DataError(f"histories have {histories.shape[1]:,} columns, but the model knows {width:,} items")
        return canonical(histories, "histories")
