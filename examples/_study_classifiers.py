"""Space groups from cells: six classical models and a net, with mistakes and without."""

import numpy as np
import pandas as pd
from sklearn.metrics import accuracy_score, f1_score
from sklearn.model_selection import PredefinedSplit
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from _study_data import CELL, HONEST_COLUMNS, LEAKING_COLUMNS, random_split, system_split
from _study_pictures import draw_comparison, draw_importances, draw_net
from _study_report import Finding, figure, markdown_table
from crystalml import MLPNetClassifier
from crystalml.model_selection import audit_leakage, classical_models, compare_models

STUDY_ACCURACY = {
    "decision_tree": "0.99",
    "random_forest": "0.97",
    "logistic_regression": "0.77",
    "svm": "0.73",
    "adaboost": "0.60",
    "k_nearest_neighbours": "0.58",
}
SVM_ROWS = 1000
NET_METRICS = {
    "accuracy": ("0.599", accuracy_score),
    "weighted F1": ("0.557", lambda *y: f1_score(*y, average="weighted", zero_division=0)),
    "macro F1": ("0.210", lambda *y: f1_score(*y, average="macro", zero_division=0)),
}


def study_matrix(rows):
    """Every numeric column, the answer among them, scaled by one scaler for all rows."""
    return StandardScaler().fit_transform(rows.table[HONEST_COLUMNS + LEAKING_COLUMNS])


def audit(rows, options):
    """Ask about the table and the split of the study, before anything is fitted."""
    table = pd.DataFrame(study_matrix(rows), columns=HONEST_COLUMNS + LEAKING_COLUMNS)
    found = audit_leakage(
        table,
        rows.y,
        split=random_split(rows, options.seed),
        formulas=rows.table["formula"],
        cells=rows.table[CELL],
    ).table
    lines = [
        (row.severity, ", ".join(row.columns) or "(rows)", row.evidence)
        for row in found[found["severity"] != "note"].itertuples()
    ]
    table = markdown_table(("severity", "columns", "evidence"), lines)
    return [], [], [f"## What the audit says\n\n{table}"]


def classifiers(rows, options):
    """Compare the six models by cross-validation and on a fifth of the rows, twice."""
    settings = {
        "cv": options.folds,
        "random_state": options.seed,
        "n_jobs": options.jobs,
        "progress": options.progress,
    }
    limited = settings | {"max_rows": {"svm": SVM_ROWS}}
    models = classical_models(random_state=options.seed)
    mistaken = compare_models(models, study_matrix(rows), rows.y, **limited)
    inputs = rows.table[HONEST_COLUMNS]
    honest = compare_models(models, inputs, rows.y, groups=rows.systems, **limited)
    baseline = f"{_accuracy(honest, 'prior')} by frequency"
    findings = [
        Finding(
            f"accuracy, {name.replace('_', ' ')}",
            STUDY_ACCURACY[name],
            _accuracy(mistaken, name),
            _accuracy(honest, name),
            baseline,
        )
        for name in models
    ]
    draw_comparison(options.output, rows, mistaken, honest)
    forest = models["random_forest"].fit(study_matrix(rows), rows.y)
    draw_importances(options.output, forest, HONEST_COLUMNS + LEAKING_COLUMNS)
    looked_up = [_accuracy(run, "nearest_neighbour") for run in (mistaken, honest)]
    about_models = (
        f"Classical models: accuracy over {options.folds} folds, and in parentheses on a fifth of "
        "the rows held out. The support vector machine was fitted on at most "
        f"{SVM_ROWS:,} rows of each split, since its time grows with their square."
    )
    about_neighbours = (
        f"Nearest neighbour, looked up and not learned: {looked_up[0]} with the mistakes, "
        f"{looked_up[1]} without."
    )
    notes = [about_models, about_neighbours]
    return findings, notes, [_one_by_one(rows, settings)]


def _accuracy(comparison, name):
    accuracy = comparison.table.loc[name, "accuracy"]
    return f"{figure(accuracy['mean'])} ({figure(accuracy['hold_out'])})"


