"""Evaluation: metrics of models and of top-N lists on held-out users, comparisons, leaderboards, and a gate."""

# Not lazy: `evaluate`, `compare`, `leaderboard` and `gate` are also modules, whose import would replace the functions
# of the same names. None of these modules imports PyTorch.
from recsys_ae.evaluation.compare import Comparison, compare
from recsys_ae.evaluation.estimate import Estimate
from recsys_ae.evaluation.evaluate import Ranker, evaluate
from recsys_ae.evaluation.gate import Verdict, gate
from recsys_ae.evaluation.leaderboard import leaderboard
from recsys_ae.evaluation.lists import evaluate_lists
from recsys_ae.evaluation.report import Report
from recsys_ae.evaluation.standings import Leaderboard

__all__ = [
    "Comparison",
    "Estimate",
    "Leaderboard",
    "Ranker",
    "Report",
    "Verdict",
    "compare",
    "evaluate",
    "evaluate_lists",
    "gate",
    "leaderboard",
]
