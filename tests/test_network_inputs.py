"""The vectors of steps: embedded, encoded and passed on, against each token by itself."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn
from torch.nn import functional as F

from sklearn_rnn.networks.dropout import set_generator
from sklearn_rnn.networks.initialization import EMBEDDING_STD, initialize
from sklearn_rnn.networks.inputs import CharacterEncoder, InputLayout, StepInputs

KINDS = ("cnn", "lstm")
every_kind = pytest.mark.parametrize("kind", KINDS)

TOKENS = InputLayout(embedded=((6, 4),))
MIXED = InputLayout(embedded=((6, 4), (3, 2)), max_characters=5, n_characters=7, n_numeric=2)
LAYOUTS = {
    "tokens": TOKENS,
    "two embedded inputs": InputLayout(embedded=((6, 4), (3, 2))),
    "characters": InputLayout(embedded=((6, 4),), max_characters=5, n_characters=7),
    "numbers": InputLayout(embedded=((6, 4),), n_numeric=2),
    "all": MIXED,
}
every_layout = pytest.mark.parametrize("layout", LAYOUTS.values(), ids=LAYOUTS)


def make_encoder(kind, *, n_characters=7, seed=0):
    """An encoder with a vector for padding too, which nothing may depend on."""
    encoder = CharacterEncoder(kind, n_characters, 3, 4).double()
    initialize(encoder, "torch", torch.Generator().manual_seed(seed))
    with torch.no_grad():
        encoder.embedding.weight.normal_(generator=torch.Generator().manual_seed(seed))
    return encoder


def make_inputs(layout, *, kind="cnn", seed=0, **options):
    encoder = make_encoder(kind, n_characters=layout.n_characters) if layout.max_characters else None
    inputs = StepInputs(layout, character_encoder=encoder, **options).double()
    with torch.no_grad():
        for embedding in inputs.embeddings:
            embedding.weight.normal_(generator=torch.Generator().manual_seed(seed))
    set_generator(inputs, torch.Generator().manual_seed(seed))
    return inputs


def random_forms(layout, generator, n_forms=8):
    """The characters (n_forms, max_characters) of some forms, the first and another one without any."""
    lengths = torch.randint(1, layout.max_characters + 1, (n_forms, 1), generator=generator)
    lengths[0] = lengths[n_forms // 2] = 0
    characters = torch.randint(1, layout.n_characters, (n_forms, layout.max_characters), generator=generator)
    return characters * (torch.arange(layout.max_characters) < lengths)


def random_steps(layout, shape, seed=0):
    """Rows (*shape, n_columns) as `layout` has them; (*shape,) for tokens alone."""
    generator = torch.Generator().manual_seed(seed)
    columns = [torch.randint(n, (*shape, 1), generator=generator) for n, _ in layout.embedded]
    if layout.max_characters:
        table = random_forms(layout, generator)
        forms = torch.randint(len(table), shape, generator=generator)
        columns += [forms[..., None], table[forms]]
    if layout.n_numeric:
        columns.append(torch.randn(*shape, layout.n_numeric, generator=generator, dtype=torch.float64))
    joined = torch.cat(columns, -1)
    return joined[..., 0] if joined.shape[-1] == 1 else joined


def vector_of(inputs, row):
    """The vector of one step, its parts made one by one."""
    layout, row = inputs.layout, torch.atleast_1d(row)
    parts = [embedding.weight[int(row[k])] for k, embedding in enumerate(inputs.embeddings)]
    position = len(parts)
    if layout.max_characters:
        characters = row[position + 1 : position + 1 + layout.max_characters]
        parts.append(inputs.character_encoder(characters[None].long())[0])
    if layout.n_numeric:
        parts.append(row[len(row) - layout.n_numeric :])
    return torch.cat(parts)


class TestStepInputs:
    @every_layout
    @every_kind
    def test_vectors_are_those_of_each_step_by_itself(self, layout, kind):
        """Gradients too: a token that comes twice is encoded once."""
        inputs = make_inputs(layout, kind=kind)
        values = random_steps(layout, (3, 7))
        together = inputs(values)
        assert together.shape == (3, 7, inputs.output_size)
        alone = torch.stack([torch.stack([vector_of(inputs, row) for row in sequence]) for sequence in values])
        torch.testing.assert_close(together, alone, rtol=1e-12, atol=1e-12)
        coefficients = torch.randn(together.shape, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
        parameters = list(inputs.parameters())
        gradients = [torch.autograd.grad((vectors * coefficients).sum(), parameters) for vectors in (together, alone)]
        for one, other in zip(*gradients, strict=True):
            torch.testing.assert_close(one, other, rtol=1e-10, atol=1e-12)

    def test_every_form_is_encoded_once(self):
        inputs, seen = make_inputs(MIXED), []
        inputs.character_encoder.register_forward_pre_hook(lambda module, args: seen.append(len(args[0])))
        values = random_steps(MIXED, (3, 7))
        inputs(values)
        assert seen == [len(values[:, :, 2].unique())]
        assert seen[0] < 3 * 7

    def test_rows_of_integers_and_of_floats_are_the_same(self):
        layout = LAYOUTS["characters"]
        inputs, values = make_inputs(layout), random_steps(layout, (2, 4))
        assert not values.is_floating_point()
        assert torch.equal(inputs(values), inputs(values.float()))

    def test_tokens_alone_need_no_axis_for_columns(self):
        inputs, values = make_inputs(TOKENS), random_steps(TOKENS, (2, 4))
        assert values.ndim == 2
        assert torch.equal(inputs(values), inputs(values[:, :, None]))
        assert torch.equal(inputs(values), F.embedding(values, inputs.token_embedding.weight))

    def test_numbers_are_passed_on(self):
        inputs, values = make_inputs(LAYOUTS["numbers"]), random_steps(LAYOUTS["numbers"], (2, 4))
        assert torch.equal(inputs(values)[:, :, -2:], values[:, :, -2:])

    def test_the_first_embedding_is_that_of_the_token(self):
        inputs = make_inputs(MIXED)
        assert inputs.token_embedding is inputs.embeddings[0]


def all_tokens(n, *, layout=TOKENS, shape=(100, 50)):
    """Steps whose embedded inputs are all index `n`; characters and numbers as drawn."""
    values = random_steps(layout, shape)
    if values.ndim == 2:
        return torch.full_like(values, n)
    values[:, :, : len(layout.embedded)] = n
    return values


class TestWordDropout:
    @pytest.mark.parametrize("p", [0.1, 0.5])
    def test_tokens_are_read_as_unknown(self, p):
        inputs = make_inputs(TOKENS, word_dropout=p)
        vectors, weight = inputs(all_tokens(2)), inputs.token_embedding.weight
        unknown = (vectors == weight[0]).all(2)
        assert torch.equal(vectors[~unknown], weight[2].expand_as(vectors[~unknown])), "the rest are as they were"
        assert abs(float(unknown.double().mean()) - p) < 0.03
        counts = unknown.sum(1)
        assert counts.min() < counts.max(), "each step draws for itself"

    def test_other_inputs_of_a_step_are_left(self):
        inputs, values = make_inputs(MIXED, word_dropout=0.5), all_tokens(2, layout=MIXED, shape=(4, 10))
        dropped, whole = inputs(values), inputs.eval()(values)
        assert not torch.equal(dropped[:, :, :4], whole[:, :, :4])
        assert torch.equal(dropped[:, :, 4:], whole[:, :, 4:])

    def test_ends_with_training(self):
        inputs, values = make_inputs(TOKENS, word_dropout=0.9), all_tokens(2, shape=(4, 10))
        assert torch.equal(inputs.eval()(values), make_inputs(TOKENS)(values))

    def test_vector_of_unknown_tokens_is_learned(self):
        values = all_tokens(2, shape=(4, 10))
        for p, trained in ((0.0, False), (0.5, True)):
            inputs = make_inputs(TOKENS, word_dropout=p)
            inputs(values).sum().backward()
            assert bool((inputs.token_embedding.weight.grad[0] != 0).any()) == trained

    def test_values_are_left_as_they_were(self):
        values = all_tokens(2, shape=(4, 10))
        make_inputs(TOKENS, word_dropout=0.5)(values)
        assert (values == 2).all()


class TestEmbeddingDropout:
    @pytest.mark.parametrize("tied", [False, True])
    @every_layout
    def test_values_of_the_joined_vector_are_dropped(self, layout, tied):
        """All of the vector, the numbers included; tied, the same values at all steps of a sequence."""
        values = random_steps(layout, (40, 30))
        inputs = make_inputs(layout, dropout=0.25, tied=tied)
        dropped, whole = inputs(values), inputs.eval()(values)
        kept = dropped != 0
        torch.testing.assert_close(dropped, torch.where(kept, whole / 0.75, 0))
        there = whole != 0  # the vector of a token without characters is 0 anyway
        assert abs(float(kept[there].double().mean()) - 0.75) < 0.05
        for column in range(inputs.output_size):
            shares = [float(k[t].double().mean()) for k, t in zip(kept[:, :, column], there[:, :, column], strict=True)]
            assert (set(shares) == {0.0, 1.0}) == tied
        assert (kept[0] != kept[1]).any(), "each sequence has a mask of its own"


def convolved(encoder, characters):
    """The vector of one token by torch's convolution."""
    n_units, n_in = encoder.convolution.weight.shape
    kernel = encoder.convolution.weight.view(n_units, 3, n_in // 3).transpose(1, 2)
    x = encoder.embedding.weight[characters]
    return F.conv1d(x.T[None], kernel, encoder.convolution.bias, padding=1)[0].amax(1)


def last_states(encoder, characters):
    """The vector of one token by torch's LSTM in both directions."""
    forward, backward = encoder.recurrence.directions
    lstm = nn.LSTM(forward.input_size, forward.hidden_size, bidirectional=True, batch_first=True).double()
    state = {name: part.detach() for name, part in forward.named_parameters()}
    state |= {f"{name}_reverse": part.detach() for name, part in backward.named_parameters()}
    lstm.load_state_dict(state)
    _, (hidden, _) = lstm(encoder.embedding.weight[characters][None])
    return hidden.flatten()


BY_TORCH = {"cnn": convolved, "lstm": last_states}
words = st.lists(st.lists(st.integers(1, 6), max_size=6), min_size=1, max_size=5)


def padded(tokens, n_extra=0):
    width = max(max(map(len, tokens)), 1) + n_extra
    return torch.tensor([[*token, *[0] * (width - len(token))] for token in tokens])


class TestCharacterEncoder:
    @given(kind=st.sampled_from(KINDS), tokens=words, n_extra=st.integers(0, 3), seed=st.integers(0, 99))
    @settings(deadline=None, max_examples=30)
    def test_vectors_are_those_of_torch_for_each_token_alone(self, kind, tokens, n_extra, seed):
        """Whatever the padding; a token without characters has the vector 0."""
        encoder = make_encoder(kind, seed=seed)
        vectors = encoder(padded(tokens, n_extra)).detach()
        assert vectors.shape == (len(tokens), encoder.output_size)
        for vector, token in zip(vectors, tokens, strict=True):
            expected = BY_TORCH[kind](encoder, torch.tensor(token)).detach() if token else torch.zeros_like(vector)
            torch.testing.assert_close(vector, expected, rtol=1e-12, atol=1e-12)

    @every_kind
    def test_padding_and_tokens_without_characters_have_no_gradient(self, kind):
        encoder, tokens = make_encoder(kind), [[1, 2, 3], [], [4]]
        weights = torch.linspace(-1, 2, 3 * 4, dtype=torch.float64).view(3, 4)
        parameters = list(encoder.parameters())
        gradients = torch.autograd.grad((encoder(padded(tokens, 2)) * weights).sum(), parameters)
        assert all(torch.isfinite(gradient).all() for gradient in gradients)
        assert (gradients[0][[0, 5, 6]] == 0).all(), "of padding, and of characters that no token has"
        without = (encoder(padded([tokens[0], tokens[2]])) * weights[[0, 2]]).sum()
        for one, other in zip(gradients, torch.autograd.grad(without, parameters), strict=True):
            torch.testing.assert_close(one, other, rtol=1e-10, atol=1e-12)

    @every_kind
    def test_gradient_equals_finite_differences(self, kind):
        encoder, tokens = make_encoder(kind), padded([[1, 2, 3, 1], [], [4]])
        names, parameters = zip(*encoder.named_parameters(), strict=True)

        def vectors(*moved):
            return torch.func.functional_call(encoder, dict(zip(names, moved, strict=True)), tokens)

        assert torch.autograd.gradcheck(vectors, parameters)

    @every_kind
    @pytest.mark.parametrize("hidden_size", [4, 5])
    def test_output_size(self, kind, hidden_size):
        encoder = CharacterEncoder(kind, 7, 3, hidden_size)
        expected = hidden_size if kind == "cnn" else 2 * -(-hidden_size // 2)  # as many in each direction
        assert encoder.output_size == encoder(padded([[1, 2]])).shape[1] == expected


class TestVectorsOfTokens:
    def prepared(self, covered, *, n=2000, seed=0):
        """Inputs with first weights and vectors of mean 3 and spread 2 for the tokens that are `covered`."""
        inputs = StepInputs(InputLayout(embedded=((n, 5),)))
        initialize(inputs, "auto", torch.Generator().manual_seed(seed))
        vectors = torch.from_numpy(np.random.default_rng(seed).normal(3, 2, size=(n, 5)).astype(np.float32))
        return inputs, vectors, covered

    def test_covered_tokens_have_theirs_and_others_random_ones_of_the_same_spread(self):
        covered = torch.arange(2000) % 2 == 1
        inputs, vectors, covered = self.prepared(covered)
        inputs.set_vectors(vectors, covered)
        weight = inputs.token_embedding.weight.detach()
        assert torch.equal(weight[covered], vectors[covered])
        assert (weight[0] == 0).all()
        others = weight[~covered][1:]
        assert len(others.unique()) > 0.99 * others.numel()
        assert abs(float(others.mean())) < 0.1
        assert float(others.std() / vectors[covered].std()) == pytest.approx(1, abs=0.05)

    def test_without_a_covered_token_the_first_weights_stay(self):
        inputs, vectors, covered = self.prepared(torch.zeros(2000, dtype=torch.bool))
        before = inputs.token_embedding.weight.detach().clone()
        inputs.set_vectors(vectors, covered)
        assert torch.equal(inputs.token_embedding.weight, before)
        assert float(before[1:].std()) == pytest.approx(EMBEDDING_STD, rel=0.05)

    def test_vectors_take_the_precision_of_the_network(self):
        inputs, vectors, covered = self.prepared(torch.arange(2000) > 0)
        inputs.double().set_vectors(vectors, covered)
        assert inputs.token_embedding.weight.dtype == torch.float64
        assert torch.equal(inputs.token_embedding.weight[1:], vectors[1:].double())

    def test_frozen_vectors_are_not_trained(self):
        inputs, values = make_inputs(MIXED), random_steps(MIXED, (2, 4))
        for frozen in (True, False):
            inputs.zero_grad()
            inputs.freeze_tokens(frozen)
            inputs(values).sum().backward()
            assert (inputs.embeddings[0].weight.grad is None) == frozen
            assert inputs.embeddings[1].weight.grad is not None
            assert inputs.character_encoder.embedding.weight.grad is not None


@pytest.mark.parametrize("word_dropout", [0.0, 0.5])
@pytest.mark.parametrize("n_steps", [1, 4, 40])
def test_rows_that_steps_share_are_their_vectors(n_steps, word_dropout):
    """A few steps have their own vectors, many share those of all tokens, and some those that there are."""
    inputs = make_inputs(TOKENS, word_dropout=word_dropout).train()
    values = torch.randint(3, (2, n_steps), generator=torch.Generator().manual_seed(0))
    set_generator(inputs, torch.Generator().manual_seed(1))
    wanted = inputs(values)
    set_generator(inputs, torch.Generator().manual_seed(1))
    shared = inputs.shared(values)
    if n_steps == 1:
        assert shared is None
        return
    assert torch.equal(shared.rows[shared.index], wanted)
    assert len(shared.rows) == (6 if n_steps == 40 else len(shared.index.unique()))


@pytest.mark.parametrize("name", [name for name in LAYOUTS if name != "tokens"])
def test_other_inputs_share_nothing(name):
    values = torch.zeros(2, 40, 12)
    assert make_inputs(LAYOUTS[name]).shared(values) is None


def test_vectors_that_are_dropped_share_nothing():
    inputs, values = make_inputs(TOKENS, dropout=0.3), torch.zeros(2, 40, dtype=torch.int64)
    assert inputs.train().shared(values) is None
    assert inputs.eval().shared(values) is not None
