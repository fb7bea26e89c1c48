"""scikit-learn's own checks, with no expected failures but for those that give an estimator another y than it takes.

Here with few epochs, for time; ``benchmarks/check_estimator.py`` runs them with more, and with the defaults else.
"""

import functools
import warnings

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.utils.estimator_checks import estimator_checks_generator, parametrize_with_checks

from sklearn_rnn import RNNClassifier, RNNEncoderDecoder, RNNLanguageModel, RNNRegressor, RNNSequenceTagger

WANT_A_GOOD_FIT = {"check_classifiers_train", "check_regressors_train", "check_class_weight_classifiers"}

ONE_LABEL_A_SEQUENCE = [
    "check_all_zero_sample_weights_error",
    "check_dict_unchanged",
    "check_dont_overwrite_parameters",
    "check_dtype_object",
    "check_estimators_dtypes",
    "check_estimators_fit_returns_self",
    "check_estimators_nan_inf",
    "check_estimators_overwrite_params",
    "check_estimators_pickle",
    "check_f_contiguous_array_estimator",
    "check_fit2d_1feature",
    "check_fit2d_1sample",
    "check_fit2d_predict1d",
    "check_fit_check_is_fitted",
    "check_fit_idempotent",
    "check_fit_score_takes_y",
    "check_methods_sample_order_invariance",
    "check_methods_subset_invariance",
    "check_n_features_in",
    "check_n_features_in_after_fitting",
    "check_pipeline_consistency",
    "check_positive_only_tag_during_fit",
    "check_readonly_memmap_input",
    "check_sample_weight_equivalence_on_dense_data",
    "check_sample_weights_list",
    "check_sample_weights_not_an_array",
    "check_sample_weights_not_overwritten",
    "check_sample_weights_pandas_series",
    "check_sample_weights_shape",
]
"""The checks that feed any estimator a y with one label for each row of X, which a tagger refuses."""


Y_OF_FIT_ALONE = [
    "check_dict_unchanged",
    "check_dtype_object",
    "check_estimators_dtypes",
    "check_estimators_pickle",
    "check_f_contiguous_array_estimator",
    "check_fit_idempotent",
    "check_methods_sample_order_invariance",
    "check_methods_subset_invariance",
    "check_sample_weight_equivalence_on_dense_data",
    "check_transformer_data_not_an_array",
    "check_transformer_general",
]
"""The checks that give ``fit`` a y, which is the context of a language model, and ``predict`` or ``transform`` none."""


class LastStepTagger(RNNSequenceTagger):
    """A tagger that takes and gives one label a row, so that the checks above can see all else that it does."""

    def fit(self, X, y, *, sample_weight=None):
        if (
            sample_weight is not None and np.asarray(sample_weight).ndim > 1
        ):  # of a tagger a weight for each step, but here steps are columns
            raise ValueError("sample_weight has more than one dimension, wanted one weight a row")
        return super().fit(X, repeat_over_steps(X, y), sample_weight=sample_weight)

    def partial_fit(self, X, y, *, sample_weight=None):
        return super().partial_fit(X, repeat_over_steps(X, y), sample_weight=sample_weight)

    def predict(self, X):
        return np.array([labels[-1] for labels in super().predict(X)])

    def predict_proba(self, X):
        return np.array([probabilities[-1] for probabilities in super().predict_proba(X)])

    def score(self, X, y):
        return np.mean(self.predict(X) == np.asarray(y))


class WithoutContext(RNNLanguageModel):
    """A language model that does not look at y, so that the checks above can see all else that it does."""

    def fit(self, X, y=None, *, sample_weight=None):
        return super().fit(X, sample_weight=sample_weight)

    def partial_fit(self, X, y=None, *, sample_weight=None):
        return super().partial_fit(X, sample_weight=sample_weight)

    def fit_transform(self, X, y=None):
        return super().fit_transform(X)

    def score(self, X, y=None, sample_weight=None):
        return super().score(X, sample_weight=sample_weight)


