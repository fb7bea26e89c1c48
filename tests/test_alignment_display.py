"""Pictures of what a decoder looks at."""

import matplotlib as mpl
import numpy as np
import pytest

mpl.use("Agg")

import matplotlib.pyplot as plt
from samples import small
from sklearn.pipeline import make_pipeline

from sklearn_rnn import RNNClassifier, RNNEncoderDecoder, SequenceTokenizer
from sklearn_rnn.inspection import AlignmentDisplay

X, Y = ["a b", "bb", "ca"] * 4, ["AB", "B", ""] * 4


@pytest.fixture(autouse=True)
def _close_figures():
    yield
    plt.close("all")


@pytest.fixture(scope="module")
def model():
    return RNNEncoderDecoder(hidden_size=4, max_epochs=1, max_new_tokens=3, random_state=0).fit(X, Y)


def labels(display):
    return [[label.get_text() for label in axis.get_ticklabels()] for axis in (display.ax_.xaxis, display.ax_.yaxis)]


def test_weights_have_the_names_of_both_sides(model):
    display = AlignmentDisplay.from_estimator(model, "a b", "AB", title="pair")
    np.testing.assert_array_equal(display.im_.get_array(), model.attention_weights(["a b"], ["AB"])[0])
    assert labels(display) == [["a", "' '", "b"], ["A", "B", "</s>"]]
    assert display.ax_.get_title() == "pair"
    assert labels(AlignmentDisplay.from_estimator(model, "ca", ""))[1] == ["</s>"]


@pytest.mark.filterwarnings("ignore:.*cut off")
def test_the_target_is_the_predicted_one_by_default(model):
    display = AlignmentDisplay.from_estimator(model, "bb")
    assert labels(display)[1] == [*model.predict(["bb"])[0], "</s>"]


def test_all_that_is_written_is_inside_the_figure(model):
    display = AlignmentDisplay.from_estimator(model, "a b", "AB")
    display.figure_.canvas.draw()
    whole = display.figure_.bbox
    for text in (display.ax_.xaxis.label, display.ax_.yaxis.label):
        box = text.get_window_extent()
        assert whole.x0 <= box.x0 < box.x1 <= whole.x1
        assert whole.y0 <= box.y0 < box.y1 <= whole.y1


def test_steps_without_names_are_counted_and_many_are_thinned_out():
    display = AlignmentDisplay(weights=np.full((3, 200), 1 / 200)).plot(colorbar=False)
    across, down = labels(display)
    assert down == ["1", "2", "3"]
    assert across[:2] == ["1", "5"]
    assert display.figure_.axes == [display.ax_]


def test_numbers_and_pipelines_are_drawn_too():
    numbers = [np.random.default_rng(n).random((n % 3 + 1, 2)) for n in range(12)]
    of_numbers = RNNEncoderDecoder(hidden_size=4, max_epochs=1, random_state=0).fit(numbers, numbers)
    display = AlignmentDisplay.from_estimator(of_numbers, numbers[2], numbers[1])
    assert labels(display) == [["1", "2", "3"], ["1", "2", "3"]]
    words = RNNEncoderDecoder(hidden_size=4, max_epochs=1, random_state=0)
    pipeline = make_pipeline(SequenceTokenizer(), words).fit(["so good", "bad", "good"] * 4, Y)
    assert labels(AlignmentDisplay.from_estimator(pipeline, "so bad", "B"))[0] == ["so", "bad"]


def test_an_estimator_that_aligns_nothing_is_refused():
    classifier = small(RNNClassifier).fit([list(text) for text in X], ["u", "v", "v"] * 4)
    with pytest.raises(ValueError, match="aligns no target with its source: give an RNNEncoderDecoder"):
        AlignmentDisplay.from_estimator(classifier, "ab")
