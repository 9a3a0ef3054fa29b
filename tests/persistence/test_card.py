"""Model cards and manifests say what is known, and nothing else."""

import json
import re

import numpy as np
import pandas as pd
import pytest
from sklearn.dummy import DummyClassifier
from sklearn.linear_model import LinearRegression
from sklearn.naive_bayes import GaussianNB
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, StandardScaler

from crystalml import MLPNetClassifier, save
from crystalml.exceptions import InvalidInputError, PersistenceError
from crystalml.persistence import model_card, read_manifest, training_facts, trusted_types

table = pd.DataFrame({"a": [3.0, 4.0, 5.0, 6.0], "c | d": [1.0, 2.0, 2.0, 1.0]})
labels = ["cF", "cF", "tP", "tP"]


@pytest.fixture
def model():
    return make_pipeline(StandardScaler(), GaussianNB()).fit(table, labels)


def sections(card):
    return re.findall(r"^## (.+)$", card, re.M)


def test_cards_of_file_and_estimator_are_the_same(model, tmp_path):
    facts = training_facts(table, labels, groups=[1, 1, 2, 3], source="four cells")
    path = tmp_path / "model.crystalml"
    save(model, path, facts=facts)
    card = model_card(path)
    assert card == model_card(model, facts=facts)
    assert sections(card) == ["Inputs and outputs", "Training data", "Parameters", "Versions"]
    for line in ("| rows | 4 |", "| groups | 3 |", "| cF | 2 |", "| source | four cells |"):
        assert line in card.splitlines()
    assert "Labels (2): `cF`, `tP`." in card


def test_text_from_a_file_is_no_markup(model):
    card = model_card(model, facts={"source": "a | b\n\n# <script>`"})
    assert "| source | a \\| b # &lt;script&gt;' |" in card
    assert r"`c \| d`" in card


def test_sections_of_ones_own(model, tmp_path):
    path = tmp_path / "model.crystalml"
    save(model, path, facts={"limits": "Cells only."})
    card = model_card(path, title="Mine", facts={"evaluation": {"accuracy": 0.5}, "rows": 12345})
    assert card.startswith("# Mine\n")
    assert sections(card)[2:4] == ["Evaluation", "Limits"]
    assert "| rows | 12,345 |" in card
    assert "| accuracy | 0.5 |" in card


def test_estimators_that_cannot_be_saved_have_a_card_nevertheless():
    card = model_card(FunctionTransformer(lambda X: X))
    assert "FunctionTransformer" in card
    with pytest.raises(InvalidInputError, match="neither an estimator nor"):
        model_card(3)


def test_cards_of_foreign_files(tmp_path):
    path = tmp_path / "foreign"
    path.write_text("x")
    with pytest.raises(PersistenceError, match="read_manifest: cannot read"):
        model_card(path)


def test_facts_that_the_estimator_knows(model, tmp_path):
    path = tmp_path / "model.crystalml"
    save(model, path)
    manifest = read_manifest(path)
    assert manifest["training_data"] == {"rows": 4, "label_counts": {"cF": 2.0, "tP": 2.0}}
    assert manifest["input"] == {"n_features": 2, "columns": ["a", "c | d"]}
    assert manifest["output"] == {"kind": "classifier", "n_classes": 2, "labels": ["cF", "tP"]}
    assert manifest["n_nets"] == 0
    assert not {"torch", "skorch"} & manifest["versions"].keys()
    json.dumps(manifest, allow_nan=False)


def test_nets_and_regressors(tmp_path):
    path = tmp_path / "model.crystalml"
    save(MLPNetClassifier(max_epochs=1).fit(np.eye(6), [0, 1] * 3), path)
    manifest = read_manifest(path)
    assert manifest["n_nets"] == 1
    assert {"torch", "skorch"} <= manifest["versions"].keys()
    assert "nets/0.safetensors" in manifest["members"]
    save(LinearRegression().fit(table, [1.0, 2, 3, 4]), path)
    assert read_manifest(path)["output"] == {"kind": "regressor"}


def test_training_facts():
    facts = training_facts(table, [1.0, 2.0, 3.0, 6.0])
    assert facts["columns"] == ["a", "c | d"]
    assert facts["target"] == {"mean": 3.0, "std": pytest.approx(3.5**0.5), "min": 1.0, "max": 6.0}
    assert training_facts(table, np.zeros((4, 3)))["targets"] == 3
    assert training_facts([[1]] * 3, np.array([225, 62, 62]))["label_counts"] == {"62": 2, "225": 1}
    assert training_facts(["NaN", "NaCl"]) == {"rows": 2}


def test_facts_are_json(tmp_path):
    path = tmp_path / "model.crystalml"
    when = pd.Timestamp("2026-11-22")
    save(DummyClassifier(), path, facts={"when": when, "n": np.int64(3), "x": np.arange(2)})
    known = read_manifest(path)["training_data"]
    assert known == {"when": "2026-11-22T00:00:00", "n": 3, "x": [0, 1]}
    for value in (object(), float("nan"), {1, 2}):
        with pytest.raises(InvalidInputError, match="the fact 'bad' is"):
            save(DummyClassifier(), path, facts={"bad": value})


def test_trusted_types_are_estimators():
    names = trusted_types()
    assert list(names) == sorted(names)
    assert {"MLPNetClassifier", "StandardScaler", "SpaceGroupClassifier"} <= set(names)
    assert not {"KMeans", "TreePredictor", "Memory"} & set(names)
