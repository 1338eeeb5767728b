import dataclasses

import numpy as np
import pytest
import torch
from transformers import (
    AutoTokenizer,
    BertForMaskedLM,
    BertTokenizerFast,
    DistilBertConfig,
    DistilBertForMaskedLM,
    RobertaForMaskedLM,
    RobertaForSequenceClassification,
)
from victim_cases import tiny_victim

from mvp_skill.errors import BadInput
from mvp_skill.masked_lm import LAYOUTS
from mvp_skill.mvp import MVP
from mvp_skill.victims import METHODS, build_victim, load_victim, save_victim
from mvp_skill.weights import weights_of

TEXTS = [
    "the film was not bad",
    "great",
    "the market is never good , but the team is",
    "who said the story was very very excellent ? the actor !",
    "zebra quux",
    "a house",
    "it was",
]
PAIRS = [(text, "is the house great ?") for text in TEXTS]


@pytest.fixture(scope="module")
def mvp(tiny_backbone):
    return tiny_victim("mvp", tiny_backbone, "mini_news")


def by_hand(folder, victim, words, template_pooling, word_pooling, model_class=RobertaForMaskedLM):
    """MVP as the paper writes it: whole prompted strings through the stock model, one at a time."""
    model = model_class.from_pretrained(folder).eval()
    tokenizer = AutoTokenizer.from_pretrained(folder)
    space = " " if model_class is RobertaForMaskedLM else ""
    pool = {"max": max, "mean": lambda values: sum(values) / len(values)}
    rows = []
    for text in TEXTS:
        by_template = []
        for pattern in victim.settings.templates:
            prompted = pattern.replace("{text}", text).replace("[MASK]", tokenizer.mask_token)
            ids = tokenizer(prompted, return_tensors="pt")
            with torch.no_grad():
                logits = model(**ids).logits[0]  # [position, vocab]
            at_mask = logits[ids["input_ids"][0].tolist().index(tokenizer.mask_token_id)]
            by_class = []
            for class_words in words:
                scores = [
                    at_mask[tokenizer.encode(space + w, add_special_tokens=False)[0]]
                    for w in class_words
                ]
                by_class.append(pool[word_pooling](scores))
            by_template.append(by_class)
        rows.append([pool[template_pooling](scores) for scores in zip(*by_template, strict=True)])
    return torch.tensor(rows)


@pytest.mark.parametrize("word_pooling", ["max", "mean"])
@pytest.mark.parametrize("template_pooling", ["max", "mean"])
def test_pitfall_23_mvp_equals_the_slow_version_that_pools_words_first(
    tiny_backbone, mvp, word_pooling, template_pooling
):
    words = (("great", "good", "fine"), ("terrible",), ("bad", "awful"))
    settings = dataclasses.replace(
        mvp.settings, label_words=words, label_names=("good", "terrible", "bad"),
        word_pooling=word_pooling, template_pooling=template_pooling,
        templates=(" a [MASK] film . {text}", "{text} it was [MASK] .", "{text} so [MASK]"),
    )  # fmt: skip
    victim = MVP(mvp.backbone, mvp.tokenizer, settings)
    expected = by_hand(tiny_backbone, victim, words, template_pooling, word_pooling)
    assert expected.shape == (7, 3)
    # Different words differ by about 0.1, other poolings by about 0.02.
    torch.testing.assert_close(victim(TEXTS), expected, atol=1e-5, rtol=0)


