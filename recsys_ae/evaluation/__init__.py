"""How good is it, and how sure are we."""

from recsys_ae.evaluation.compare import Comparison, compare
from recsys_ae.evaluation.estimate import Estimate
from recsys_ae.evaluation.evaluate import Ranker, evaluate
from recsys_ae.evaluation.report import Report

__all__ = ["Comparison", "Estimate", "Ranker", "Report", "compare", "evaluate"]
