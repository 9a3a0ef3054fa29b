"""Ensembles as their users see them: members, seeds, processes, intervals, refusals."""

import pickle

import joblib
import numpy as np
import pandas as pd
import pytest
import sklearn
import torch
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.base import clone
from sklearn.compose import TransformedTargetRegressor
from sklearn.datasets import load_iris, make_moons
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.metrics import log_loss
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, StandardScaler, scale

from crystalml.exceptions import InvalidInputError
from crystalml.neural import (
    MLPNetClassifier,
    MLPNetRegressor,
    NetEnsembleClassifier,
    NetEnsembleRegressor,
    TabNetRegressor,
    WideDeepNetRegressor,
    predict_interval,
)


@pytest.fixture(scope="module")
def iris():
    X, y = load_iris(return_X_y=True)
    return scale(X), y


@pytest.fixture(scope="module")
def scattered():
    """Rows whose scatter grows with the input."""
    rng = np.random.default_rng(0)
    X = rng.uniform(-1, 1, size=(6000, 1))
    return X, X[:, 0] + np.exp(X[:, 0]) * rng.standard_normal(6000)


def classifier(n_members=3, net=None, **parameters):
    net = net or MLPNetClassifier(16, max_epochs=5, learning_rate=1e-2)
    return NetEnsembleClassifier(net, n_members, **{"random_state": 0, **parameters})


def regressor(n_members=2, head="gaussian", **parameters):
    net = MLPNetRegressor(16, head=head, max_epochs=12, learning_rate=1e-2)
    return NetEnsembleRegressor(net, n_members, **{"random_state": 0, **parameters})


def first_weights(member):
    return next(member.net_.module_.parameters()).detach().numpy()


