"""Calls as users write them, for the type checker; test_typing.py runs them too.

`assert_type` fails the check where a signature says something else. A line with
``type: ignore`` fails it where the mistake in the line is no longer noticed.
"""

from typing import Any, assert_type

import crystalml
from crystalml._typing import BoolArray, FloatArray, IntArray, NDArray, ObjectArray
from crystalml.crystallography import (
    SpaceGroupSetting,
    cell_volume,
    crystal_system,
    extinction_class,
    find_spacegroup,
    is_centrosymmetric,
    metric_symmetry,
    niggli_cell,
    parse_formula,
    spacegroup_number,
    spacegroup_symbol,
    validate_cells,
)
from crystalml.model_selection import (
    ModelComparison,
    compare_models,
    conformal_threshold,
    hierarchical_accuracy,
)

CELL = [4.0, 4.0, 4.02, 90.0, 90.0, 90.0]


def right() -> None:
    """Scalars in, scalars out; arrays in, arrays out; estimators return themselves."""
    assert_type(cell_volume(CELL), float)
    assert_type(niggli_cell([CELL]), FloatArray)
    assert_type(niggli_cell([CELL], return_transformation=True), tuple[FloatArray, IntArray])
    assert_type(metric_symmetry([CELL]), BoolArray)
    assert_type(validate_cells(CELL, caller="example"), FloatArray)
    assert_type(spacegroup_symbol(62), str)
    assert_type(crystal_system([14, 225]), ObjectArray)
    assert_type(is_centrosymmetric(14), bool)
    assert_type(is_centrosymmetric([14, 225]), BoolArray)
    assert_type(spacegroup_number("P 21/c"), int)
    assert_type(spacegroup_number("unknown", on_error="missing"), float)
    assert_type(find_spacegroup("Pnma"), SpaceGroupSetting | None)
    assert_type(extinction_class(62), tuple[int, ...])
    assert_type(parse_formula("NaCl"), dict[str, float])
    describe = crystalml.CellDescriptors("ratios", on_error="nan")
    assert_type(describe.fit([CELL]), crystalml.CellDescriptors)
    assert_type(describe.get_feature_names_out(), ObjectArray)
    assert_type(crystalml.CODClient(offline=True).url(1000041), str)


def of_models(
    classifier: crystalml.MLPNetClassifier,
    regressor: crystalml.NetEnsembleRegressor,
    ranker: crystalml.SpaceGroupClassifier,
    cells: crystalml.LatticeParameterRegressor,
    X: FloatArray,
) -> None:
    """What fitted models answer; checked, never run."""
    assert_type(classifier.fit(X, [14, 62]), crystalml.MLPNetClassifier)
    assert_type(classifier.predict_proba(X), FloatArray)
    assert_type(regressor.predict(X), FloatArray)
    assert_type(regressor.predict(X, return_std=True), tuple[FloatArray, FloatArray])
    assert_type(ranker.predict_set([{"formula": "NaCl"}]), list[NDArray[Any]])
    assert_type(cells.predict(["NaCl"]), FloatArray)
    assert_type(conformal_threshold([0.2, 0.4]), float)
    assert_type(hierarchical_accuracy([225], [227]), float)
    models = {"net": classifier, "ranker": ranker}
    assert_type(compare_models(models, X, [14, 62], cv=[([0], [1])]), ModelComparison)
    crystalml.NetEnsembleClassifier(crystalml.MLPNetClassifier(class_weight={"cF": 2}))


def wrong() -> None:
    """Mistakes that a checker must find; never run."""
    cell_volume(None)  # type: ignore[call-overload]  # a mistake on purpose
    niggli_cell(CELL, center="F")  # type: ignore[call-overload]  # a mistake on purpose
    validate_cells(CELL, caller="me", on_error="drop")  # type: ignore[arg-type]  # a mistake
    crystalml.CellDescriptors(on_error="ignore")  # type: ignore[arg-type]  # a mistake on purpose
    crystalml.read_cif(62)  # type: ignore[arg-type]  # a mistake on purpose
    crystalml.read_cifs("folder", jobs=2)  # type: ignore[call-arg]  # a mistake on purpose
    crystalml.load("model", max_size="1 GB")  # type: ignore[arg-type]  # a mistake on purpose
    crystalml.log_volume("MLP")  # type: ignore[arg-type]  # a mistake on purpose
    crystalml.MLPNetClassifier(activation="logistic")  # type: ignore[arg-type]  # a mistake
    crystalml.SpaceGroupClassifier("formula")  # type: ignore[arg-type]  # a mistake on purpose
    hierarchical_accuracy([1], [2], level="holohedry")  # type: ignore[arg-type]  # a mistake
    crystalml.SpaceGroupClasifier()  # type: ignore[attr-defined]  # a mistake on purpose
