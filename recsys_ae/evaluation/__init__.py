"""Evaluation: metrics of a model on held-out users, with intervals, and comparisons of two models."""

# Not lazy: `evaluate` and `compare` are also modules, whose import would replace the functions of the same names. None
# of these modules imports PyTorch.
from recsys_ae.evaluation.compare import Comparison, compare
from recsys_ae.evaluation.estimate import Estimate
from recsys_ae.evaluation.evaluate import Ranker, evaluate
from recsys_ae.evaluation.report import Report

__all__ = ["Comparison", "Estimate", "Ranker", "Report", "compare", "evaluate"]