def test_mlp_ft_equals_the_library(tiny_backbone, monkeypatch):
    victim = tiny_victim("mlp_ft", tiny_backbone, "mini_news", seed=3)
    library = RobertaForSequenceClassification.from_pretrained(tiny_backbone, num_labels=4).eval()
    library.roberta.load_state_dict(victim.encoder.state_dict(), strict=True)
    library.classifier.dense.load_state_dict(victim.dense.state_dict())
    library.classifier.out_proj.load_state_dict(victim.out_proj.state_dict())
    with torch.no_grad():
        batch = victim.tokenizer(TEXTS, padding=True, return_tensors="pt")
        expected = library(**batch).logits
    assert expected.shape == (7, 4)
    torch.testing.assert_close(victim(TEXTS), expected, atol=1e-5, rtol=0)
    # In training too: the same dropout in the same places (if it draws for all positions).
    whole = LAYOUTS["roberta"]._replace(last_output=None)
    monkeypatch.setitem(LAYOUTS, "roberta", whole)
    rows = victim.collate(victim.encode(TEXTS))
    torch.manual_seed(1)
    expected = library.train()(**batch).logits
    torch.manual_seed(1)
    torch.testing.assert_close(victim.train().logits(rows), expected, atol=1e-5, rtol=0)


def test_the_head_follows_the_seed_and_nothing_else(tiny_backbone):
    first, same, other = (tiny_victim("mlp_ft", tiny_backbone, seed=s) for s in (0, 0, 1))
    assert first.dense.weight.equal(same.dense.weight)
    assert not first.dense.weight.equal(other.dense.weight)
    assert abs(first.dense.weight.std() - 0.02) < 0.002


@pytest.mark.parametrize("method", METHODS)
def test_pitfall_01_two_queries_agree(tiny_backbone, method):
    victim = tiny_victim(method, tiny_backbone)
    victim.train()  # as a training loop leaves it: dropout would answer differently each time
    assert victim(TEXTS).equal(victim(TEXTS))
    assert victim.training  # left as it was
    assert victim.eval()(TEXTS).equal(victim.train()(TEXTS))


@pytest.mark.parametrize("method", METHODS)
def test_pitfall_15_no_graph_in_attack(tiny_backbone, method, monkeypatch):
    victim = tiny_victim(method, tiny_backbone)
    seen, logits = [], victim.logits
    monkeypatch.setattr(
        victim,
        "logits",
        lambda rows: (seen.append(torch.is_inference_mode_enabled()), logits(rows))[1],
    )
    assert not victim(TEXTS).requires_grad
    assert set(seen) == {True}
    assert not torch.is_inference_mode_enabled()
    assert all(p.requires_grad and p.grad is None for p in victim.parameters())


def test_pitfall_16_head_at_mask_only(mvp):
    shapes, head = [], mvp.backbone.lm_head
    handles = [
        head.dense.register_forward_hook(lambda m, args, out: shapes.append(tuple(out.shape))),
        head.decoder.register_forward_hook(lambda *_: shapes.append("whole vocabulary")),
    ]
    mvp(TEXTS)
    for handle in handles:
        handle.remove()
    assert sum(n for n, _ in shapes) == 7 * 4 and {width for _, width in shapes} == {32}


def test_pitfall_17_tied_decoder(tiny_backbone, tmp_path):
    victim = tiny_victim("mvp", tiny_backbone, "mini_news")
    embeddings = victim.backbone.get_input_embeddings()
    assert victim.backbone.get_output_embeddings().weight is embeddings.weight
    rows = victim.collate(victim.encode(["great"]))
    # A label word in no row: only the decoder uses it, so its gradient comes through the tie.
    unseen = [i for i in victim.word_ids.tolist() if i not in rows.input_ids]
    untouched = victim.tokenizer.encode(" zebra", add_special_tokens=False)[0]
    assert unseen and untouched not in rows.input_ids
    victim.train().logits(rows)[0, 2].backward()
    gradient = embeddings.weight.grad.abs().sum(dim=1)  # [vocab]
    business = victim.tokenizer.encode(" business", add_special_tokens=False)[0]
    assert business in unseen and gradient[business] > 0
    assert gradient[untouched] == 0
    before = victim([TEXTS[0]])
    with torch.no_grad():
        embeddings.weight[business] += 0.1
    assert not victim([TEXTS[0]]).equal(before)
    save_victim(victim, tmp_path)
    loaded = load_victim(tmp_path).backbone
    assert loaded.get_output_embeddings().weight is loaded.get_input_embeddings().weight