class TestMembers:
    @pytest.mark.parametrize("bootstrap", [False, True])
    def test_members_differ_and_the_seed_decides(self, iris, bootstrap):
        X, y = iris
        model = classifier(bootstrap=bootstrap).fit(X, y)
        samples = [member.predict_proba(X) for member in model.estimators_]
        assert abs(samples[0] - samples[1]).max() > 1e-3
        assert_allclose(model.predict_proba(X), np.mean(samples, axis=0))
        assert_allclose(model.predict_log_proba(X), np.log(np.mean(samples, axis=0)))
        again, other = (classifier(bootstrap=bootstrap, random_state=s).fit(X, y) for s in (0, 1))
        assert_array_equal(again.predict_proba(X), model.predict_proba(X))
        assert abs(other.predict_proba(X) - model.predict_proba(X)).max() > 1e-3

    def test_early_stopping_rows_differ(self, iris):
        X, y = iris
        model = classifier().fit(X, y)
        losses = {member.history_["valid_loss"].iloc[0] for member in model.estimators_}
        assert len(losses) == 3

    @pytest.mark.parametrize("backend", ["loky", "threading"])
    def test_results_do_not_depend_on_the_number_of_processes(self, iris, backend):
        X, y = iris
        alone = classifier().fit(X, y).predict_proba(X)
        before = torch.get_rng_state()
        with joblib.parallel_config(backend=backend):
            together = classifier(n_jobs=2).fit(X, y)
        assert_array_equal(together.predict_proba(X), alone)
        assert torch.equal(torch.get_rng_state(), before)

    def test_more_members_leave_the_first_as_they_are(self, iris):
        few, many = (classifier(n).fit(*iris) for n in (2, 4))
        for ours, theirs in zip(few.estimators_, many.estimators_, strict=False):
            assert_array_equal(first_weights(ours), first_weights(theirs))

    def test_every_fit_starts_anew(self, iris):
        net = MLPNetClassifier(max_epochs=2, warm_start=True, random_state=7)
        model = classifier(net=net).fit(*iris).fit(*iris)
        assert [member.n_iter_ for member in model.estimators_] == [2, 2, 2]
        assert net.random_state == 7
        assert not hasattr(net, "net_")

    def test_global_generators_are_left_alone(self, iris):
        np.random.seed(5)  # noqa: NPY002
        before = torch.get_rng_state(), np.random.get_state()[1].copy()  # noqa: NPY002
        for seed in (0, None):
            classifier(random_state=seed, bootstrap=True).fit(*iris)
            regressor(random_state=seed).fit(*iris)
        assert torch.equal(torch.get_rng_state(), before[0])
        assert_array_equal(np.random.get_state()[1], before[1])  # noqa: NPY002

    def test_labels_stay_aligned_where_a_bootstrap_misses_a_class(self):
        rng = np.random.default_rng(0)
        X = rng.standard_normal((60, 3))
        y = np.array(["a", "b", "NaN"], dtype=object)[np.r_[np.arange(58) % 2, 2, 2]]
        model = classifier(6, bootstrap=True).fit(X, y)
        assert_array_equal(model.classes_, ["NaN", "a", "b"])
        assert model.predict_proba(X).shape == (60, 3)
        assert model.score(X, y) > 0.4

    def test_a_bootstrap_of_one_class_is_drawn_again(self):
        X = np.arange(8.0)[:, None]
        y = np.arange(8) == 0
        net = MLPNetClassifier(4, max_epochs=1, validation_fraction=None)
        model = classifier(12, net, bootstrap=True).fit(X, y)
        assert_array_equal(model.classes_, [False, True])

    def test_bootstrap_draws_whole_groups(self, iris, monkeypatch):
        X, y = iris
        groups, seen = np.arange(150) // 10, []
        fit = MLPNetClassifier.fit
        monkeypatch.setattr(
            MLPNetClassifier,
            "fit",
            lambda self, *rows, **known: seen.append(known) or fit(self, *rows, **known),
        )
        weight = np.where(np.arange(150) % 3 == 0, 0.0, 2.0)
        classifier(bootstrap=True).fit(X, y, sample_weight=weight, groups=groups.astype(str))
        for known in seen:
            counts = known["sample_weight"].reshape(15, 10)
            assert_array_equal(counts, counts.max(axis=1)[:, None] * (weight > 0).reshape(15, 10))
            assert counts.max(axis=1).sum() == 2 * 15
            assert_array_equal(known["groups"], groups)

    def test_weights_reach_the_members(self, iris):
        X, y = iris
        weight = np.where(y == 2, 0.0, 1.0)
        model = classifier(net=MLPNetClassifier(max_epochs=30, learning_rate=1e-2))
        assert 2 not in model.fit(X, y, sample_weight=weight).predict(X)
        by_class = MLPNetClassifier(max_epochs=30, learning_rate=1e-2, class_weight={2: 1e-9})
        assert 2 not in classifier(net=by_class).fit(X, y).predict(X)

    def test_progress(self, iris, capsys):
        classifier().fit(*iris)
        assert capsys.readouterr().err == ""
        classifier(progress=True).fit(*iris)
        assert "3/3" in capsys.readouterr().err


class TestClassifierUncertainty:
    def test_ensemble_is_better_than_its_members(self):
        X, y = make_moons(1200, noise=0.3, random_state=0)
        net = MLPNetClassifier(max_epochs=20, learning_rate=1e-2, dropout=0.0)
        model = classifier(4, net).fit(X[:200], y[:200])
        loss = log_loss(y[200:], model.predict_proba(X[200:]))
        single = [log_loss(y[200:], m.predict_proba(X[200:])) for m in model.estimators_]
        assert loss < np.mean(single)

    def test_information_is_high_far_from_the_data_and_entropy_where_classes_overlap(self):
        X, y = make_moons(600, noise=0.15, random_state=0)
        net = MLPNetClassifier(max_epochs=25, learning_rate=1e-2, dropout=0.0)
        model = classifier(4, net).fit(X, y)
        near = model.predict_uncertainty(X)
        angle = np.linspace(0, 2 * np.pi, 40)
        far = model.predict_uncertainty(10 * np.column_stack([np.cos(angle), np.sin(angle)]))
        assert far.mutual_information.max() > 10 * near.mutual_information.mean()
        wrong = model.predict(X) != y
        assert near.predictive_entropy[wrong].mean() > 2 * near.predictive_entropy[~wrong].mean()

    def test_identical_members_disagree_on_nothing(self, iris):
        model = classifier(2).fit(*iris)
        model.estimators_[1] = model.estimators_[0]
        known = model.predict_uncertainty(iris[0])
        assert_array_equal(known.mutual_information, 0)
        assert_array_equal(known.spread, 0)
        assert_array_equal(known.probability, model.estimators_[0].predict_proba(iris[0]))