class LabelWriter(RNNEncoderDecoder):
    """An encoder-decoder of vectors whose targets are one label, so that the checks can see all else of it."""

    def fit(self, X, y, *, sample_weight=None):
        return super().fit(X, as_targets(y), sample_weight=sample_weight)

    def partial_fit(self, X, y, *, sample_weight=None):
        return super().partial_fit(X, as_targets(y), sample_weight=sample_weight)

    def fit_transform(self, X, y=None):
        return self.fit(X, y).transform(X)

    def predict(self, X):
        return np.array([float(target[0]) if target else np.nan for target in super().predict(X)])

    def score(self, X, y, sample_weight=None):
        return super().score(X, as_targets(y), sample_weight)

    @property
    def score_samples(self):
        raise AttributeError("it wants a y, which the checks do not give")


def as_targets(y):
    return y if y is None else [[str(label)] for label in np.asarray(y).reshape(-1)]


def repeat_over_steps(X, y):
    X = np.asarray(X)
    return y if y is None or X.ndim != 2 else np.repeat(np.asarray(y).reshape(-1, 1), X.shape[1], axis=1)


def name_of(check):
    return check.func.__name__ if isinstance(check, functools.partial) else check.__name__


@parametrize_with_checks(
    [estimator() for estimator in (RNNClassifier, RNNRegressor)]
    + [
        estimator(cell_type=cell_type, conv_branch=False, pooling="last")
        for estimator in (RNNClassifier, RNNRegressor)
        for cell_type in ("rnn", "lstm")
    ]
    + [
        RNNClassifier(
            conv_branch=True, conv_channels=8, conv_kernel_size=3, conv_stride=2, pooling="concat", batch_size=64
        )
    ]
)
def test_classifier_and_regressor(estimator, check):
    check(clone(estimator).set_params(max_epochs=25 if name_of(check) in WANT_A_GOOD_FIT else 3))


@parametrize_with_checks([LastStepTagger(max_epochs=3)])
def test_tagger_with_a_label_a_row(estimator, check):
    check(estimator)


def checks_of(estimator, reasons):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        pairs = list(estimator_checks_generator(estimator, expected_failed_checks=reasons))
    return [pytest.param(*pair, id=name_of(pair[1])) for pair in pairs]


TAGGER = RNNSequenceTagger(max_epochs=3), dict.fromkeys(ONE_LABEL_A_SEQUENCE, "feeds one label a sequence")
LANGUAGE_MODEL = RNNLanguageModel(max_epochs=3), dict.fromkeys(Y_OF_FIT_ALONE, "y is the context of later calls, too")


@pytest.mark.parametrize(("estimator", "check"), checks_of(*TAGGER))
def test_tagger(estimator, check):
    if name_of(check) in ONE_LABEL_A_SEQUENCE:
        with pytest.raises((ValueError, TypeError, AssertionError)):
            check(estimator)
        pytest.skip("feeds one label a sequence")
    check(estimator)


@pytest.mark.filterwarnings("ignore:.*predictions were cut off")
@parametrize_with_checks([LabelWriter(max_epochs=3, attention=None, hidden_size=8)])
def test_encoder_decoder(estimator, check):
    check(estimator)


@parametrize_with_checks([WithoutContext(max_epochs=3, output="gaussian_mixture")])
def test_language_model_without_context(estimator, check):
    check(estimator)


@pytest.mark.parametrize(("estimator", "check"), checks_of(*LANGUAGE_MODEL))
def test_language_model(estimator, check):
    if name_of(check) in Y_OF_FIT_ALONE:
        # Only a fit says that its steps are real numbers, which have no classes.
        message = "got no y, and was fitted with a context|no attribute 'predict_proba'"
        with pytest.raises((ValueError, AttributeError), match=message):
            check(estimator)
        pytest.skip("y is the context of later calls, too")
    check(estimator)
