"""Honest evaluation: groups for splitters, and metrics that survive rare and unseen classes."""

from crystalml.model_selection._abstention import abstain_below, risk_coverage_curve
from crystalml.model_selection._classical import classical_grids, classical_models
from crystalml.model_selection._compare import compare_models
from crystalml.model_selection._comparison import COMPARISON_METRICS, ModelComparison
from crystalml.model_selection._conformal import (
    conformal_scores,
    conformal_sets,
    conformal_threshold,
    set_coverage,
)
from crystalml.model_selection._conformal_classifier import ConformalClassifier
from crystalml.model_selection._decision_softmax import DecisionSoftmaxClassifier
from crystalml.model_selection._duplicates import duplicate_groups
from crystalml.model_selection._groups import composition_groups
from crystalml.model_selection._hierarchy import (
    SYMMETRY_LEVELS,
    hierarchical_accuracy,
    symmetry_labels,
)
from crystalml.model_selection._jitter import jitter_cells
from crystalml.model_selection._leakage import audit_leakage
from crystalml.model_selection._leakage_report import LeakageReport
from crystalml.model_selection._metrics import (
    evaluate_probabilities,
    floored_log_loss,
    top_k_accuracy,
)
from crystalml.model_selection._out_of_fold import OutOfFold, out_of_fold_probabilities
from crystalml.model_selection._rare_classes import RareClasses, handle_rare_classes
from crystalml.model_selection._reliability import expected_calibration_error, reliability_curve
from crystalml.model_selection._scorers import ProbabilityScorer, evaluation_scorer
from crystalml.model_selection._temperature import apply_temperature, fit_temperature
from crystalml.model_selection._temperature_classifier import TemperatureScaledClassifier
from crystalml.model_selection._volume_report import volume_report

__all__ = [
    "COMPARISON_METRICS",
    "ConformalClassifier",
    "DecisionSoftmaxClassifier",
    "LeakageReport",
    "ModelComparison",
    "OutOfFold",
    "ProbabilityScorer",
    "RareClasses",
    "SYMMETRY_LEVELS",
    "TemperatureScaledClassifier",
    "abstain_below",
    "apply_temperature",
    "audit_leakage",
    "classical_grids",
    "classical_models",
    "compare_models",
    "composition_groups",
    "conformal_scores",
    "conformal_sets",
    "conformal_threshold",
    "duplicate_groups",
    "evaluate_probabilities",
    "evaluation_scorer",
    "expected_calibration_error",
    "fit_temperature",
    "floored_log_loss",
    "handle_rare_classes",
    "hierarchical_accuracy",
    "jitter_cells",
    "out_of_fold_probabilities",
    "reliability_curve",
    "risk_coverage_curve",
    "set_coverage",
    "symmetry_labels",
    "top_k_accuracy",
    "volume_report",
]
