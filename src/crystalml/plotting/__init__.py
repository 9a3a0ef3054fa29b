"""Pictures: each function takes data and an optional Axes, and returns the Axes."""

from crystalml._lazy import lazy_exports

# matplotlib loads with the first plot, not with the package.
__getattr__, __dir__, __all__ = lazy_exports(
    __name__,
    {
        "_confusion": ("plot_confusion_matrix",),
        "_learning_curve": ("plot_learning_curve",),
        "_model_comparison": ("plot_model_comparison", "plot_ranking"),
        "_rejection": ("plot_rejection_curve",),
        "_reliability": ("plot_reliability",),
        "_sample_consistency": ("plot_sample_consistency",),
    },
)
