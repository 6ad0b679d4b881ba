"""Autoencoder recommenders: sparse histories in, recommendations with honest numbers out."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from recsys_ae.data.interactions import Interactions as Interactions
    from recsys_ae.data.named import load as load_dataset  # noqa: F401
    from recsys_ae.data.readers.read import read_interactions as read_interactions
    from recsys_ae.data.splits.split import Holdout as Holdout
    from recsys_ae.data.splits.split import Split as Split
    from recsys_ae.data.splits.split import split_users as split_users
    from recsys_ae.errors import RecsysError as RecsysError
    from recsys_ae.evaluation import Report as Report
    from recsys_ae.evaluation import compare as compare
    from recsys_ae.evaluation import evaluate as evaluate
    from recsys_ae.features.data.features import Features as Features
    from recsys_ae.features.encoder import FeatureEncoder as FeatureEncoder
    from recsys_ae.nn.runtime import Run as Run
    from recsys_ae.ranking.recommendations import Recommendations as Recommendations
    from recsys_ae.recommender.blending import blend as blend
    from recsys_ae.recommender.recommender import Recommender as Recommender

# Name → where it lives. They are imported when first used, so that `import recsys_ae` stays free of PyTorch.
_HOMES = {
    "FeatureEncoder": "features.encoder",
    "Features": "features.data.features",
    "Holdout": "data.splits.holdout",
    "Interactions": "data.interactions",
    "RecsysError": "errors",
    "Recommendations": "ranking.recommendations",
    "Recommender": "recommender.recommender",
    "Report": "evaluation",
    "Run": "nn.runtime",
    "Split": "data.splits.holdout",
    "blend": "recommender.blending",
    "compare": "evaluation",
    "evaluate": "evaluation",
    "load_dataset": "data.named",
    "read_interactions": "data.readers.read",
    "split_users": "data.splits.split",
}
__all__ = list(_HOMES)


def __getattr__(name: str) -> Any:
    """Import a public name from its home."""
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    found = getattr(import_module(f"{__name__}.{_HOMES[name]}"), "load" if name == "load_dataset" else name)
    globals()[name] = found
    return found


def __dir__() -> list[str]:
    """List the public names."""
    return sorted(__all__)
