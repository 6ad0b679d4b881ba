"""Autoencoder recommenders: data, models, evaluation, and saved models that recommend."""

from typing import TYPE_CHECKING

from recsys_ae.spec.faces import lazy

if TYPE_CHECKING:
    from recsys_ae.data.interactions import Interactions as Interactions
    from recsys_ae.data.named import load as load_dataset  # noqa: F401
    from recsys_ae.data.readers.read import read_interactions as read_interactions
    from recsys_ae.data.recipe import DataRecipe as DataRecipe
    from recsys_ae.data.splits.holdout import Holdout as Holdout
    from recsys_ae.data.splits.holdout import Split as Split
    from recsys_ae.data.splits.split import split_users as split_users
    from recsys_ae.errors import RecsysError as RecsysError
    from recsys_ae.evaluation import Report as Report
    from recsys_ae.evaluation import compare as compare
    from recsys_ae.evaluation import evaluate as evaluate
    from recsys_ae.features.data.features import Features as Features
    from recsys_ae.features.encoder import FeatureEncoder as FeatureEncoder
    from recsys_ae.nn.checkpoints.settings import Checkpoint as Checkpoint
    from recsys_ae.nn.runtime import Run as Run
    from recsys_ae.ranking.recommendations import Recommendations as Recommendations
    from recsys_ae.recommender.blending import blend as blend
    from recsys_ae.recommender.recommender import Recommender as Recommender
    from recsys_ae.tracking import MLflowTracker as MLflowTracker

_HOMES = {
    "Checkpoint": "recsys_ae.nn.checkpoints.settings",
    "DataRecipe": "recsys_ae.data.recipe",
    "FeatureEncoder": "recsys_ae.features.encoder",
    "Features": "recsys_ae.features.data.features",
    "Holdout": "recsys_ae.data.splits.holdout",
    "Interactions": "recsys_ae.data.interactions",
    "MLflowTracker": "recsys_ae.tracking",
    "RecsysError": "recsys_ae.errors",
    "Recommendations": "recsys_ae.ranking.recommendations",
    "Recommender": "recsys_ae.recommender.recommender",
    "Report": "recsys_ae.evaluation",
    "Run": "recsys_ae.nn.runtime",
    "Split": "recsys_ae.data.splits.holdout",
    "blend": "recsys_ae.recommender.blending",
    "compare": "recsys_ae.evaluation",
    "evaluate": "recsys_ae.evaluation",
    "load_dataset": "recsys_ae.data.named:load",
    "read_interactions": "recsys_ae.data.readers.read",
    "split_users": "recsys_ae.data.splits.split",
}
__all__ = list(_HOMES)
# Names are imported when they are first used, so that `import recsys_ae` does not import PyTorch.
__getattr__, __dir__ = lazy(__name__, _HOMES)
