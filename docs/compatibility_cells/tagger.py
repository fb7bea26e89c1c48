"""The rows of the tagger's table."""

from __future__ import annotations

import numpy as np
from sklearn.model_selection import (
    GridSearchCV,
    GroupKFold,
    KFold,
    cross_val_predict,
    cross_val_score,
    cross_validate,
    learning_curve,
    train_test_split,
)
from sklearn.pipeline import make_pipeline

from compatibility_cells.case import Tools, check, equal, tagger
from compatibility_cells.common import add_common_rows
from sklearn_rnn import PerStep, SequencePipeline
from sklearn_rnn.metrics import flat_accuracy_scorer, flat_f1_scorer, span_f1_scorer
from sklearn_rnn.model_selection import cross_val_predict_sequences

tools = Tools()


def check_tags(predicted, X):
    check(len(predicted) == len(X))
    for labels, x in zip(predicted, X, strict=True):
        check(len(labels) == len(x) and set(labels) <= {"B-up", "I-up", "O"})


@tools.add("train_test_split")
def _(case):
    X_train, X_test, y_train, y_test = train_test_split(case.X, case.tags, random_state=0)
    check([len(labels) for labels in y_test] == [len(x) for x in X_test])
    check_tags(tagger().fit(X_train, y_train).predict(X_test), X_test)


@tools.add("cross_val_score")
def _(case):
    check(np.isfinite(cross_val_score(tagger(), case.X, case.tags, cv=2)))


@tools.add('cross_val_score, scoring="f1_macro"')
def _(case):
    scores = cross_val_score(tagger(), case.X, case.tags, cv=2, scoring="f1_macro", error_score="raise")
    check(np.isfinite(scores))


@tools.or_else("`scoring=flat_f1_scorer`")
def _(case):
    scores = cross_val_score(tagger(), case.X, case.tags, cv=2, scoring=flat_f1_scorer, error_score="raise")
    check(np.isfinite(scores))


@tools.add("cross_validate with this package's scorers")
def _(case):
    scoring = {"accuracy": flat_accuracy_scorer, "f1": span_f1_scorer}
    result = cross_validate(tagger(), case.X, case.tags, cv=2, scoring=scoring, error_score="raise")
    check(np.isfinite(result["test_accuracy"]) & np.isfinite(result["test_f1"]))


@tools.add('cross_val_predict, "predict"')
def _(case):
    check_tags(cross_val_predict(tagger(), case.X, case.tags, cv=2), case.X)


@tools.or_else(":func:`~sklearn_rnn.model_selection.cross_val_predict_sequences`")
def _(case):
    check_tags(cross_val_predict_sequences(tagger(), case.X, case.tags, cv=2), case.X)


@tools.add('cross_val_predict, "predict_proba"')
def _(case):
    predicted = cross_val_predict(tagger(), case.X, case.tags, cv=2, method="predict_proba")
    check([item.shape == (len(x), 3) for item, x in zip(predicted, case.X, strict=True)])


@tools.or_else(":func:`~sklearn_rnn.model_selection.cross_val_predict_sequences`")
def _(case):
    predicted = cross_val_predict_sequences(tagger(), case.X, case.tags, cv=2, method="predict_proba")
    check([item.shape == (len(x), 3) for item, x in zip(predicted, case.X, strict=True)])


@tools.add("GridSearchCV")
def _(case):
    search = GridSearchCV(tagger(), {"cell_type": ["rnn", "gru"]}, cv=2, scoring=flat_accuracy_scorer)
    check_tags(search.fit(case.X, case.tags).predict(case.X), case.X)


@tools.add("learning_curve")
def _(case):
    options = {"train_sizes": [0.5, 1.0], "cv": 2, "scoring": flat_accuracy_scorer}
    check(np.isfinite(learning_curve(tagger(), case.X, case.tags, **options)[2]))


@tools.add("KFold")
def _(case):
    check(np.isfinite(cross_val_score(tagger(), case.X, case.tags, cv=KFold(3))))


@tools.add("GroupKFold")
def _(case):
    check(np.isfinite(cross_val_score(tagger(), case.X, case.tags, cv=GroupKFold(3), groups=case.groups)))


@tools.add("Pipeline")
def _(case):
    model = make_pipeline(PerStep(case.step_transformer), tagger()).fit(case.X, case.tags)
    check_tags(model.predict(case.X), case.X)
    check(equal(model.predict(case.X), model[-1].predict(model[0].transform(case.X))))


@tools.add("Pipeline, `predict_entities` and `predict_nbest`")
def _(case):
    _check_beyond_predict(make_pipeline(PerStep(case.step_transformer), tagger()), case)


@tools.or_else(":class:`~sklearn_rnn.SequencePipeline`")
def _(case):
    _check_beyond_predict(SequencePipeline([("scaler", PerStep(case.step_transformer)), ("tagger", tagger())]), case)


def _check_beyond_predict(model, case):
    model.fit(case.X, case.tags)
    best = [candidates[0][0] for candidates in model.predict_nbest(case.X, n=2)]
    check(equal(best, model.predict(case.X)))
    check(len(model.predict_entities(case.X)) == case.n)


add_common_rows(tools, tagger, lambda case: case.tags, lambda fitted, X: fitted.predict_proba(X))
