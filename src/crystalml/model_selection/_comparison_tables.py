"""From the outcomes of single fits to the result of a comparison."""

import numpy as np
import pandas as pd

from crystalml.model_selection._comparison import COMPARISON_METRICS, HOLD_OUT, ModelComparison


def assembled(names, results, splits, rows, y, groups, kept):
    """Put the outcomes of all fits together."""
    labels = np.unique(y)
    fold_table = _fold_table(names, results, splits)
    answers = {name: _answers(name, results, splits, y, labels) for name in names}
    fold = np.full(len(y), None, dtype=object)
    for split, (_, test) in splits.items():
        fold[test] = split
    predictions = pd.DataFrame(
        {"y_true": y, "fold": fold, **{name: labels_ for name, (labels_, _) in answers.items()}},
        index=pd.Index(rows, name="row"),
    )
    report = _report(splits, y, groups, kept)
    return ModelComparison(
        table=_table(names, fold_table),
        fold_table=fold_table,
        predictions=predictions,
        probabilities={name: y_proba for name, (_, y_proba) in answers.items()},
        labels=labels,
        rare_classes=kept.report,
        report=report,
        notes=tuple(_notes(names, fold_table, report, kept, splits)),
    )


def _fold_table(names, results, splits):
    """One row per model and split."""
    lines = []
    for name in names:
        for split, (_, test) in splits.items():
            outcome = results[name, split]
            line = {"model": name, "fold": split, "train_rows": outcome.train_rows}
            line |= {"test_rows": len(test)}
            line |= {metric: outcome.scores.get(metric, np.nan) for metric in COMPARISON_METRICS}
            lines.append(line | {"error": outcome.error})
    return pd.DataFrame(lines).astype({"error": object})


def _table(names, fold_table):
    """Mean and spread over the folds of each model, and its figures on the rows held out."""
    metrics = list(COMPARISON_METRICS)
    held_out = fold_table["fold"] == HOLD_OUT
    by_model = fold_table[~held_out].groupby("model", sort=False)[metrics]
    parts = {
        # A mean over fewer folds than the others have would not be comparable.
        "mean": by_model.agg(lambda values: values.mean(skipna=False)),
        "std": by_model.agg(lambda values: values.std(skipna=False)),
        "hold_out": fold_table[held_out].set_index("model")[metrics],
    }
    order = [(metric, part) for metric in metrics for part in parts]
    table = pd.concat(parts, axis=1).swaplevel(axis=1).reindex(index=names)
    columns = pd.MultiIndex.from_tuples(order, names=["metric", "value"])
    return table.reindex(columns=columns).rename_axis(index="model")


def _answers(name, results, splits, y, labels):
    """Labels and probabilities of a model for each row, from the split in which it was held out."""
    y_pred = np.full(len(y), None, dtype=object)
    y_proba = np.full((len(y), len(labels)), np.nan)
    for split, (_, test) in splits.items():
        outcome = results[name, split]
        if outcome.error is not None:
            continue
        y_pred[test] = outcome.y_pred
        if outcome.y_proba is not None:
            y_proba[test] = 0.0
            y_proba[np.ix_(test, np.searchsorted(labels, outcome.classes))] = outcome.y_proba
    known = all(label is not None for label in y_pred)
    return (y_pred.astype(y.dtype) if known else y_pred), y_proba


def _report(splits, y, groups, kept):
    """Count what went in, and where it went."""
    held_out = len(splits[HOLD_OUT][1]) if HOLD_OUT in splits else 0
    unseen = sum(int((~np.isin(y[test], y[train])).sum()) for train, test in splits.values())
    return {
        "rows": len(kept.mask),
        "rows_used": len(y),
        "rows_cross_validated": len(y) - held_out,
        "rows_held_out": held_out,
        "rows_of_unseen_classes": unseen,
        "groups": None if groups is None else len(np.unique(groups)),
        "folds": len(splits) - (HOLD_OUT in splits),
        "classes": len(kept.report),
        "classes_used": len(np.unique(y)),
    }


def _notes(names, fold_table, report, kept, splits):
    """Sentences that belong below the table."""
    grouped = "" if report["groups"] is None else f", in {report['groups']:,} groups"
    yield (
        f"{report['rows_cross_validated']:,} of {report['rows']:,} rows in {report['folds']} folds"
        f", {report['rows_held_out']:,} rows held out{grouped}."
    )
    changed = kept.report[kept.report["action"] != "kept"]
    if len(changed):
        yield (
            f"Rare classes {changed['action'].iloc[0]}: {len(changed)} of {report['classes']}, "
            f"with {changed['rows'].sum():,} rows."
        )
    if report["rows_of_unseen_classes"]:
        yield (
            f"{report['rows_of_unseen_classes']:,} rows were tested by models that had not seen "
            "their class; they count as errors."
        )
    for name in names:
        own = fold_table[fold_table["model"] == name]
        yield from _notes_on_model(name, own, [len(train) for train, _ in splits.values()])


def _notes_on_model(name, folds, n_train):
    """Say what was special about one model."""
    if (folds["train_rows"] < n_train).any():
        yield (
            f"{name} was fitted on {folds['train_rows'].max():,} rows drawn from "
            f"{min(n_train):,} to {max(n_train):,}, each class in proportion."
        )
    failed = folds[folds["error"].notna()]
    for error, folds_of_error in failed.groupby("error", sort=False)["fold"]:
        yield f"{name} failed (fold {', '.join(folds_of_error)}): {error}"
    worked = folds[folds["error"].isna()]
    if len(worked) and worked["log_loss"].isna().all():
        yield f"{name} has no predict_proba, and so no metrics of probabilities."