class TestRegressorUncertainty:
    def test_law_of_total_variance(self, scattered):
        X, y = scattered
        model = regressor(3, calibration_fraction=None).fit(X[:500], y[:500])
        means, stds = zip(*(m.predict(X, return_std=True) for m in model.estimators_), strict=True)
        mean, std = model.predict(X, return_std=True)
        assert_allclose(mean, np.mean(means, axis=0))
        assert_allclose(std**2, np.mean(np.square(stds), axis=0) + np.var(means, axis=0))
        known = model.predict_uncertainty(X)
        assert_allclose(known.spread, np.std(means, axis=0))
        assert_allclose(known.noise**2, np.mean(np.square(stds), axis=0))

    def test_spread_of_point_nets(self, scattered):
        X, y = scattered
        model = regressor(3, "point").fit(X[:500], y[:500])
        mean, std = model.predict(X, return_std=True)
        assert_allclose(std, np.std([m.predict(X) for m in model.estimators_], axis=0))
        assert_array_equal(mean.shape, std.shape)

    @pytest.mark.parametrize("head", ["point", "gaussian", "quantile"])
    def test_intervals_cover_what_they_promise(self, scattered, head):
        X, y = scattered
        model = regressor(2, head, calibration_fraction=0.3).fit(X[:3000], y[:3000])
        for coverage in (0.9, 0.6):
            low, high = model.predict_interval(X[3000:], coverage=coverage).T
            held = ((low <= y[3000:]) & (y[3000:] <= high)).mean()
            # Two standard deviations of the share: 900 calibration and 3000 new rows.
            assert held == pytest.approx(coverage, abs=2 * np.sqrt(coverage * (1 - coverage) / 700))
        narrow, wide = (model.predict_interval([[x]]) @ [-1, 1] for x in (-0.9, 0.9))
        assert wide == pytest.approx(narrow) if head == "point" else wide > 2 * narrow

    def test_calibration_mends_members_that_are_too_sure(self, scattered):
        X, y = scattered
        model = regressor(2, calibration_fraction=0.3).fit(X[:3000], y[:3000])
        for member in model.estimators_:
            member.target_scale_ = member.target_scale_ / 3  # as if trained on less scatter
        spoiled = model.predict_quantiles(X[3000:], [0.05, 0.95])
        assert ((spoiled.T[0] <= y[3000:]) & (y[3000:] <= spoiled.T[1])).mean() < 0.6
        kept = slice(1000, 3000)  # calibrated anew, as fit would have done
        model._finish_fit(X[kept].astype(np.float32), y[kept])
        low, high = model.predict_interval(X[3000:]).T
        assert 0.88 < ((low <= y[3000:]) & (y[3000:] <= high)).mean() < 0.92

    def test_calibration_rows_are_whole_groups_that_no_member_sees(self, scattered, monkeypatch):
        X, y = scattered[0][:400], scattered[1][:400]
        groups, weight, seen = np.arange(400) // 8, np.arange(400) % 4, []
        fit = MLPNetRegressor.fit
        monkeypatch.setattr(
            MLPNetRegressor,
            "fit",
            lambda self, X, y, **known: seen.append((y, known)) or fit(self, X, y, **known),
        )
        model = regressor(calibration_fraction=0.25).fit(X, y, weight, groups)
        (learned, known), _ = seen
        shown = np.isin(y, learned)
        assert (known["sample_weight"] > 0).all()
        assert not set(groups[shown]) & set(groups[~shown & (weight > 0)])
        assert len(model.calibration_scores_) == (~shown & (weight > 0)).sum()
        assert 0.2 < len(model.calibration_scores_) / 300 < 0.3

    def test_without_calibration_the_members_are_believed(self, scattered):
        X, y = scattered[0][:500], scattered[1][:500]
        model = regressor(calibration_fraction=None).fit(X, y)
        assert model.calibration_scores_ is None
        assert_array_equal(model.predict_interval(X), model.predict_quantiles(X, [0.05, 0.95]))
        point = regressor(head="point", calibration_fraction=None).fit(X, y)
        with pytest.raises(InvalidInputError, match="head='point' knows the mean alone"):
            point.predict_interval(X)

    def test_quantiles_never_cross(self, scattered):
        X, y = scattered
        model = regressor(3, "quantile").fit(X[:400], y[:400])
        assert (np.diff(model.predict_quantiles(X)) >= 0).all()
        assert_array_equal(model.predict(X), model.predict_quantiles(X, [0.5])[:, 0])
        with pytest.raises(InvalidInputError, match="theirs is 'quantile'"):
            model.predict(X, return_std=True)

    def test_several_targets(self, scattered):
        X, y = scattered[0][:1000], scattered[1][:1000]
        model = regressor().fit(X, np.column_stack([y, 100 * y]))
        assert model.predict(X).shape == (1000, 2)
        interval = model.predict_interval(X)
        assert interval.shape == (1000, 2, 2)
        width = interval[..., 1] - interval[..., 0]
        assert_allclose(width[:, 1] / width[:, 0], 100, rtol=0.5)

    def test_too_few_rows_to_calibrate(self, scattered):
        X, y = scattered
        model = regressor().fit(X[:30], y[:30])
        with pytest.raises(InvalidInputError, match="9 calibration rows, but there were 6"):
            model.predict_interval(X)
        with pytest.raises(InvalidInputError, match="none of the 60 rows can be set aside for"):
            regressor().fit(X[:60], y[:60], groups=np.zeros(60))


