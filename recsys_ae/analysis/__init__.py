"""What autoencoders of features are good for: measures of codes and reconstructions, and the tasks they serve."""

from recsys_ae.analysis.generation import confidence, perturbation, perturbed, precision_recall
from recsys_ae.analysis.projection import quality
from recsys_ae.analysis.reconstruction import errors, extremes

__all__ = [
    "confidence",
    "errors",
    "extremes",
    "perturbation",
    "perturbed",
    "precision_recall",
    "quality",
]
