"""CIFReader as a scikit-learn transformer."""

import pickle
import warnings
from pathlib import Path

import ase
import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone
from sklearn.exceptions import SkipTestWarning
from sklearn.linear_model import LinearRegression
from sklearn.pipeline import make_pipeline
from sklearn.utils import get_tags
from sklearn.utils.estimator_checks import parametrize_with_checks

from crystalml._schema import TABLE_COLUMNS
from crystalml.exceptions import CIFError, InvalidInputError
from crystalml.io import CIFReader, read_cifs

MINERALS = sorted((Path(ase.__path__[0]) / "test" / "testdata" / "minerals").glob("*.cif"))
CELL = ["a", "b", "c", "alpha", "beta", "gamma"]

with warnings.catch_warnings():
    # its input is one-dimensional text, so scikit-learn skips the checks that need numbers
    warnings.simplefilter("ignore", SkipTestWarning)
    checks = parametrize_with_checks([CIFReader(), CIFReader(columns=CELL)])


@checks
def test_conformance(estimator, check):
    check(estimator)


def test_tags_say_what_the_input_is():
    tags = get_tags(CIFReader())
    assert tags.input_tags.string
    assert tags.input_tags.one_d_array
    assert not tags.input_tags.two_d_array
    assert not tags.requires_fit


def test_one_row_per_file_in_order():
    table = CIFReader().fit_transform(MINERALS)
    pd.testing.assert_frame_equal(table, read_cifs(MINERALS))
    several = "data_a\n_journal_year 1\ndata_b\n_cell_length_a 2\ndata_c\n_cell_length_a 3\n"
    table = CIFReader(columns=["block", "a"]).transform([several, MINERALS[0], b"\0"])
    assert table["block"].to_list()[0] == "b"
    assert len(table) == 3
    assert table["a"].isna().to_list() == [False, False, True]


def test_index_of_a_series_is_kept():
    paths = pd.Series(list(map(str, MINERALS)), index=[path.stem for path in MINERALS])
    assert CIFReader().transform(paths).index.equals(paths.index)
    assert len(CIFReader().transform(paths.to_numpy())) == len(MINERALS)


def test_columns_and_names():
    reader = CIFReader(columns=CELL)
    assert reader.get_feature_names_out().tolist() == CELL
    assert CIFReader().get_feature_names_out().tolist() == list(TABLE_COLUMNS)
    assert reader.transform(MINERALS).columns.tolist() == CELL
    assert reader.set_output(transform="pandas").fit_transform(MINERALS).columns.tolist() == CELL


def test_clone_and_pickle():
    reader = CIFReader(columns=CELL, on_error="raise", n_jobs=1).fit(MINERALS)
    copies = [clone(reader), pickle.loads(pickle.dumps(reader))]
    for copy in copies:
        assert copy.get_params() == reader.get_params()
        pd.testing.assert_frame_equal(copy.transform(MINERALS), reader.transform(MINERALS))


def test_in_front_of_a_pipeline():
    pipeline = make_pipeline(CIFReader(columns=CELL), LinearRegression())
    volumes = read_cifs(MINERALS)["v_formula"].to_numpy()
    assert np.isfinite(pipeline.fit(MINERALS, volumes).predict(MINERALS)).all()


def test_errors():
    with pytest.raises(CIFError, match=r"CIFReader: 'none.cif': the file does not exist"):
        CIFReader(on_error="raise").transform([MINERALS[0], "none.cif"])
    with pytest.raises(InvalidInputError, match="columns has 'A'"):
        CIFReader(columns=["a", "A"]).fit(MINERALS)
    with pytest.raises(InvalidInputError, match="'on_error' parameter of CIFReader"):
        CIFReader(on_error="skip").fit(MINERALS)
    for single in (str(MINERALS[0]), MINERALS[0].read_bytes(), np.array([["x.cif"]])):
        with pytest.raises(InvalidInputError, match="one-dimensional sequence of files"):
            CIFReader().fit(single)
