"""The rows of the classifier's table."""

from __future__ import annotations

import contextlib
import io

import numpy as np
import pandas as pd
from sklearn import config_context
from sklearn.calibration import CalibratedClassifierCV
from sklearn.compose import ColumnTransformer, TransformedTargetRegressor
from sklearn.ensemble import BaggingClassifier, StackingClassifier, VotingClassifier
from sklearn.experimental import enable_halving_search_cv  # noqa: F401
from sklearn.inspection import partial_dependence, permutation_importance
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import (
    GridSearchCV,
    GroupKFold,
    HalvingGridSearchCV,
    KFold,
    RandomizedSearchCV,
    StratifiedKFold,
    TimeSeriesSplit,
    TunedThresholdClassifierCV,
    cross_val_predict,
    cross_val_score,
    cross_validate,
    learning_curve,
    permutation_test_score,
    train_test_split,
    validation_curve,
)
from sklearn.multiclass import OneVsRestClassifier
from sklearn.multioutput import MultiOutputClassifier
from sklearn.pipeline import FeatureUnion, make_pipeline
from sklearn.preprocessing import FunctionTransformer, StandardScaler

from compatibility_cells.case import SMALL, Tools, check, classifier
from compatibility_cells.common import add_common_rows
from sklearn_rnn import PerStep, RNNRegressor, SequenceBaggingClassifier, SequenceTokenizer, repeat_static
from sklearn_rnn.inspection import sequence_partial_dependence, sequence_permutation_importance

tools = Tools()


def check_predicts(fitted, case):
    check(np.isin(fitted.predict(case.X), case.y))


# Splitting and validating


@tools.add("train_test_split")
def _(case):
    X_train, X_test, y_train, y_test = train_test_split(case.X, case.y, stratify=case.y, random_state=0)
    check(len(X_test) == len(y_test))
    check(np.isin(classifier().fit(X_train, y_train).predict(X_test), case.y))


@tools.add("cross_val_score")
def _(case):
    check(np.isfinite(cross_val_score(classifier(), case.X, case.y, cv=2, scoring="roc_auc")))


@tools.add("cross_validate")
def _(case):
    scoring = ["accuracy", "neg_log_loss"]
    result = cross_validate(classifier(), case.X, case.y, cv=2, scoring=scoring, return_train_score=True)
    check(np.isfinite(result["train_neg_log_loss"]) & np.isfinite(result["test_accuracy"]))


def _cross_val_predict(method):
    def run(case):
        predicted = cross_val_predict(classifier(), case.X, case.y, cv=2, method=method)
        check(predicted.shape == ((case.n,) if method in ("predict", "decision_function") else (case.n, 2)))

    tools.add(f'cross_val_predict, "{method}"')(run)


for _method in ["predict", "predict_proba", "predict_log_proba", "decision_function"]:
    _cross_val_predict(_method)


def _splitter(splitter):
    def run(case):
        groups = case.groups if isinstance(splitter, GroupKFold) else None
        scores = cross_val_score(classifier(), case.X, case.y, cv=splitter, groups=groups)
        check(len(scores) == 3 and np.isfinite(scores).all())

    tools.add(type(splitter).__name__)(run)


for _cv in [KFold(3), StratifiedKFold(3), GroupKFold(3), TimeSeriesSplit(3)]:
    _splitter(_cv)


@tools.add("learning_curve")
def _(case):
    options = {"train_sizes": [0.5, 1.0], "cv": 2, "shuffle": True, "random_state": 0}
    check(np.isfinite(learning_curve(classifier(), case.X, case.y, **options)[2]))


@tools.add("validation_curve")
def _(case):
    options = {"param_name": "hidden_size", "param_range": [2, 4], "cv": 2}
    check(np.isfinite(validation_curve(classifier(), case.X, case.y, **options)[1]))


@tools.add("permutation_test_score")
def _(case):
    score, others, p = permutation_test_score(classifier(), case.X, case.y, cv=2, n_permutations=3, random_state=0)
    check(np.isfinite([score, *others, p]))


# Searching


@tools.add("GridSearchCV")
def _(case):
    check_predicts(GridSearchCV(classifier(), {"cell_type": ["rnn", "gru"]}, cv=2).fit(case.X, case.y), case)


@tools.add("RandomizedSearchCV")
def _(case):
    grid = {"hidden_size": [2, 4], "learning_rate": [0.01, 0.02]}
    search = RandomizedSearchCV(classifier(), grid, n_iter=2, cv=2, random_state=0)
    check_predicts(search.fit(case.X, case.y), case)


@tools.add("HalvingGridSearchCV")
def _(case):
    options = {"resource": "max_epochs", "max_resources": 4, "factor": 2, "cv": 2, "random_state": 0}
    search = HalvingGridSearchCV(classifier(), {"hidden_size": [2, 4]}, **options).fit(case.X, case.y)
    check(search.best_estimator_.max_epochs == 4)
    check_predicts(search, case)


# Composing


