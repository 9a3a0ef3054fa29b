# What a type checker sees in place of the lazy exports of __init__.py; a test compares them.
from crystalml.plotting._by_symmetry import plot_by_symmetry as plot_by_symmetry
from crystalml.plotting._cell_histograms import plot_angle_deviations as plot_angle_deviations
from crystalml.plotting._cell_histograms import plot_cell_angles as plot_cell_angles
from crystalml.plotting._cell_histograms import plot_cell_lengths as plot_cell_lengths
from crystalml.plotting._cell_shapes import plot_axis_ratio_densities as plot_axis_ratio_densities
from crystalml.plotting._cell_shapes import plot_axis_ratio_scatter as plot_axis_ratio_scatter
from crystalml.plotting._cell_shapes import plot_shape_factor as plot_shape_factor
from crystalml.plotting._cell_shapes import plot_volume_anisotropy as plot_volume_anisotropy
from crystalml.plotting._class_errors import plot_class_errors as plot_class_errors
from crystalml.plotting._confusion import plot_confusion_matrix as plot_confusion_matrix
from crystalml.plotting._counts import plot_element_counts as plot_element_counts
from crystalml.plotting._counts import plot_most_frequent as plot_most_frequent
from crystalml.plotting._importances import plot_feature_importances as plot_feature_importances
from crystalml.plotting._interatomic_distances import plot_bond_lengths as plot_bond_lengths
from crystalml.plotting._interatomic_distances import (
    plot_radial_distribution as plot_radial_distribution,
)
from crystalml.plotting._learning_curve import plot_learning_curve as plot_learning_curve
from crystalml.plotting._model_comparison import plot_model_comparison as plot_model_comparison
from crystalml.plotting._model_comparison import plot_ranking as plot_ranking
from crystalml.plotting._regression import plot_predictions as plot_predictions
from crystalml.plotting._regression import (
    plot_regression_diagnostics as plot_regression_diagnostics,
)
from crystalml.plotting._regression import plot_residual_distribution as plot_residual_distribution
from crystalml.plotting._regression import plot_residuals as plot_residuals
from crystalml.plotting._rejection import plot_rejection_curve as plot_rejection_curve
from crystalml.plotting._relations import plot_correlations as plot_correlations
from crystalml.plotting._relations import plot_scatter_matrix as plot_scatter_matrix
from crystalml.plotting._reliability import plot_reliability as plot_reliability
from crystalml.plotting._sample_consistency import (
    plot_sample_consistency as plot_sample_consistency,
)
from crystalml.plotting._structures import plot_structures as plot_structures