@pytest.mark.parametrize("method", METHODS)
def test_pitfall_11_one_formatter(tiny_backbone, method, monkeypatch):
    """A pair gives the same token ids in training, evaluation and attack."""
    victim = tiny_victim(method, tiny_backbone, "mini_questions")
    pair = ("the story was bad " * 60, "is the house great ?")
    generator = np.random.default_rng(0)
    in_training = victim.collate(victim.encode([pair]), generator)
    seen, logits = [], victim.logits
    monkeypatch.setattr(victim, "logits", lambda rows: (seen.append(rows), logits(rows))[1])
    assert victim([pair]).shape == (1, 2)
    assert seen[0].input_ids.equal(in_training.input_ids)
    question = victim.tokenizer.encode(" is the house great ?", add_special_tokens=False)[-3:]
    for ids in seen[0].input_ids.tolist():
        assert len(ids) == 128
        assert any(ids[i : i + 3] == question for i in range(128))


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize(("task", "texts"), [("mini_films", TEXTS), ("mini_questions", PAIRS)])
def test_a_batch_equals_its_texts_one_by_one(tiny_backbone, method, task, texts):
    victim = tiny_victim(method, tiny_backbone, task)
    repeated = [*texts, *texts[:3]]
    one_by_one = torch.cat([victim([text]) for text in repeated])
    torch.testing.assert_close(victim(repeated), one_by_one, atol=1e-5, rtol=0)
    assert one_by_one[:7].unique(dim=0).shape == (7, 2)


def test_equal_texts_are_computed_once(mvp, monkeypatch):
    seen, encode = [], mvp.encode
    monkeypatch.setattr(mvp, "encode", lambda texts: (seen.append(len(texts)), encode(texts))[1])
    logits = mvp(["great", "bad", "great"])
    assert seen == [2]
    assert logits[0].equal(logits[2]) and not logits[0].equal(logits[1])


def test_small_batches_change_nothing(mvp, monkeypatch):
    expected = mvp(TEXTS)
    monkeypatch.setattr("mvp_skill.prediction.EVALUATION_TOKENS", {"cpu": 1, "cuda": 1})
    torch.testing.assert_close(mvp(TEXTS), expected, atol=1e-5, rtol=0)


def test_logits_are_fp32_and_fit_for_autograd(mvp):
    logits = mvp(TEXTS)
    assert logits.dtype == torch.float32 and not logits.is_inference()
    assert mvp([]).shape == (0, 4)


def test_one_random_template_in_training_all_in_evaluation(tiny_backbone):
    victim = tiny_victim("mvp", tiny_backbone, "mini_news", training_templates="one")
    records = victim.encode(TEXTS)
    generator = np.random.default_rng(0)
    drawn = [victim.collate(records, generator) for _ in range(20)]
    assert {rows.mask_position.shape for rows in drawn} == {(7, 1)}
    everything = victim.collate(records)
    assert everything.mask_position.shape == (7, 4)

    def tokens(rows, row):
        return tuple(rows.input_ids[row][rows.attention_mask[row].bool()].tolist())

    assert {tokens(rows, 0) for rows in drawn} == {tokens(everything, row) for row in range(4)}
    assert victim.logits(drawn[0]).shape == (7, 4)
    # Evaluation does not depend on what training does.
    as_usual = tiny_victim("mvp", tiny_backbone, "mini_news")
    assert victim(TEXTS).equal(as_usual(TEXTS))


@pytest.mark.parametrize("method", METHODS)
def test_pitfall_22_every_method_works_with_bert(tiny_bert, method, tmp_path):
    victim = tiny_victim(method, tiny_bert)
    logits = victim(TEXTS)
    assert logits.shape == (7, 2)
    if method == "mvp":
        words = (("terrible",), ("great",))
        expected = by_hand(tiny_bert, victim, words, "mean", "max", BertForMaskedLM)
        torch.testing.assert_close(logits, expected, atol=1e-5, rtol=0)
    save_victim(victim, tmp_path)
    assert load_victim(tmp_path)(TEXTS).equal(logits)