@tools.add("Pipeline")
def _(case):
    check_predicts(make_pipeline(PerStep(case.step_transformer), classifier()).fit(case.X, case.y), case)


@tools.add("StandardScaler, OneHotEncoder and their like")
def _(case):
    check(len(case.step_transformer.fit_transform(case.X)) == case.n)


@tools.or_else(":class:`~sklearn_rnn.PerStep`")
def _(case):
    scaled = PerStep(case.step_transformer).fit_transform(case.X)
    check(np.isin(classifier().fit(scaled, case.y).predict(scaled), case.y))


@tools.add("FeatureUnion of networks")
def _(case):
    union = FeatureUnion([("gru", classifier(cell_type="gru")), ("rnn", classifier(cell_type="rnn"))])
    model = make_pipeline(union, LogisticRegression()).fit(case.X, case.y)
    check(model[0].transform(case.X).shape == (case.n, 16))
    check_predicts(model, case)


@tools.add("FeatureUnion of transformers of steps")
def _(case):
    union = FeatureUnion([("one", case.step_transformer), ("two", case.step_transformer)])
    check_predicts(make_pipeline(union, classifier()).fit(case.X, case.y), case)


@tools.or_else(":class:`PerStep(FeatureUnion) <sklearn_rnn.PerStep>`")
def _(case):
    union = FeatureUnion([("one", case.step_transformer), ("two", case.step_transformer)])
    check_predicts(make_pipeline(PerStep(union), classifier()).fit(case.X, case.y), case)


@tools.add("ColumnTransformer, sequences in a column of a frame")
def _(case):
    parts = [("network", classifier(), ["sequence"]), ("number", StandardScaler(), ["age"])]
    model = make_pipeline(ColumnTransformer(parts), LogisticRegression()).fit(case.frame, case.y)
    check(np.isin(model.predict(case.frame), case.y))


@tools.add("ColumnTransformer, the names of its output")
def _(case):
    network = make_pipeline(PerStep(case.step_transformer), classifier())
    parts = [
        ("network", classifier(), "sequence"),
        ("scaled", network, "sequence"),
        ("number", StandardScaler(), ["age"]),
    ]
    columns = ColumnTransformer(parts).set_output(transform="pandas")
    frame = columns.fit_transform(case.frame, case.y)
    names = [f"{part}__rnnclassifier{i}" for part in ("network", "scaled") for i in range(8)]
    check(list(frame.columns) == [*names, "number__age"] == columns.get_feature_names_out().tolist())
    check(frame.index.equals(case.frame.index))


@tools.add("ColumnTransformer, a document in a column")
def _(case):
    texts = ["it will rise" if label == "up" else "it will fall" for label in case.y]
    parts = [("text", make_pipeline(SequenceTokenizer(), classifier()), "text"), ("number", StandardScaler(), ["age"])]
    columns = ColumnTransformer(parts).set_output(transform="pandas")
    frame = columns.fit_transform(case.frame.assign(text=texts), case.y)
    check(list(frame.columns) == [*(f"text__rnnclassifier{i}" for i in range(8)), "number__age"])


@tools.add("ColumnTransformer of several inputs a step")
def _(case):
    parts = [("scaled", PerStep(StandardScaler()), "seconds"), ("sequence", "passthrough", ["sequence"])]
    for container, names in {"default": ["x0", "x1"], "pandas": ["scaled__seconds", "sequence__sequence"]}.items():
        columns = ColumnTransformer(parts).set_output(transform=container)
        model = make_pipeline(columns, classifier()).fit(case.frame, case.y)
        check(model[-1].feature_names_in_ == names)
        check(np.isin(model.predict(case.frame), case.y))


@tools.add("static columns beside columns of sequences")
def _(case):
    classifier().fit(case.frame, case.y)


@tools.or_else(":func:`~sklearn_rnn.repeat_static`")
def _(case):
    scaler = PerStep(StandardScaler(), inputs=["age", "seconds"])
    model = make_pipeline(FunctionTransformer(repeat_static), scaler, classifier()).fit(case.frame, case.y)
    check(np.isin(model.predict(case.frame), case.y))


@tools.add("ColumnTransformer of the features of steps")
def _(case):
    columns = ColumnTransformer([("first", case.step_transformer, [0])], remainder="passthrough")
    check_predicts(make_pipeline(columns, classifier()).fit(case.X, case.y), case)


@tools.or_else(":class:`PerStep(ColumnTransformer) <sklearn_rnn.PerStep>`")
def _(case):
    columns = ColumnTransformer([("first", case.step_transformer, [0])], remainder="passthrough")
    check_predicts(make_pipeline(PerStep(columns), classifier()).fit(case.X, case.y), case)


@tools.add("CalibratedClassifierCV")
def _(case):
    check_predicts(CalibratedClassifierCV(classifier(), cv=2).fit(case.X, case.y), case)


