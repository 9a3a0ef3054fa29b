"""Honest evaluation: groups for splitters, and metrics that survive rare and unseen classes."""

from crystalml.model_selection._conformal import (
    conformal_scores,
    conformal_sets,
    conformal_threshold,
    set_coverage,
)
from crystalml.model_selection._groups import composition_groups
from crystalml.model_selection._hierarchy import (
    SYMMETRY_LEVELS,
    hierarchical_accuracy,
    symmetry_labels,
)
from crystalml.model_selection._jitter import jitter_cells
from crystalml.model_selection._metrics import (
    evaluate_probabilities,
    floored_log_loss,
    top_k_accuracy,
)
from crystalml.model_selection._out_of_fold import OutOfFold, out_of_fold_probabilities
from crystalml.model_selection._reliability import expected_calibration_error, reliability_curve
from crystalml.model_selection._scorers import ProbabilityScorer, evaluation_scorer
from crystalml.model_selection._temperature import apply_temperature, fit_temperature
from crystalml.model_selection._temperature_classifier import TemperatureScaledClassifier

__all__ = [
    "OutOfFold",
    "ProbabilityScorer",
    "SYMMETRY_LEVELS",
    "TemperatureScaledClassifier",
    "apply_temperature",
    "composition_groups",
    "conformal_scores",
    "conformal_sets",
    "conformal_threshold",
    "evaluate_probabilities",
    "evaluation_scorer",
    "expected_calibration_error",
    "fit_temperature",
    "floored_log_loss",
    "hierarchical_accuracy",
    "jitter_cells",
    "out_of_fold_probabilities",
    "reliability_curve",
    "set_coverage",
    "symmetry_labels",
    "top_k_accuracy",
]
