"""Models of a search: groups by name, and which of them suit the data."""

from collections.abc import Sequence

import numpy as np
from scipy.sparse import csr_matrix

from recsys_ae import models
from recsys_ae.errors import Argument, ConfigError, Message
from recsys_ae.nn.model import Shape, Stats
from recsys_ae.nn.training.model import TrainableSpec

PORTFOLIO = ("popularity", "item_knn", "ease", "edlae", "als", "elsa", "mult_dae", "mult_vae", "recvae", "autorec")
"""Models of a search without other choice: those that were best on at least one data set, and the simplest ones."""
WITH_FEATURES = ("content_knn", "cease")
"""Models that join when there are item features."""
BASELINES = ("popularity", "item_knn", "als")
"""Models that the best one is compared with on the test users, by their defaults."""
GROUPS = ("linear", "neural", "all")


def chosen(given: str | Sequence[str] | None, *, is_rated: bool, has_features: bool) -> tuple[str, ...]:
    """Return the names of the models to search.

    Parameters
    ----------
    given
        Names of models, or ``"linear"`` (not trained by gradient descent), ``"neural"`` or ``"all"``; None is the
        portfolio. Of a group, models that do not suit the data are left out; a name that does not suit is an error.
    is_rated
        True if ratings are predicted, False if items are ranked.
    has_features
        True if there are item features.

    Raises
    ------
    ConfigError
        If a model does not exist or does not suit the data, or if no model is left.
    """
    words = [given] if isinstance(given, str) else list(given or ())
    names: list[str] = []
    for word in words or ["portfolio"]:
        group = _group(word)
        names += [name for name in group if _obstacle(name, is_rated=is_rated, has_features=has_features) is None]
        if len(group) == 1 and group[0] not in names:
            raise ConfigError(
                Argument("models", word),
                ": ",
                *(_obstacle(group[0], is_rated=is_rated, has_features=has_features) or ()),
            )
    if not names:
        raise ConfigError(Argument("models", given), " holds no model for these data")
    return tuple(dict.fromkeys(names))


def _group(word: str) -> tuple[str, ...]:
    if word == "portfolio":
        return (*PORTFOLIO, *WITH_FEATURES)
    searchable = [name for name in models.names() if name != "blend"]
    if word == "all":
        return tuple(searchable)
    if word in ("linear", "neural"):
        is_neural = word == "neural"
        return tuple(name for name in searchable if issubclass(models.spec_class(name), TrainableSpec) == is_neural)
    cls = models.spec_class(word)
    if cls.name() == "blend":
        raise ConfigError(Argument("models", word), ": a blend is made of the best models; use ", Argument("blend"))
    return (cls.name(),)


def _obstacle(name: str, *, is_rated: bool, has_features: bool) -> Message | None:
    """Return why a model does not suit the data, or None."""
    cls = models.spec_class(name)
    if is_rated != (cls.feedback == "explicit"):
        wanted = "predicts ratings; search by rmse" if cls.feedback == "explicit" else "ranks items; search by ndcg@100"
        return (f"{name} {wanted}",)
    if not has_features and needs_features(name):
        return (f"{name} needs item features; give ", Argument("item_features"))
    return None


def needs_features(name: str) -> bool:
    """Return True if a model can only be fitted with item features."""
    spec = models.spec_class(name)().resolved(Stats(csr_matrix(np.ones((1, 1), np.float32))))
    return spec.build(Shape(1, 1, 1)).learns_from_features