def test_another_architecture_is_refused(tiny_bert, tmp_path):
    tokenizer = BertTokenizerFast.from_pretrained(tiny_bert)
    config = DistilBertConfig(vocab_size=len(tokenizer), dim=8, n_heads=2, n_layers=1, hidden_dim=8)
    DistilBertForMaskedLM(config).save_pretrained(tmp_path)
    tokenizer.save_pretrained(tmp_path)
    with pytest.raises(BadInput, match="type 'distilbert' cannot be a victim yet; use .* roberta"):
        tiny_victim("mvp", tmp_path)


@pytest.mark.parametrize("method", METHODS)
def test_a_stored_victim_is_the_same_victim(tiny_backbone, tmp_path, method):
    victim = tiny_victim(method, tiny_backbone, "mini_questions", seed=4)
    with torch.no_grad():
        for weight in weights_of(victim).values():
            weight += 0.01
    save_victim(victim, tmp_path / "victim")
    loaded = load_victim(tmp_path / "victim")
    assert type(loaded) is type(victim) and loaded.settings == victim.settings
    assert not loaded.training
    assert loaded(PAIRS).equal(victim(PAIRS))
    assert not list((tmp_path / "victim").glob("*.bin")) + list((tmp_path / "victim").glob("*.pt"))


def test_damaged_victims_are_refused(tiny_backbone, mvp, tmp_path):
    save_victim(mvp, tmp_path)
    weights = tmp_path / "model.safetensors"
    whole = weights.read_bytes()
    weights.write_bytes(whole[:-100])
    with pytest.raises(BadInput, match="model.safetensors is not a complete safetensors file"):
        load_victim(tmp_path)
    weights.write_bytes((tiny_backbone / "model.safetensors").read_bytes())
    with pytest.raises(BadInput, match="does not hold the weights of this model"):
        load_victim(tmp_path)
    (tmp_path / "victim.json").write_text('{"settings": {"method": "mvp"}}', encoding="utf-8")
    with pytest.raises(BadInput, match="not written by this version"):
        load_victim(tmp_path)
    (tmp_path / "victim.json").unlink()
    with pytest.raises(BadInput, match="holds no finished victim"):
        load_victim(tmp_path)


def test_a_victim_is_complete_when_victim_json_is_there(mvp, tmp_path, monkeypatch):
    save_victim(mvp, tmp_path)

    def killed(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr("mvp_skill.victims.write_tensors", killed)
    with pytest.raises(KeyboardInterrupt):
        save_victim(mvp, tmp_path)
    with pytest.raises(BadInput, match="holds no finished victim"):
        load_victim(tmp_path)


@pytest.mark.parametrize(
    ("arguments", "options", "sentence"),
    [
        (("mvpp", "/nowhere", "mini_films"), {}, "Unknown method 'mvpp'; use mlp_ft, mvp"),
        (("mvp", "/nowhere", "mini_film"), {}, "Unknown task 'mini_film'"),
        (("mvp", "/nowhere", "mini_films"), {"word_pooling": "sum"}, "word_pooling 'sum'"),
        (("mvp", "/nowhere", "mini_films"), {"template_pooling": "min"}, "template_pooling 'min'"),
        (("mvp", "/nowhere", "mini_films"), {"training_templates": "two"}, "use all, one"),
        (("mvp", "/nowhere", "mini_films"), {"template_variant": "x"}, "variant"),
        (("mvp", "/nowhere", "mini_films"), {}, "/nowhere"),
    ],
)
def test_bad_arguments_are_refused_in_one_sentence(arguments, options, sentence):
    with pytest.raises(BadInput, match=sentence) as refusal:
        build_victim(*arguments, **options)
    assert "\n" not in str(refusal.value)


def test_a_template_that_does_not_fit_is_refused(tiny_backbone):
    with pytest.raises(BadInput, match="leave no room"):
        tiny_victim("mvp", tiny_backbone, max_length=5)


def test_no_text_is_one_string(mvp):
    with pytest.raises(BadInput, match=r"write \[text\]"):
        mvp("the film")
