"""Experiment tracking: MLflow runs of fits, and the loss curve."""

from recsys_ae.tracking.loss_curve import loss_curve
from recsys_ae.tracking.mlflow_tracker import MLflowTracker
from recsys_ae.tracking.tracker import NoTracker, Tracker

__all__ = ["MLflowTracker", "NoTracker", "Tracker", "loss_curve"]
