"""Honest evaluation: groups for splitters, and metrics that survive rare and unseen classes."""

from crystalml._lazy import lazy_exports

__getattr__, __dir__, __all__ = lazy_exports(
    __name__,
    {
        "_abstention": ["abstain_below", "risk_coverage_curve"],
        "_classical": ["classical_grids", "classical_models"],
        "_compare": ["compare_models"],
        "_comparison": ["COMPARISON_METRICS", "ModelComparison"],
        "_conformal": ["conformal_scores", "conformal_sets", "conformal_threshold", "set_coverage"],
        "_conformal_classifier": ["ConformalClassifier"],
        "_decision_softmax": ["DecisionSoftmaxClassifier"],
        "_duplicates": ["duplicate_groups"],
        "_groups": ["composition_groups"],
        "_hierarchy": ["SYMMETRY_LEVELS", "hierarchical_accuracy", "symmetry_labels"],
        "_jitter": ["jitter_cells"],
        "_leakage": ["audit_leakage"],
        "_leakage_report": ["LeakageReport"],
        "_metrics": ["evaluate_probabilities", "floored_log_loss", "top_k_accuracy"],
        "_out_of_fold": ["OutOfFold", "out_of_fold_probabilities"],
        "_rare_classes": ["RareClasses", "handle_rare_classes"],
        "_reliability": ["expected_calibration_error", "reliability_curve"],
        "_scorers": ["ProbabilityScorer", "evaluation_scorer"],
        "_temperature": ["apply_temperature", "fit_temperature"],
        "_temperature_classifier": ["TemperatureScaledClassifier"],
        "_volume_report": ["volume_report"],
    },
)