class TestIntervalsThroughLayers:
    def test_logarithm_and_scaler(self, scattered):
        X, y = scattered[0][:1000], np.exp(scattered[1][:1000])
        inner = make_pipeline(StandardScaler(), regressor())
        model = TransformedTargetRegressor(inner, func=np.log, inverse_func=np.exp).fit(X, y)
        expected = np.exp(model.regressor_[-1].predict_interval(model.regressor_[0].transform(X)))
        assert_allclose(predict_interval(model, X), expected)
        outer = make_pipeline(FunctionTransformer(), model)
        assert_allclose(predict_interval(outer, X, coverage=0.9), expected)
        assert_allclose(predict_interval(make_pipeline(model), X), expected)

    def test_a_falling_transformation_turns_the_ends_around(self, scattered):
        X, y = scattered[0][:1000], np.exp(scattered[1][:1000])
        model = TransformedTargetRegressor(
            regressor(), func=np.negative, inverse_func=np.negative
        ).fit(X, np.column_stack([y, y]))
        interval = predict_interval(model, X)
        assert interval.shape == (1000, 2, 2)
        assert (interval[..., 0] < interval[..., 1]).all()

    def test_other_regressors_are_refused(self, scattered):
        model = make_pipeline(StandardScaler(), Ridge()).fit(*scattered)
        with pytest.raises(InvalidInputError, match=r"Ridge\(\) has no method predict_interval"):
            predict_interval(model, scattered[0])