@tools.add("TunedThresholdClassifierCV")
def _(case):
    check_predicts(TunedThresholdClassifierCV(classifier(), cv=2, thresholds=5).fit(case.X, case.y), case)


@tools.add("VotingClassifier")
def _(case):
    members = [("gru", classifier()), ("rnn", classifier(cell_type="rnn"))]
    check_predicts(VotingClassifier(members, voting="soft").fit(case.X, case.y), case)


@tools.add("StackingClassifier")
def _(case):
    members = [("gru", classifier()), ("rnn", classifier(cell_type="rnn"))]
    check_predicts(StackingClassifier(members, cv=2).fit(case.X, case.y), case)


@tools.add("BaggingClassifier")
def _(case):
    check_predicts(BaggingClassifier(classifier(), n_estimators=2, random_state=0).fit(case.X, case.y), case)


@tools.or_else(":class:`~sklearn_rnn.SequenceBaggingClassifier`")
def _(case):
    model = make_pipeline(PerStep(case.step_transformer), classifier())
    check_predicts(SequenceBaggingClassifier(model, n_estimators=2, random_state=0).fit(case.X, case.y), case)


@tools.add("OneVsRestClassifier")
def _(case):
    y = np.where(np.arange(case.n) % 3 == 0, "level", case.y)
    check(np.isin(OneVsRestClassifier(classifier()).fit(case.X, y).predict(case.X), y))


@tools.add("MultiOutputClassifier")
def _(case):
    y = np.column_stack([case.y, np.roll(case.y, 1)])
    check(MultiOutputClassifier(classifier()).fit(case.X, y).predict(case.X).shape == (case.n, 2))


@tools.add("TransformedTargetRegressor")
def _(case):
    model = TransformedTargetRegressor(RNNRegressor(**SMALL), func=np.log1p, inverse_func=np.expm1)
    check(np.isfinite(model.fit(case.X, case.numbers).predict(case.X)))


# Looking inside


@tools.add("permutation_importance")
def _(case):
    permutation_importance(classifier().fit(case.X, case.y), case.X, case.y, n_repeats=2, random_state=0)


@tools.or_else(":func:`~sklearn_rnn.inspection.sequence_permutation_importance`")
def _(case):
    fitted = classifier().fit(case.X, case.y)
    result = sequence_permutation_importance(fitted, case.X, case.y, n_repeats=2, random_state=0)
    check(result.importances.shape == (fitted.n_features_in_, 2))


@tools.add("partial_dependence")
def _(case):
    partial_dependence(classifier().fit(case.X, case.y), case.X, [0], grid_resolution=3)


@tools.or_else(":func:`~sklearn_rnn.inspection.sequence_partial_dependence`")
def _(case):
    result = sequence_partial_dependence(classifier().fit(case.X, case.y), case.X, 0, grid_resolution=3)
    check(result.average.shape == (1, len(result.grid_values)))


@tools.add("set_output")
def _(case):
    frame = classifier().set_output(transform="pandas").fit(case.X, case.y).transform(case.X)
    check(isinstance(frame, pd.DataFrame) and frame.shape == (case.n, 8))
    check(frame.columns[0] == "rnnclassifier0")


# Machinery


@tools.add("metadata routing: `sample_weight`, `groups`")
def _(case):
    params = {"sample_weight": case.weight, "groups": case.groups}
    with config_context(enable_metadata_routing=True):
        model = classifier(early_stopping=True, validation_fraction=0.4)
        model.set_fit_request(sample_weight=True, groups=True).set_score_request(sample_weight=True)
        check(np.isfinite(cross_validate(model, case.X, case.y, params=params, cv=GroupKFold(2))["test_score"]))


@tools.add("metadata routing: `X_val` through a Pipeline")
def _(case):
    with config_context(enable_metadata_routing=True):
        last = classifier().set_fit_request(X_val=True, y_val=True)
        model = make_pipeline(PerStep(case.step_transformer), last, transform_input=["X_val"])
        model.fit(case.X, case.y, X_val=case.X[:8], y_val=case.y[:8])
        check(len(model[-1].validation_scores_) == 2)


@tools.add("callbacks: nested ProgressBar")
def _(case):
    from sklearn.callback import ProgressBar

    model = make_pipeline(PerStep(case.step_transformer), classifier())
    search = GridSearchCV(model, {"rnnclassifier__hidden_size": [2, 4]}, cv=2)
    search.set_callbacks(ProgressBar(max_propagation_depth=None))
    with contextlib.redirect_stdout(io.StringIO()) as shown:
        search.fit(case.X, case.y)
    check("RNNClassifier" in shown.getvalue())


@tools.add("callbacks: ScoringMonitor")
def _(case):
    from sklearn.callback import ScoringMonitor

    monitor = ScoringMonitor(scoring="accuracy")
    classifier().set_callbacks(monitor).fit(case.X, case.y)
    check(len(monitor.get_logs().data) >= 2)


add_common_rows(tools, classifier, lambda case: case.y, lambda fitted, X: fitted.predict_proba(X))
