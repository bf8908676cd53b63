"""A text is cut into tokens and windows, and a language model learns of it what can be known."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils.flop_counter import FlopCounterMode

from api_schemas.catalog.datasets_text import MarkovText
from api_schemas.catalog.layers import InputShape, multiplications, parameter_count, parameter_shapes
from api_schemas.catalog.models import Gpt
from api_schemas.errors import InvalidRequest
from api_schemas.jobs import JobSpec
from api_schemas.plan import make_plan
from api_schemas.texts import markov_text, python_reference
from training.build import build, build_model
from training.data.byte_pairs import BytePairs, byte_pairs
from training.data.prepare import BadData, prepare
from training.data.tokens import Bytes, Characters, alphabet
from training.events import Evaluation
from training.language import windows
from training.layers_language import CausalAttention
from training.predict_text import Writer

SMALL = {"name": "gpt", "context": 16, "width": 16, "heads": 2, "layers": 1}
TOKENIZERS = ["bytes", "characters", "bpe"]
SHAPE = InputShape(12, tokens=(12, 50))
GPTS = [
    {},
    {"tied_embedding": False},
    {"normalization": {"name": "rms_norm"}, "activation": {"name": "relu"}, "dropout": 0.1},
    {"normalization": {"name": "none"}, "layers": 3, "heads": 1, "expansion": 2},
]


def gpt(**knobs):
    return Gpt.model_validate({"name": "gpt", "context": 12, "width": 8, "heads": 2, **knobs})


def evaluations(run):
    return [event.values for event in run.events() if isinstance(event, Evaluation)]


@given(st.text(min_size=1))
def test_tokens_are_the_text_again(text):
    data = text.encode()
    for tokens in (Bytes(), Characters(alphabet(data)), byte_pairs(data, 270)):
        found = tokens.encode(data)
        assert tokens.decode(found.tolist()) == text
        assert tokens.lengths[found].sum() == len(text)


def test_byte_pairs_are_made_again_from_what_a_model_holds_of_them():
    text = python_reference(20_000)
    learned = byte_pairs(text, 400)
    assert len(learned.lengths) == 400
    assert len(learned.encode(text)) < 0.7 * len(text)
    np.testing.assert_array_equal(BytePairs(learned.held).encode(text), learned.encode(text))
    assert byte_pairs(text, 400).held == learned.held


def test_byte_pairs_merge_what_is_most_frequent():
    tokens = byte_pairs(b"abab abab cdab", 257)
    assert [tokens.decode([token]) for token in tokens.encode(b"abc")] == ["ab", "c"]


def test_half_a_character_at_a_cut_is_left_out():
    text = "aä".encode()
    assert Characters("aä").encode(text[:2]).tolist() == [0]
    assert byte_pairs(text, 257).decode(byte_pairs(text, 257).encode(text[:2]).tolist()) == "a"


@given(tokens=st.integers(5, 300), count=st.integers(1, 60), length=st.integers(1, 5))
def test_windows_are_even_and_reach_from_end_to_end(tokens, count, length):
    found = windows(np.arange(tokens), count, length)
    assert found.shape == (count, length)
    assert found[0, 0] == 0
    assert (np.diff(found, axis=1) == 1).all()
    steps = np.diff(found[:, 0])
    if count > 1:
        assert found[-1, -1] == tokens - 1
        assert steps.max() - steps.min() <= 1


@pytest.mark.parametrize("tokenizer", TOKENIZERS)
def test_a_plan_knows_the_windows_and_the_beginning_of_the_text_trains(tokenizer):
    spec = {"dataset": {"name": "python_reference", "characters": 9000}, "model": SMALL}
    spec |= {"split": {"validation": 0.2, "test": 0.1}, "preprocessing": {"text": {"name": tokenizer}}}
    plan = make_plan(JobSpec.model_validate(spec), None)
    data = prepare(plan.spec, None, None)
    text, tokens = python_reference(9000).decode(), data.preparation.tokens
    assert [len(part.x) for part in data.parts] == [plan.train_rows, plan.validation_rows, plan.test_rows]
    assert all(part.x.shape == part.y.shape == (len(part.x), 16) for part in data.parts)
    assert torch.equal(data.train.x[:, 1:], data.train.y[:, :-1])
    assert text.startswith(tokens.decode(data.train.x[0].tolist()))
    assert tokens.decode(data.train.y[-1].tolist()) in text[:6320]
    assert tokens.decode(data.validation.x[0].tolist()) in text[6280:8100]
    assert text.endswith(tokens.decode(data.test.y[-1].tolist()))


@pytest.mark.parametrize("knobs", GPTS, ids=str)
def test_the_parameters_of_a_gpt_are_known_before_it_is_built(knobs):
    entry = gpt(**knobs)
    built = build_model(entry, SHAPE, 50)
    described = entry.network(SHAPE, 50)
    shapes = [(name, tuple(weight.shape)) for name, weight in built.named_parameters()]
    assert list(parameter_shapes(described).items()) == shapes
    assert parameter_count(described) == sum(weight.numel() for weight in built.parameters())
    assert built(torch.randint(50, (3, 12))).shape == (3, 12, 50)
    assert built(torch.randint(50, (3, 5))).shape == (3, 5, 50)


@pytest.mark.parametrize("knobs", GPTS, ids=str)
def test_its_multiplications_are_those_that_torch_counts(knobs):
    entry = gpt(**knobs, width=64)
    built = build_model(entry, SHAPE, 50).eval()
    with FlopCounterMode(display=False) as counter, torch.no_grad(), sdpa_kernel([SDPBackend.MATH]):
        built(torch.randint(50, (1, 12)))
    assert multiplications(entry.network(SHAPE, 50)) == pytest.approx(counter.get_total_flops() / 2, rel=0.02)


@pytest.mark.parametrize("knobs", GPTS, ids=str)
def test_no_place_sees_what_comes_after_it(knobs):
    torch.manual_seed(0)
    network = build_model(gpt(**knobs), SHAPE, 50).eval()
    tokens = torch.randint(50, (1, 12))
    changed = tokens.clone()
    changed[0, 7] = (changed[0, 7] + 1) % 50
    before, after = network(tokens)[0], network(changed)[0]
    torch.testing.assert_close(before[:7], after[:7])
    assert all(not torch.allclose(before[place], after[place]) for place in range(7, 12))


def test_attention_is_its_formula():
    torch.manual_seed(0)
    layer, x = CausalAttention(6, 2, 0.0).double(), torch.randn(2, 5, 6, dtype=torch.float64)
    queries, keys, values = layer.ask(x).chunk(3, dim=2)
    parts = []
    for head in (slice(0, 3), slice(3, 6)):
        scores = queries[..., head] @ keys[..., head].transpose(1, 2) / math.sqrt(3)
        scores = scores.masked_fill(torch.ones(5, 5).triu(1).bool(), -math.inf)
        parts.append(scores.softmax(dim=2) @ values[..., head])
    torch.testing.assert_close(layer(x), layer.answer(torch.cat(parts, dim=2)))


def test_every_run_of_fewer_letters_of_a_chain_is_as_likely_and_one_more_tells_all_but_the_noise():
    entry = MarkovText(n=200_000, symbols=3, order=2, noise=0.3)
    letters = np.frombuffer(build(entry), np.uint8) - ord("a")
    pairs = np.bincount(letters[:-1] * 3 + letters[1:], minlength=9) / (len(letters) - 1)
    np.testing.assert_allclose(pairs, 1 / 9, atol=0.01)
    runs = letters[:-2] * 9 + letters[1:-1] * 3 + letters[2:]
    triples = np.bincount(runs, minlength=27).reshape(9, 3) / len(runs)
    after = triples / triples.sum(axis=1, keepdims=True)
    assert -(triples * np.log2(after)).sum() == pytest.approx(entry.entropy, abs=0.005)


@pytest.mark.parametrize("order", [1, 3])
def test_a_chain_repeats_itself_and_differs_by_seed(order):
    first, again, other = (markov_text(500, seed, 5, order, 0.1) for seed in (1, 1, 2))
    assert len(first) == 500
    assert first == again != other


def test_a_gpt_learns_of_a_chain_what_can_be_known(make_run):
    """At the first place of a window only one letter of two is seen, and log2 4 bits are left."""
    entry = MarkovText()
    run = make_run(
        dataset={"name": "markov_text"},
        model=SMALL,
        optimizer={"name": "adam", "lr": 0.01},
        training={"epochs": 5, "batch_size": 32},
    )
    *_, last = evaluations(run)
    knowable = entry.entropy + (2 - entry.entropy) / 16
    assert last["val/bits_per_character"] == pytest.approx(knowable, abs=0.02)
    assert last["val/perplexity"] == pytest.approx(2 ** last["val/bits_per_character"])
    assert last["val/loss"] == pytest.approx(math.log(last["val/perplexity"]), rel=1e-5)
    assert last["val/accuracy"] == pytest.approx(0.85 - (0.85 - 0.25) / 16, abs=0.02)


def test_a_text_with_dropout_goes_on_bit_for_bit(make_run, tmp_path):
    def begun():
        return make_run(
            dataset={"name": "python_reference", "characters": 6000},
            model=SMALL | {"dropout": 0.2},
            training={"epochs": 2, "checkpoint_every_steps": 5},
        )

    whole = begun()
    for _ in whole.events():
        if whole.steps_done == 5:
            whole.save(tmp_path / "state")
    resumed = begun()
    resumed.restore(tmp_path / "state")
    for _ in resumed.events():
        pass
    assert resumed.save_model(tmp_path / "resumed") == whole.save_model(tmp_path / "whole")


@pytest.mark.parametrize("tokenizer", TOKENIZERS)
def test_a_model_writes_the_same_text_again_and_the_likeliest_when_cold(make_run, tmp_path, tokenizer):
    run = make_run(
        dataset={"name": "markov_text", "n": 20_000, "order": 1, "noise": 0.01, "symbols": 5},
        model=SMALL,
        preprocessing={"text": {"name": tokenizer, **({"vocab_size": 270} if tokenizer == "bpe" else {})}},
        optimizer={"name": "adam", "lr": 0.01},
        training={"epochs": 4, "batch_size": 32},
    )
    for _ in run.events():
        pass
    run.save_model(tmp_path / "model")
    writer = Writer.load(tmp_path / "model")
    assert writer.write("a", 40, seed=1) == writer.write("a", 40, seed=1) != writer.write("a", 40, 2.0, seed=2)
    written = "a" + writer.write("a", 30, temperature=0)
    text = markov_text(20_000, 0, 5, 1, 0.01).decode()
    follows = {first: text.count(first + second) for first, second in itertools.pairwise(text[:50])}
    assert written[:20] in text, follows


def test_a_prompt_that_cannot_be_read_is_refused_at_its_place(make_run, tmp_path):
    run = make_run(dataset={"name": "markov_text", "n": 2000}, model=SMALL, training={"epochs": 1, "batch_size": 16})
    for _ in run.events():
        pass
    run.save_model(tmp_path / "model")
    for prompt, code in (("", "empty_prompt"), ("azb", "unknown_character")):
        with pytest.raises(InvalidRequest) as refused:
            Writer.load(tmp_path / "model").write(prompt)
        assert [(fault.pointer, fault.code) for fault in refused.value.faults] == [("/prompt", code)]


@pytest.mark.parametrize(
    ("job", "pointer", "code"),
    [
        ({"model": {"name": "mlp"}}, "/model/name", "needs_columns"),
        ({"dataset": {"name": "iris"}}, "/model/name", "no_text"),
        ({"model": SMALL | {"heads": 3}}, "/model/heads", "heads_unfit"),
        ({"model": SMALL | {"normalization": {"name": "batch_norm"}}}, "/model/normalization", "normalization_unfit"),
        ({"model": SMALL | {"context": 1000}}, "/model/context", "context_too_long"),
        ({"target": "text"}, "/target", "target_is_fixed"),
        ({"split": {"method": "random"}}, "/split/method", None),
        ({"loss": {"name": "mse"}}, "/loss", "wrong_task"),
        ({"loss": {"name": "cross_entropy", "class_weights": "balanced"}}, "/loss/class_weights", "wrong_task"),
        ({"metrics": [{"name": "roc_auc"}]}, "/metrics/0", "wrong_task"),
    ],
    ids=lambda value: value if isinstance(value, str) and not value.startswith("/") else "",
)
def test_what_does_not_fit_text_is_refused_with_its_place(job, pointer, code):
    spec = {"dataset": {"name": "markov_text", "n": 3000}, "model": SMALL, **job}
    with pytest.raises(InvalidRequest) as refused:
        make_plan(JobSpec.model_validate(spec), None)
    assert [fault.pointer for fault in refused.value.faults] == [pointer]
    assert code in (None, refused.value.faults[0].code)


def test_bits_per_character_are_of_text_alone():
    spec = {"dataset": {"name": "iris"}, "metrics": [{"name": "perplexity"}, {"name": "bits_per_character"}]}
    with pytest.raises(InvalidRequest) as refused:
        make_plan(JobSpec.model_validate(spec), None)
    assert [fault.pointer for fault in refused.value.faults] == ["/metrics/1"]


def test_a_part_whose_long_tokens_make_no_window_is_bad_data():
    spec = {"dataset": {"name": "markov_text", "n": 1000, "order": 1, "symbols": 2, "noise": 1e-6}, "model": SMALL}
    spec |= {"model": SMALL | {"context": 60}, "preprocessing": {"text": {"name": "bpe", "vocab_size": 1000}}}
    spec |= {"training": {"batch_size": 4}}
    plan = make_plan(JobSpec.model_validate(spec), None)
    with pytest.raises(BadData, match="use a shorter context"):
        prepare(plan.spec, None, None)
