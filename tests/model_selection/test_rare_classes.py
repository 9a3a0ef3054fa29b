"""Rare classes: nothing vanishes without a count."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from crystalml.datasets import load_cod_inorganic
from crystalml.exceptions import InvalidInputError
from crystalml.model_selection import handle_rare_classes

Y = [14] * 5 + [62] * 3 + [2] + [225]


def test_drop():
    y, mask, report = handle_rare_classes(Y, min_count=3)
    assert y.tolist() == Y[:8]
    assert mask.tolist() == [True] * 8 + [False] * 2
    assert report.index.tolist() == [14, 62, 2, 225]
    assert report["rows"].tolist() == [5, 3, 1, 1]
    assert report["action"].tolist() == ["kept", "kept", "dropped", "dropped"]


def test_merge_and_keep():
    merged = handle_rare_classes(Y, min_count=3, policy="merge", merged_label=0)
    assert merged.y.tolist() == [*Y[:8], 0, 0]
    assert merged.y.dtype == np.asarray(Y).dtype
    assert merged.mask.all()
    assert merged.report["action"].tolist() == ["kept", "kept", "merged", "merged"]
    kept = handle_rare_classes(Y, min_count=3, policy="keep")
    assert kept.y.tolist() == Y
    assert kept.report["action"].tolist() == ["kept"] * 4


@pytest.mark.parametrize("dtype", [object, str])
def test_text_labels_may_be_shorter_than_the_merged_one(dtype):
    y = np.array(["Cc", "P1", "P1"], dtype=dtype)
    merged = handle_rare_classes(y, min_count=2, policy="merge", merged_label="few entries")
    assert merged.y.tolist() == ["few entries", "P1", "P1"]


def test_groups_count_in_place_of_rows():
    groups = ["a"] * 5 + ["b", "c", "d"] + ["e", "f"]
    result = handle_rare_classes(pd.Series(Y), min_count=3, groups=groups)
    assert result.y.tolist() == [62] * 3, "five rows of 14 are one compound"
    assert result.report.loc[14].tolist() == [5, 1, "dropped"]


def test_counts_of_the_packaged_data():
    y = load_cod_inorganic(subset="all").target
    result = handle_rare_classes(y, min_count=5)
    counts = y.value_counts()
    assert result.mask.sum() == counts[counts >= 5].sum()
    assert (result.report["action"] == "dropped").sum() == (counts < 5).sum() > 0
    assert result.report["rows"].sum() == len(y)


@given(st.lists(st.integers(1, 9), min_size=1, max_size=60), st.integers(1, 10))
def test_every_row_is_accounted_for(y, min_count):
    merged = handle_rare_classes(y, min_count=min_count, policy="merge", merged_label=0)
    report = merged.report
    assert report["rows"].sum() == len(y)
    assert (merged.y == 0).sum() == report["rows"][report["action"] == "merged"].sum()
    if (report["action"] == "kept").any():
        dropped = handle_rare_classes(y, min_count=min_count)
        assert dropped.y.tolist() == np.array(y)[dropped.mask].tolist()
        assert pd.Series(dropped.y).value_counts().min() >= min_count
    else:
        with pytest.raises(InvalidInputError, match="no row is left"):
            handle_rare_classes(y, min_count=min_count)


@pytest.mark.parametrize(
    ("y", "arguments", "reason"),
    [
        (Y, {"policy": "remove"}, "got 'remove'"),
        (Y, {"min_count": 0}, "got 0"),
        (Y, {"min_count": 2.5}, "got 2.5"),
        (Y, {"policy": "merge"}, "merged_label .* got None"),
        (Y, {"policy": "merge", "merged_label": 14}, "got 14"),
        (Y, {"policy": "merge", "merged_label": "rare"}, "must be a number"),
        (Y, {"groups": [1, 2]}, r"10 labels and groups of shape \(2,\)"),
        (["a", None], {}, "1 missing labels .first: row 1"),
        ([], {}, r"shape \(0,\)"),
        ([[1], [2]], {}, r"shape \(2, 1\)"),
    ],
)
def test_bad_input_is_named(y, arguments, reason):
    with pytest.raises(InvalidInputError, match=f"handle_rare_classes: .*{reason}"):
        handle_rare_classes(y, **arguments)
