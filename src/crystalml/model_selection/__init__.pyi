# What a type checker sees in place of the lazy exports of __init__.py; a test compares them.
from crystalml.model_selection._abstention import abstain_below as abstain_below
from crystalml.model_selection._abstention import risk_coverage_curve as risk_coverage_curve
from crystalml.model_selection._classical import classical_grids as classical_grids
from crystalml.model_selection._classical import classical_models as classical_models
from crystalml.model_selection._compare import compare_models as compare_models
from crystalml.model_selection._comparison import COMPARISON_METRICS as COMPARISON_METRICS
from crystalml.model_selection._comparison import ModelComparison as ModelComparison
from crystalml.model_selection._conformal import conformal_scores as conformal_scores
from crystalml.model_selection._conformal import conformal_sets as conformal_sets
from crystalml.model_selection._conformal import conformal_threshold as conformal_threshold
from crystalml.model_selection._conformal import set_coverage as set_coverage
from crystalml.model_selection._conformal_classifier import (
    ConformalClassifier as ConformalClassifier,
)
from crystalml.model_selection._decision_softmax import (
    DecisionSoftmaxClassifier as DecisionSoftmaxClassifier,
)
from crystalml.model_selection._folds import OutOfFold as OutOfFold
from crystalml.model_selection._folds import (
    out_of_fold_probabilities as out_of_fold_probabilities,
)
from crystalml.model_selection._groups import composition_groups as composition_groups
from crystalml.model_selection._groups import duplicate_groups as duplicate_groups
from crystalml.model_selection._jitter import jitter_cells as jitter_cells
from crystalml.model_selection._leakage._audit import audit_leakage as audit_leakage
from crystalml.model_selection._leakage._report import LeakageReport as LeakageReport
from crystalml.model_selection._metrics import SYMMETRY_LEVELS as SYMMETRY_LEVELS
from crystalml.model_selection._metrics import evaluate_probabilities as evaluate_probabilities
from crystalml.model_selection._metrics import floored_log_loss as floored_log_loss
from crystalml.model_selection._metrics import hierarchical_accuracy as hierarchical_accuracy
from crystalml.model_selection._metrics import symmetry_labels as symmetry_labels
from crystalml.model_selection._metrics import top_k_accuracy as top_k_accuracy
from crystalml.model_selection._rare_classes import RareClasses as RareClasses
from crystalml.model_selection._rare_classes import handle_rare_classes as handle_rare_classes
from crystalml.model_selection._reliability import (
    expected_calibration_error as expected_calibration_error,
)
from crystalml.model_selection._reliability import reliability_curve as reliability_curve
from crystalml.model_selection._scorers import ProbabilityScorer as ProbabilityScorer
from crystalml.model_selection._scorers import evaluation_scorer as evaluation_scorer
from crystalml.model_selection._temperature import (
    TemperatureScaledClassifier as TemperatureScaledClassifier,
)
from crystalml.model_selection._temperature import apply_temperature as apply_temperature
from crystalml.model_selection._temperature import fit_temperature as fit_temperature
from crystalml.model_selection._volume_report import volume_report as volume_report
