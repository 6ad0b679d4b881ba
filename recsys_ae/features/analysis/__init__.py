"""Evaluation of feature autoencoders: metrics of codes and reconstructions, and tasks that use codes.

A function with the same name as its file is imported from that file:
``from recsys_ae.features.analysis.retrieval import retrieval``.
"""

from recsys_ae.features.analysis.anomaly import withheld, without
from recsys_ae.features.analysis.few_labels import fine_tuned, labelled
from recsys_ae.features.analysis.generation import confidence, perturbation, perturbed, precision_recall
from recsys_ae.features.analysis.neighbours import knn_accuracy
from recsys_ae.features.analysis.projection import quality
from recsys_ae.features.analysis.reconstruction import errors, extremes
from recsys_ae.features.analysis.retrieval import each_query, nearest
from recsys_ae.features.analysis.verification import augmented, pairs

__all__ = [
    "augmented",
    "confidence",
    "each_query",
    "errors",
    "extremes",
    "fine_tuned",
    "knn_accuracy",
    "labelled",
    "nearest",
    "pairs",
    "perturbation",
    "perturbed",
    "precision_recall",
    "quality",
    "withheld",
    "without",
]