class TestScikitLearn:
    def test_grid_search_reaches_the_net(self, iris):
        search = GridSearchCV(
            make_pipeline(StandardScaler(), classifier(2)),
            {"netensembleclassifier__estimator__hidden_layer_sizes": [(1,), (16,)]},
            cv=2,
        ).fit(*iris)
        member = search.best_estimator_[-1].estimators_[0]
        assert member.hidden_layer_sizes == (16,)

    def test_pickle_and_clone(self, iris):
        X, y = iris
        model = classifier().fit(X, y)
        loaded = pickle.loads(pickle.dumps(model))
        assert_array_equal(loaded.predict_proba(X), model.predict_proba(X))
        assert clone(model).get_params()["estimator__max_epochs"] == 5
        model = regressor().fit(X, y)
        loaded = pickle.loads(pickle.dumps(model))
        assert_array_equal(loaded.predict_interval(X), model.predict_interval(X))

    def test_frames_and_text_labels(self, iris):
        X, y = iris
        frame, names = pd.DataFrame(X, columns=list("abcd")), np.array(["x", "y", "z"])[y]
        model = classifier().fit(frame, names)
        assert_array_equal(model.feature_names_in_, list("abcd"))
        assert set(model.predict(frame)) <= {"x", "y", "z"}
        assert_array_equal(model.predict_proba(frame), classifier().fit(X, y).predict_proba(X))

    def test_members_may_refer_to_columns_by_name(self, scattered):
        X, y = scattered[0][:200], scattered[1][:200]
        frame = pd.DataFrame({"one": X[:, 0], "v_formula": y})
        net = WideDeepNetRegressor((8,), wide_features=["v_formula"], max_epochs=2)
        model = NetEnsembleRegressor(net, 2, random_state=0).fit(frame, y)
        assert [m.wide_features_.tolist() for m in model.estimators_] == [[1], [1]]
        assert model.predict_interval(frame).shape == (200, 2)

    def test_members_may_take_text(self, scattered):
        X, y = scattered[0][:200], scattered[1][:200]
        frame = pd.DataFrame({"x": X[:, 0], "centring": np.array(["P", "NaN"])[(y > 0) * 1]})
        settings = {"categorical_features": ["centring"], "n_steps": 2, "max_epochs": 2}
        net = TabNetRegressor(n_d=4, n_a=4, batch_size=64, head="quantile", **settings)
        weight = np.arange(200) % 3
        model = NetEnsembleRegressor(net, 2, random_state=0).fit(frame, pd.Series(y), weight)
        assert model.predict_interval(frame).shape == (200, 2)
        assert_array_equal(model.feature_names_in_, ["x", "centring"])
        with pytest.raises(InvalidInputError, match="drops no units"):
            model.estimators_[0].sample_predictions(frame)

    def test_groups_travel_by_metadata_routing(self, iris):
        X, y = iris
        with sklearn.config_context(enable_metadata_routing=True):
            model = make_pipeline(StandardScaler(), classifier(2).set_fit_request(groups=True))
            scores = cross_val_score(model, X, y, cv=2, params={"groups": np.arange(150) // 5})
        assert len(scores) == 2

    def test_defaults(self, iris):
        X, y = iris
        net = NetEnsembleClassifier(n_members=1, random_state=0).fit(X, y).estimators_[0]
        assert type(net) is MLPNetClassifier
        net = NetEnsembleRegressor(n_members=1, random_state=0).fit(X, y).estimators_[0]
        assert type(net) is MLPNetRegressor
        assert net.head_ == "gaussian"


class TestRefusals:
    @pytest.mark.parametrize(
        ("ensemble", "member"),
        [
            (NetEnsembleClassifier, LogisticRegression()),
            (NetEnsembleClassifier, MLPNetRegressor()),
            (NetEnsembleRegressor, make_pipeline(StandardScaler(), MLPNetRegressor())),
        ],
    )
    def test_members_are_nets_of_the_right_kind(self, iris, ensemble, member):
        with pytest.raises(InvalidInputError, match="estimator must be a net of "):
            ensemble(member).fit(*iris)

    @pytest.mark.parametrize(
        ("parameter", "value"),
        [("n_members", 0), ("bootstrap", "yes"), ("calibration_fraction", 1.0), ("n_jobs", 0.5)],
    )
    def test_parameters_out_of_range(self, iris, parameter, value):
        with pytest.raises(InvalidInputError, match=f"'{parameter}' parameter of NetEnsemble"):
            regressor().set_params(**{parameter: value}).fit(*iris)

    def test_one_class(self, iris):
        with pytest.raises(InvalidInputError, match="only one class"):
            classifier(bootstrap=True).fit(iris[0], np.zeros(150))

    def test_missing_groups(self, iris):
        groups = np.array(["NaN"] * 149 + [None], dtype=object)
        with pytest.raises(InvalidInputError, match=r"NetEnsembleClassifier: groups has 1 missing"):
            classifier().fit(*iris, groups=groups)

    def test_wrong_width_names_the_ensemble(self, iris):
        model = classifier(1).fit(*iris)
        with pytest.raises(ValueError, match="but NetEnsembleClassifier is expecting 4"):
            model.predict(iris[0][:, :3])
