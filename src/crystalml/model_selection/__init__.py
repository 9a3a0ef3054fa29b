"""Evaluation: splits by groups, metrics for rare and unseen classes, calibration, leakage."""

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
        "_folds": ["OutOfFold", "out_of_fold_probabilities"],
        "_groups": ["composition_groups", "duplicate_groups"],
        "_jitter": ["jitter_cells"],
        "_leakage._audit": ["audit_leakage"],
        "_leakage._report": ["LeakageReport"],
        "_metrics": [
            "SYMMETRY_LEVELS",
            "evaluate_probabilities",
            "floored_log_loss",
            "hierarchical_accuracy",
            "symmetry_labels",
            "top_k_accuracy",
        ],
        "_rare_classes": ["RareClasses", "handle_rare_classes"],
        "_reliability": ["expected_calibration_error", "reliability_curve"],
        "_scorers": ["ProbabilityScorer", "evaluation_scorer"],
        "_temperature": ["TemperatureScaledClassifier", "apply_temperature", "fit_temperature"],
        "_volume_report": ["volume_report"],
    },
)
