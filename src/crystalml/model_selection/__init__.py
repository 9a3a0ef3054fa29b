"""Honest evaluation: groups for splitters, and metrics that survive rare and unseen classes."""

from crystalml.model_selection._groups import composition_groups
from crystalml.model_selection._hierarchy import (
    SYMMETRY_LEVELS,
    hierarchical_accuracy,
    symmetry_labels,
)
from crystalml.model_selection._metrics import (
    evaluate_probabilities,
    floored_log_loss,
    top_k_accuracy,
)
from crystalml.model_selection._reliability import expected_calibration_error, reliability_curve
from crystalml.model_selection._scorers import ProbabilityScorer, evaluation_scorer

__all__ = [
    "ProbabilityScorer",
    "SYMMETRY_LEVELS",
    "composition_groups",
    "evaluate_probabilities",
    "evaluation_scorer",
    "expected_calibration_error",
    "floored_log_loss",
    "hierarchical_accuracy",
    "reliability_curve",
    "symmetry_labels",
    "top_k_accuracy",
]
