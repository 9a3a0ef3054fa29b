"""Volumes of cells from their parameters: three nets, and the formula that needs none."""

import numpy as np
from sklearn.metrics import r2_score
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import FunctionTransformer, StandardScaler

from _study_classifiers import stop_on_test_rows
from _study_data import CELL, random_split, system_split
from _study_pictures import draw_volumes
from _study_report import Finding, figure
from crystalml import MLPNetRegressor, TabNetRegressor, WideDeepNetRegressor, log_volume
from crystalml.crystallography import cell_problems
from crystalml.model_selection import volume_report

STUDY_R2 = {"MLP": "0.9972", "wide-and-deep": "0.44", "TabNet": "0.9255"}
# The study trained its large nets for up to 300 and 200 epochs.
FEWER_EPOCHS = {"MLP": 200, "wide-and-deep": 8, "TabNet": 40}
ANALYTIC, LENGTHS = [6], [0, 1, 2]  # wide columns: of the study's matrix, and of `log_cells`


def volumes(rows, options):
    """Fit every net twice; the formula stands beside them."""
    on, off = _with_mistakes(rows, options), _without(rows, options)
    findings = [
        Finding(
            f"R^2 of the volume, {name}",
            study,
            figure(r2_score(on[0], on[1][name])),
            figure(r2_score(off[0], off[1][name])),
            f"{off[2]:.4f} by the formula",
        )
        for name, study in STUDY_R2.items()
    ]
    draw_volumes(options.output, on[:2], off[:2])
    volume = np.expm1(on[0])
    in_cubic = ", ".join(
        f"{figure(r2_score(volume, np.expm1(log)))} ({name})" for name, log in on[1].items()
    )
    note = (
        "Volumes: with the mistakes R^2 is that of log(1 + V), as it was learned, since the study "
        f"gives its own on scaled data; of the same predictions in Å^3 it is {in_cubic}. Without, "
        "it is that of volumes in Å^3."
    )
    cells = rows.table[CELL]
    return findings, [note, _epochs_note(options), _analytic_note(cells, rows.table["volume"])], []


def _with_mistakes(rows, options):
    """Logarithms of the test volumes, and what nets say that saw them when they stopped."""
    volume, X = rows.table["volume"].to_numpy(), study_matrix(rows.table[CELL])
    _, test = random_split(rows, options.seed)
    predicted = {}
    for name in STUDY_R2:
        net = stop_on_test_rows(_net(name, ANALYTIC, options), test, len(volume))
        predicted[name] = log_volume(net).fit(X, volume).regressor_.predict(X[test])
    return np.log1p(volume[test]), predicted


def _without(rows, options):
    """Volumes of new chemical systems, what nets say of them, and R^2 of the formula."""
    volume, cells = rows.table["volume"].to_numpy(), rows.table[CELL]
    train, test = system_split(rows, options.seed)
    predicted = {}
    for name in STUDY_R2:
        model = honest_model(_net(name, LENGTHS, options))
        model.fit(cells.iloc[train], volume[train], net__groups=rows.systems[train])
        predicted[name] = model.predict(cells.iloc[test])
    report = volume_report(volume[test], predicted, cells.iloc[test])
    return volume[test], predicted, report.loc["exact formula", "r2"]


def study_matrix(cells):
    """Six standardised parameters, and a volume computed from them as if they were a cell."""
    scaled = StandardScaler().fit_transform(cells)
    return np.column_stack([scaled, volume_of_standardised(scaled)])


def volume_of_standardised(scaled):
    """Put numbers around zero into the formula for lengths in Å and angles in degrees."""
    cosines = np.cos(np.radians(scaled[:, 3:]))
    radicand = 1 - (cosines**2).sum(axis=1) + 2 * cosines.prod(axis=1)
    return scaled[:, :3].prod(axis=1) * np.sqrt(np.clip(radicand, 0, None))


def log_cells(cells):
    """Logarithms of a, b, c and cosines of alpha, beta, gamma, of which volumes are made."""
    cells = np.asarray(cells)
    return np.hstack([np.log(cells[:, :3]), np.cos(np.radians(cells[:, 3:]))])


def honest_model(net):
    """Everything that learns stands in one pipeline; rows of its own end the training."""
    steps = [("describe", FunctionTransformer(log_cells)), ("scale", StandardScaler())]
    return log_volume(Pipeline([*steps, ("net", net)]))


def _net(name, wide, options):
    settings = {
        "max_epochs": options.epochs or FEWER_EPOCHS[name],
        "random_state": options.seed,
        "progress": options.progress,
    }
    if name == "wide-and-deep":
        return WideDeepNetRegressor(wide_features=wide, **settings)
    return {"MLP": MLPNetRegressor, "TabNet": TabNetRegressor}[name](**settings)


def _epochs_note(options):
    epochs = {name: options.epochs or most for name, most in FEWER_EPOCHS.items()}
    listed = ", ".join(f"{most} epochs of the {name}" for name, most in epochs.items())
    return f"Volumes: at most {listed}."


def _analytic_note(cells, volume):
    scaled = StandardScaler().fit_transform(cells)
    impossible = np.mean([problem is not None for problem in cell_problems(scaled)])
    correlation = np.corrcoef(volume_of_standardised(scaled), volume)[0, 1]
    return (
        "The analytic volume of standardised parameters is none: "
        f"{100 * impossible:.1f}% of them are no unit cell, and what the formula makes of them has "
        f"a correlation of {correlation:.2f} with the volume."
    )
