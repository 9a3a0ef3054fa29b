"""Space groups from compositions, beside all columns of the study's table and without them."""

import numpy as np
from sklearn.dummy import DummyClassifier
from sklearn.ensemble import RandomForestClassifier
from sklearn.metrics import f1_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from _study_data import HONEST_COLUMNS, LEAKING_COLUMNS, random_split, system_split
from _study_report import Finding, figure
from crystalml import CompositionDescriptors

STUDY_F1 = "0.85"
# All numeric columns: with the study's nine what the solved cell contains.
NUMERIC = [*HONEST_COLUMNS, "n_atoms", *LEAKING_COLUMNS]


def composition(rows, options):
    """Fit a forest to composition and table on random rows; then to the composition alone."""
    described = CompositionDescriptors().fit_transform(rows.table[["formula"]])
    X = StandardScaler().fit_transform(np.hstack([described, rows.table[NUMERIC]]))
    forest = RandomForestClassifier(100, random_state=options.seed)
    random, whole = random_split(rows, options.seed), system_split(rows, options.seed)
    mistaken = f1_of(forest, X, rows.y, random)
    # Descriptors depend on one row alone: this is the composition, and nothing was fitted to it.
    honest = make_pipeline(StandardScaler(), forest)
    findings = [
        Finding(
            "weighted F1, composition classifier",
            STUDY_F1,
            figure(mistaken),
            figure(f1_of(honest, described, rows.y, whole)),
            f"{figure(f1_of(DummyClassifier(), described, rows.y, whole))} by frequency",
        )
    ]
    relatives = figure(f1_of(honest, described, rows.y, random))
    note = (
        "What the composition classifier of the study was fitted on is not known in detail. Here "
        "it is a random forest on the descriptors of Ward et al. (2016), with the mistakes joined "
        "by all numeric columns: the nine of its table and the number of atoms in the cell. "
        f"Composition alone, random rows held out: {relatives}."
    )
    return findings, [note], []


def f1_of(model, X, y, split):
    """Weighted F1 on the test rows of a split."""
    train, test = split
    predicted = model.fit(X[train], y[train]).predict(X[test])
    return f1_score(y[test], predicted, average="weighted", zero_division=0)
