"""The face of every model: fit on interactions, then turn histories into recommendations."""

import time
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
from recsys_ae.data.interactions import Column, Ids, Interactions
from recsys_ae.data.origin import with_origin
from recsys_ae.data.parsing import shown
from recsys_ae.data.recipe import DataRecipe
from recsys_ae.data.splits.holdout import histories_of
from recsys_ae.data.splits.split import Holdout
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
from recsys_ae.nn.history import VALIDATION, History
from recsys_ae.nn.model import Model, Shape, Spec, Stats
from recsys_ae.nn.rows import Rows, canonical
from recsys_ae.nn.runtime import Run
from recsys_ae.ranking import rank as ranking
from recsys_ae.ranking import recommendations
from recsys_ae.ranking.candidates import Candidates, Filter, places
from recsys_ae.ranking.recommendations import Recommendations
from recsys_ae.recommender import preflight
from recsys_ae.recommender.metadata import fit_metadata, rules
from recsys_ae.recommender.state import Fitted
from recsys_ae.recommender.validating import measure_on
from recsys_ae.spec.hyper import flatten


class Recommender:
    """A model of histories: what it is, is its spec; what it has learnt, its network.

    A user is a row: a user that the model has never seen is served like any other. A row without history, or with
    unknown items only, gets the items in the order of their popularity.

    Some models learn something of each training user beside what the history tells (CDAE's user vectors, the output
    weights of item-based AutoRec). They find it where ``users`` gives the ids of the rows; ids that were not in the
    training, and rows given without ids, are new users. To all other models the ids make no difference.
    """

    spec: Spec
    items: Ids
    users: Ids
    """The training users, where the model has learnt something of each; else empty."""
    history: History
    """What was measured in each epoch; for a closed form one entry with the validation metrics, if any."""
    metadata: dict[str, Any]
    """Circumstances of the fit: run, counts, fingerprints, versions, seconds."""
    notes: dict[str, Any]
    """What the caller wants kept beside the model; JSON."""

    def __init__(self, spec: Spec) -> None:
        self.spec = spec
        self.items, self.users = pd.Index([]), pd.Index([])
        self.history, self.metadata, self.notes = History(), {}, {}
        self._network: Model | None = None
        self._popularity = torch.empty(0)
        self._cold_start: ColdStart | None = None

    @classmethod
    def assembled(cls, parts: Fitted) -> Self:
        """Make a model of fitted parts: those of a saved model, or a network made of several models."""
        model = cls(parts.spec)
        model._network, model._popularity, model._cold_start = parts.network, parts.popularity, parts.cold_start
        model.items, model.users = parts.items, parts.users
        model.history, model.metadata, model.notes = parts.history, parts.metadata, dict(parts.notes)
        return model

    @property
    def parts(self) -> Fitted:
        """All that a fitted model is; `assembled` makes an equal model of it."""
        learnt = self.network, self._popularity, self.items, self.users, self._cold_start
        return Fitted(self.spec, *learnt, self.history, self.metadata, self.notes)

    def __repr__(self) -> str:
        state = "not fitted" if self._network is None else f"fitted on {len(self.items):,} items"
        return f"Recommender({self.spec!r}, {state})"

    @property
    def recipe(self) -> DataRecipe:
        """The recipe of the data that it was fitted on: ``model.recipe.split()`` gives the split of the fit again.

        Raises
        ------
        DataError
            Where it was fitted on data that no recipe made.
        """
        return DataRecipe.of_notes(self.notes)

    @property
    def network(self) -> Model:
        """The fitted network."""
        if self._network is None:
            raise NotFittedError(f"this {self.spec.name()} has not been fitted; call fit first")
        return self._network

    @property
    def knows_users(self) -> bool:
        """Whether it has learnt something of each training user, and so makes use of ``users``."""
        return len(self.users) > 0

    @property
    def feature_columns(self) -> list[str] | None:
        """The names of the features that it ranks new items by; None where it has learnt from none."""
        return None if self._cold_start is None else [str(name) for name in self._cold_start.columns]

    def fit(
        self,
        train: Interactions,
        *,
        valid: Holdout | None = None,
        item_features: Features | None = None,
        run: Run | None = None,
    ) -> Self:
        """Learn from the training users.

        Parameters
        ----------
        valid
            Users to choose the best epoch on. Without them the last epoch's weights are kept.
        item_features
            Features of items: vectors from a `FeatureEncoder`, or any others. The item tables of a model that is
            trained by gradient descent begin with them, and every model learns to rank items by them that nobody has
            touched (``cold_items`` of `recommend`). Items without any begin as usual.
        run
            Seed, device, precision, tracker, …; the default is seed 0 on a GPU where there is one.
        """
        run = run or Run()
        if train.nnz == 0:
            raise DataError("the training data have no interactions; check the filters and the split")
        if valid is not None:
            preflight.refuse_other_items(valid, train.shape[1])
        shape = Shape(*train.shape, 0 if item_features is None else item_features.width)
        spec = self.spec.resolved(Stats(train.matrix))
        preflight.check(spec, train, run, shape.features)
        metadata = fit_metadata(spec, train, valid, run) | rules(self.spec, spec)
        run.tracker.parameters({**flatten(spec), **metadata})
        started, device = time.perf_counter(), run.torch_device
        with run.settings():
            network = spec.build(shape).to(device)
            start = cold_start.begin(network, item_features, train.items, run)
            rows = Rows.from_matrix(canonical(train.matrix), device)
            popularity = rows.with_values(torch.ones_like(rows.values)).column_sums()
            users = train.users if network.knows_users else pd.Index([])
            measure = measure_on(valid, spec, network, popularity, users)
            history = network.learn(rows, run, measure)
            found = None if start is None else ColdStart.learn(network, rows, start, run.generator())
            if measure is not None and not history:
                history.append({f"{VALIDATION}{name}": value for name, value in measure().items()})
                history.judge(spec.monitor)
                run.tracker.metrics(history[0], step=1)
        metadata |= {"seconds": round(time.perf_counter() - started, 3), **({} if start is None else start.metadata)}
        # Only now, so that a fit that fails leaves what was fitted before whole.
        self.spec = spec
        self.history, self.metadata, self._cold_start = history, metadata, found
        self.notes = with_origin(self.notes, train.origin)
        self._network, self._popularity, self.items, self.users = network.eval(), popularity, train.items, users
        return self

    def fit_cold_items(self, train: Interactions, item_features: Features, *, run: Run | None = None) -> Self:
        """Learn to rank new items by these features, after a fit to ``train`` and without changing its result.

        Models that learn from features themselves do so in `fit` only, and are refused.
        """
        run = run or Run()
        if self.network.learns_from_features:
            raise UnsupportedError(
                f"{self.spec.name()} learns from item features in fit; pass them to fit as ", Argument("item_features")
            )
        if not train.items.equals(self._known):
            raise DataError("the items of train are not those that the model was fitted on; give the same interactions")
        with run.settings():
            device = self._popularity.device
            start = cold_start.known(self.network, item_features, self.items, device)
            rows = Rows.from_matrix(canonical(train.matrix), device)
            self._cold_start = ColdStart.learn(self.network, rows, start, run.generator())
        self.metadata |= start.metadata
        return self

    def score(self, histories: csr_matrix, *, users: Ids | None = None) -> np.ndarray:
        """Return the scores of all items, ``(n, n_items)`` float32; for few rows, since it is dense."""
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
            ``(n, n_items)`` over this model's items, of known or new users.
        users
            The ids of the rows, for models that know their training users apart.
        exclude_seen
            Leave out what stands in a row's history.
        exclude
            Further items to leave out of each row's list, ``(n, n_items)`` sparse, whatever the values: such as those
            that the user rated too low to be input of the model. It holds whether or not ``exclude_seen`` does.
        allow, deny
            Recommend only these items, or none of these: positions for all rows, or ``(n, n_items)`` sparse with a
            row of items for each user.
        cold_items
            Features of further items, which nobody has touched, of the kind that was given as ``item_features``. Their
            positions are those behind the model's items, in this order.
        only_cold
            Recommend these alone.
        """
        rows = self._rows(histories)
        if k < 1:
            raise ConfigError(Argument("k", k), " must be at least 1")
        if only_cold and cold_items is None:
            raise ConfigError(Argument("only_cold"), " needs features of cold items; set ", Argument("cold_items"))
        positions, network, fallback = self._positions(users, rows), self.network, self._popularity
        if cold_items is not None:
            network, more = self._with(cold_items), len(cold_items)
            rows, allow, deny, exclude = (cold_start.padded(one, more) for one in (rows, allow, deny, exclude))
            fallback = functional.pad(fallback, (0, more))
        candidates = Candidates.of(rows, exclude_seen=exclude_seen, allow=allow, deny=deny, exclude=exclude)
        if only_cold:
            candidates = candidates.without(len(self.items), rows.shape[1])
        found = ranking.rank(network, rows, k, candidates=candidates, fallback=fallback, positions=positions)
        return Recommendations(*found)

    def predict(
        self, histories: csr_matrix, pairs: tuple[np.ndarray, np.ndarray], *, users: Ids | None = None
    ) -> np.ndarray:
        """Return predicted ratings, ``(m,)`` float32, of models that predict ratings.

        Parameters
        ----------
        pairs
            Two arrays ``(m,)``: the row of ``histories`` and the position of the item of each rating.
        users
            The ids of the rows, for models that know their training users apart.
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
    ) -> pd.DataFrame:
        """Return the best items for each user of a table of histories, as a table of ``user, rank, item, score``.

        ``min_rating`` is that of the fit's `MinRating`: the model's input is what is rated at least so, each as 1, and
        the rest is only left out of the lists. A user with nothing rated so gets the most popular items.
        ``exclude_seen=False`` leaves out neither. ``allow`` and ``deny`` are item ids. A user id that was in the
        training means that user. Items unknown to the model are dropped; the result's ``attrs["unknown"]`` says how
        many interactions that were.
        """
        if min_rating is not None and rating is None:
            raise ConfigError(
                Argument("min_rating", min_rating), " needs ratings; set ", Argument("rating"), " to their column"
            )
        data = Interactions.from_frame(frame, user=user, item=item, rating=rating, duplicates="last")
        known = data.onto(self._known)
        liked = known
        if min_rating is not None:
            with arguments_named(renamed({"rating": "min_rating"})):
                liked = MinRating(min_rating)(data).onto(self._known)
        found = self.recommend(
            known.matrix if min_rating is None else histories_of(liked, data.users),
            k,
            users=data.users,
            exclude_seen=exclude_seen,
            exclude=known.matrix if exclude_seen and min_rating is not None else None,
            allow=None if allow is None else self.positions(allow),
            deny=None if deny is None else self.positions(deny),
        )
        result = self.to_frame(found, data.users)
        result.attrs["unknown"] = data.nnz - known.nnz
        return result

    def to_frame(
        self, found: Recommendations, rows: Ids, row: str = "user", *, cold: Ids | None = None
    ) -> pd.DataFrame:
        """Turn lists into a table ``row, rank, item, score`` with raw ids, without the places that stayed empty.

        ``cold`` are the ids of the items that were given as ``cold_items``.
        """
        known = self.items if cold is None else self.items.append(cold)
        return recommendations.to_frame(found, known, rows, row)

    def similar(self, items: Sequence[int] | np.ndarray, k: int = 10) -> Recommendations:
        """Return the ``k`` items most alike to each of the items at these positions, by the cosine of their vectors."""
        if k < 1:
            raise ConfigError(Argument("k", k), " must be at least 1")
        asked = places(items, len(self._known))
        return Recommendations(*ranking.most_alike(self.network.item_vectors(), asked, k))

    def positions(self, ids: Sequence[Any]) -> np.ndarray:
        """Return the positions of item ids; an unknown id is an error that names it."""
        found = self._known.get_indexer(pd.Index(ids))
        if (found < 0).any():
            unknown = [shown(one) for one, place in zip(ids, found, strict=True) if place < 0]
            more = f" and {len(unknown) - 5:,} more" if len(unknown) > 5 else ""
            raise DataError(f"the model does not know the items {', '.join(unknown[:5])}{more}")
        return found

    def save(self, path: str | Path, *, overwrite: bool = False) -> None:
        """Write the model into a folder: `Recommender.load` gives an equal spec and equal scores."""
        self.parts.save(path, overwrite=overwrite)

    @classmethod
    def load(cls, path: str | Path, *, device: str = "auto") -> Self:
        """Read a model that was saved on any device; no training data are needed."""
        return cls.assembled(Fitted.load(path, device=device))

    def _with(self, cold_items: Features) -> Extended:
        """Return the network with further items."""
        if self._cold_start is None:
            raise UnsupportedError(
                f"this {self.spec.name()} was fitted without item features, so it cannot rank cold items; fit it again "
                "with item_features (--item-features)"
            )
        known = cold_items.ids.isin(self._known)
        if known.any():
            raise DataError(
                f"{int(known.sum()):,} of the {len(cold_items):,} cold items are known to the model, the first is "
                f"{shown(cold_items.ids[int(np.argmax(known))])}; remove them with Features.without"
            )
        return Extended(self.network, len(self.items), self._cold_start.weights(self.network, cold_items))

    @property
    def _known(self) -> Ids:
        """The items of a fitted model; an error before."""
        _ = self.network
        return self.items

    def _positions(self, users: Ids | None, rows: csr_matrix) -> np.ndarray | None:
        """Return where the rows' users stand in the training; None where nobody is known."""
        if users is None:
            return None
        if len(users) != rows.shape[0]:
            raise DataError(
                f"users hold {len(users):,} ids, but there are {rows.shape[0]:,} histories; give one id for each row"
            )
        return self.users.get_indexer(pd.Index(users)) if len(self.users) else None

    def _rows(self, histories: csr_matrix) -> csr_matrix:
        width = len(self._known)
        if not issparse(histories) or histories.ndim != 2:
            raise DataError(f"histories must be a sparse (n, {width:,}) matrix, not {type(histories).__name__}")
        if histories.shape[1] != width:
            raise DataError(f"histories have {histories.shape[1]:,} columns, but the model knows {width:,} items")
        return canonical(histories)
