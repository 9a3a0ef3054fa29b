"""Pictures: each function takes data and an optional Axes, and returns the Axes."""

from crystalml._lazy import lazy_exports

# matplotlib loads with the first plot, not with the package.
__getattr__, __dir__, __all__ = lazy_exports(
    __name__,
    {
        "_by_symmetry": ("plot_by_symmetry",),
        "_cell_histograms": ("plot_angle_deviations", "plot_cell_angles", "plot_cell_lengths"),
        "_cell_shapes": (
            "plot_axis_ratio_densities",
            "plot_axis_ratio_scatter",
            "plot_shape_factor",
            "plot_volume_anisotropy",
        ),
        "_class_errors": ("plot_class_errors",),
        "_confusion": ("plot_confusion_matrix",),
        "_counts": ("plot_element_counts", "plot_most_frequent"),
        "_importances": ("plot_feature_importances",),
        "_interatomic_distances": ("plot_bond_lengths", "plot_radial_distribution"),
        "_learning_curve": ("plot_learning_curve",),
        "_model_comparison": ("plot_model_comparison", "plot_ranking"),
        "_regression": (
            "plot_predictions",
            "plot_regression_diagnostics",
            "plot_residual_distribution",
            "plot_residuals",
        ),
        "_rejection": ("plot_rejection_curve",),
        "_relations": ("plot_correlations", "plot_scatter_matrix"),
        "_reliability": ("plot_reliability",),
        "_sample_consistency": ("plot_sample_consistency",),
        "_structures": ("plot_structures",),
    },
)
