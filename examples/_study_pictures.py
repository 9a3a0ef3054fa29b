"""The pictures of the study: of its data, its models and its errors."""

from importlib.util import find_spec
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np

from _study_data import CELL, HONEST_COLUMNS
from crystalml import CellDescriptors, plotting, read_cifs
from crystalml.crystallography import crystal_system

DPI = 110


def save(folder, name, figure):
    """Write a figure and close it."""
    figure.savefig(folder / f"{name}.png", dpi=DPI, bbox_inches="tight")
    plt.close(figure)


def draw_data(folder, rows):
    """Draw what the study shows of its table, one file for each picture."""
    cells, groups = rows.table[CELL], rows.y
    systems = crystal_system(groups)
    described = CellDescriptors().set_output(transform="pandas").fit_transform(cells)
    inverse = described["inverse_volume"]
    pictures = {
        "frequent_space_groups": (plotting.plot_most_frequent, groups, {}),
        "frequent_hall_symbols": (
            plotting.plot_most_frequent,
            rows.table["hall_symbol"],
            {"kind": "hall_symbol"},
        ),
        "frequent_formulas": (
            plotting.plot_most_frequent,
            rows.table["formula"],
            {"kind": "formula"},
        ),
        "elements": (plotting.plot_element_counts, rows.table["formula"], {}),
        "cell_lengths": (plotting.plot_cell_lengths, cells, {}),
        "cell_angles": (plotting.plot_cell_angles, cells, {}),
        "angle_deviations": (plotting.plot_angle_deviations, cells, {}),
        "axis_ratio_densities": (plotting.plot_axis_ratio_densities, cells, {}),
        "axis_ratio_scatter": (plotting.plot_axis_ratio_scatter, cells, {"groups": systems}),
        "volume_and_anisotropy": (plotting.plot_volume_anisotropy, cells, {}),
        "shape_factor_and_volume": (plotting.plot_shape_factor, cells, {}),
        "correlations": (plotting.plot_correlations, rows.table[HONEST_COLUMNS], {}),
    }
    for name, (plot, data, options) in pictures.items():
        save(folder, name, plot(data, **options).figure)
    by_group = {
        "volume": (rows.table["volume"], {"kind": "box", "log": True}),
        "anisotropy": (described["anisotropy"], {"kind": "box"}),
        "beta": (rows.table["beta"], {"level": "lattice_system", "kind": "violin"}),
        "c_over_a": (described["c_over_a"], {"level": "lattice_system", "kind": "violin"}),
        "inverse_volume": (inverse, {"level": "lattice_system", "kind": "box", "log": True}),
    }
    for name, (values, options) in by_group.items():
        ax = plotting.plot_by_symmetry(values, groups, **options)
        save(folder, f"{name}_by_{options.get('level', 'space_group')}", ax.figure)
    columns = ["a", "b", "c", "volume"]
    axes = plotting.plot_scatter_matrix(rows.table[columns], systems, log=columns)
    save(folder, "scatter_matrix", np.ravel(axes)[0].figure)


def draw_structures(folder, n_structures=3):
    """Draw minerals that come with ASE; the packaged data has cells, but no atoms."""
    minerals = Path(find_spec("ase").origin).parent / "test" / "testdata" / "minerals"
    table = read_cifs(minerals)
    usable = table[table["status"] == "ok"].sort_values("n_sites").head(n_structures)
    files, names = usable["source"].tolist(), usable["formula"].tolist()
    axes = plotting.plot_structures(files, names=names)
    save(folder, "structures", np.ravel(axes)[0].figure)
    save(folder, "bond_lengths", plotting.plot_bond_lengths(files).figure)


def draw_comparison(folder, rows, mistaken, honest):
    """Draw both comparisons, who is right on which crystal, and the errors that are honest."""
    figure, axes = plt.subplots(1, 2, figsize=(13, 4.6), layout="constrained", sharex=True)
    for ax, (title, comparison) in zip(
        axes, {"mistakes on": mistaken, "mistakes off": honest}.items(), strict=True
    ):
        plotting.plot_ranking(comparison, ax=ax).set_xlabel(f"accuracy, {title}")
    save(folder, "ranking", figure)
    save(folder, "comparison", plotting.plot_model_comparison(honest).figure)
    held_out = honest.predictions[honest.predictions["fold"] == "hold-out"]
    names = rows.table["formula"].to_numpy()[held_out.index]
    ax = plotting.plot_sample_consistency(
        held_out["y_true"],
        held_out[honest.models],
        sample_names=names,
        spacegroups=True,
        random_state=0,
    )
    save(folder, "sample_consistency", ax.figure)
    draw_errors(folder, honest.predictions["y_true"], honest.predictions["random_forest"])


def draw_errors(folder, y_true, y_pred):
    """Draw confusion matrices, all and the worst, and what is missed against wrongly claimed."""
    y_true, y_pred = np.asarray(y_true, dtype=int), np.asarray(y_pred, dtype=int)
    figure, (left, right) = plt.subplots(1, 2, figsize=(13.5, 5.6), layout="constrained")
    plotting.plot_confusion_matrix(y_true, y_pred, ax=left)
    plotting.plot_confusion_matrix(y_true, y_pred, level="space_group", worst=8, ax=right)
    save(folder, "confusion", figure)
    save(folder, "class_errors", plotting.plot_class_errors(y_true, y_pred).figure)


def draw_importances(folder, forest, names):
    """Draw what a forest looks at that is given the answer."""
    ax = plotting.plot_feature_importances(forest[-1].feature_importances_, names)
    ax.set_title("Random forest, mistakes on")
    save(folder, "importances", ax.figure)


def draw_net(folder, mistaken, honest, y_true, model, inputs):
    """Draw the training of both nets, and how far the honest one can be trusted."""
    figure, axes = plt.subplots(2, 2, figsize=(12, 8.5), layout="constrained")
    nets = {"mistakes on, stopped on the test rows": mistaken, "mistakes off": honest}
    for column, (title, net) in enumerate(nets.items()):
        for row, metric in enumerate(("loss", "accuracy")):
            ax = plotting.plot_learning_curve(net.history_, metric=metric, ax=axes[row, column])
            ax.set_title(title)
    save(folder, "learning_curves", figure)
    proba = model.predict_proba(inputs)
    ax = plotting.plot_reliability(y_true, proba, labels=model.classes_, name="MLP, mistakes off")
    save(folder, "reliability", ax.figure)


def draw_volumes(folder, with_mistakes, without):
    """Draw predictions and residuals of every net on the logarithmic scale of the training."""
    volume, predictions = without
    without = np.log1p(volume), {name: np.log1p(values) for name, values in predictions.items()}
    for run, (true, predicted) in {"on": with_mistakes, "off": without}.items():
        for name, values in predicted.items():
            axes = plotting.plot_regression_diagnostics(
                true, values, quantity="log(1 + volume)", unit=""
            )
            figure = np.ravel(axes)[0].figure
            figure.suptitle(f"{name}, mistakes {run}")
            save(folder, f"volume_{name}_mistakes_{run}".lower(), figure)
