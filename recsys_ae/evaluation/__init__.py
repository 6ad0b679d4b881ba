"""Evaluation: metrics of a model on held-out users, with intervals, and comparisons of two models."""

# Not lazily, as the other faces: `evaluate` and `compare` are modules too, and an import of one of these would take
# the function's place. PyTorch is not among what they import.
from recsys_ae.evaluation.compare import Comparison, compare
from recsys_ae.evaluation.estimate import Estimate
from recsys_ae.evaluation.evaluate import Ranker, evaluate
from recsys_ae.evaluation.report import Report

__all__ = ["Comparison", "Estimate", "Ranker", "Report", "compare", "evaluate"]