def _one_by_one(rows, settings):
    """Take the mistakes away one after the other."""
    chosen = ("decision_tree", "k_nearest_neighbours")
    models = {k: m for k, m in classical_models(settings["random_state"]).items() if k in chosen}
    matrix, inputs = study_matrix(rows), rows.table[HONEST_COLUMNS]
    stages = {
        "all mistakes": (matrix, None),
        "without space-group number and Hall symbol": (matrix[:, : len(HONEST_COLUMNS)], None),
        "and scaled in each fold": (inputs, None),
        "and whole chemical systems held out": (inputs, rows.systems),
    }
    lines = []
    for stage, (X, groups) in stages.items():
        table = compare_models(models, X, rows.y, groups=groups, test_size=None, **settings).table
        scores = [table.loc[name, ("accuracy", "mean")] for name in (*chosen, "nearest_neighbour")]
        lines.append((stage, *map(figure, scores)))
    header = ("accuracy, cross-validated", "decision tree", "five neighbours", "one neighbour")
    return "## Mistake by mistake\n\n" + markdown_table(header, lines)


def space_group_net(rows, options):
    """Train the study's net on its columns, stopped on the test rows; then on honest terms."""
    train, test = random_split(rows, options.seed)
    X = study_matrix(rows)
    mistaken = stop_on_test_rows(_net(options), test, len(rows.y)).fit(X, rows.y)
    with_mistakes = _scores(rows.y[test], mistaken.predict(X[test]))

    train, test = system_split(rows, options.seed)
    inputs = rows.table[HONEST_COLUMNS]
    honest = make_pipeline(StandardScaler(), _net(options))
    groups = {"mlpnetclassifier__groups": rows.systems[train]}
    honest.fit(inputs.iloc[train], rows.y[train], **groups)
    without = _scores(rows.y[test], honest.predict(inputs.iloc[test]))

    # One mistake alone: test rows decide when to stop. And all of them but the answer.
    scaled = StandardScaler().fit(inputs.iloc[train]).transform(inputs)
    stopped = stop_on_test_rows(_net(options), test, len(rows.y)).fit(scaled, rows.y)
    flattered = _scores(rows.y[test], stopped.predict(scaled[test]))
    _, seen = random_split(rows, options.seed)
    X = X[:, : len(HONEST_COLUMNS)]
    blind = stop_on_test_rows(_net(options), seen, len(rows.y)).fit(X, rows.y)
    without_answer = _scores(rows.y[seen], blind.predict(X[seen]))

    most_frequent = pd.Series(rows.y[train]).mode()[0]
    baseline = _scores(rows.y[test], np.full(len(test), most_frequent))
    findings = [
        Finding(
            f"{metric}, MLP",
            study,
            with_mistakes[metric],
            without[metric],
            f"{baseline[metric]} by frequency",
        )
        for metric, (study, _) in NET_METRICS.items()
    ]
    draw_net(options.output, mistaken, honest[-1], rows.y[test], honest, inputs.iloc[test])
    about_epochs = (
        f"MLP: {mistaken.n_iter_} epochs with the mistakes, {honest[-1].n_iter_} without. Of its "
        "mistakes, stopping on the test rows alone, all else honest, makes an accuracy of "
        f"{flattered['accuracy']} out of {without['accuracy']}; all but the space-group number and "
        f"the Hall symbol make {', '.join(f'{k} {v}' for k, v in without_answer.items())}."
    )
    return findings, [about_epochs], []


def _net(options):
    epochs = {"max_epochs": options.epochs} if options.epochs else {}
    return MLPNetClassifier(random_state=options.seed, progress=options.progress, **epochs)


def stop_on_test_rows(net, test, n_rows):
    """Let the rows of the test decide when training ends, and which weights are kept."""
    fold = np.full(n_rows, -1)
    fold[test] = 0
    return net.set_params(validation_splitter=PredefinedSplit(fold))


def _scores(y_true, y_pred):
    return {name: figure(score(y_true, y_pred)) for name, (_, score) in NET_METRICS.items()}
