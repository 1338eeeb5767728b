"""GPT-2: MLP-FT and MVP at the last token, against the library's own models."""

import dataclasses

import numpy as np
import pytest
import torch
from transformers import AutoTokenizer, GPT2ForSequenceClassification, GPT2LMHeadModel, GPT2Model
from victim_cases import tiny_victim

from mvp_skill.errors import BadInput
from mvp_skill.insertion import Insertion
from mvp_skill.mvp import MVP
from mvp_skill.prompts import Template
from mvp_skill.victims import build_victim

TEXTS = [
    "the film was not bad",
    "great",
    "the market is never good , but the team is",
    "zebra quux <|endoftext|> great",
    "",
    "a house",
    "it was",
]
TEMPLATES = ("{text} the question about it was [MASK]", "{text}[MASK]", "{text}so [MASK]")


@pytest.fixture(scope="module")
def gpt2(tiny_gpt2):
    return AutoTokenizer.from_pretrained(tiny_gpt2)


def rows_of(tokenizer, texts, templates=TEMPLATES, **options):
    options = {"max_length": 50} | options
    insertion = Insertion(tokenizer, [Template(pattern) for pattern in templates], **options)
    return insertion.every_row(insertion.encode(texts))


def tokens(rows, row):
    return rows.input_ids[row][rows.attention_mask[row].bool()].tolist()


def plain_ids(tokenizer, text):
    """The ids of a text as GPT-2 reads it; special tokens are text, and nothing is the start."""
    ids = tokenizer.encode(text, split_special_tokens=True)
    return ids or [tokenizer.eos_token_id]


def test_pitfall_12_mvp_equals_the_slow_version(tiny_gpt2, gpt2):
    words = (("great", "good"), ("terrible",), ("bad", "awful"))
    base = tiny_victim("mvp", tiny_gpt2, "ag_news", template_variant="gpt2")
    settings = dataclasses.replace(
        base.settings,
        label_words=words,
        label_names=("good", "terrible", "bad"),
        templates=TEMPLATES,
    )
    victim = MVP(base.backbone, base.tokenizer, settings)
    model = GPT2LMHeadModel.from_pretrained(tiny_gpt2).eval()
    expected = []
    for text in TEXTS:
        by_template = []
        for after in (" the question about it was", "", " so"):
            ids = plain_ids(gpt2, text) + (gpt2.encode(after) if after else [])
            with torch.no_grad():
                next_word = model(torch.tensor([ids])).logits[0, -1]  # [vocab]
            by_template.append(
                [max(next_word[gpt2.encode(" " + w)[0]] for w in of_class) for of_class in words]
            )
        expected.append(np.mean(by_template, axis=0))
    # The texts differ by more than 0.01.
    torch.testing.assert_close(victim(TEXTS), torch.tensor(np.array(expected)), atol=1e-5, rtol=0)


def test_mlp_ft_equals_the_library(tiny_gpt2, gpt2):
    victim = tiny_victim("mlp_ft", tiny_gpt2, "mini_news", seed=3)
    library = GPT2ForSequenceClassification.from_pretrained(tiny_gpt2, num_labels=4).eval()
    library.transformer.load_state_dict(victim.encoder.state_dict(), strict=True)
    library.score.load_state_dict(victim.score.state_dict(), strict=True)  # no bias
    rows = [torch.tensor([plain_ids(gpt2, text)]) for text in TEXTS]
    with torch.no_grad():
        expected = torch.cat([library(row).logits for row in rows])
    torch.testing.assert_close(victim(TEXTS), expected, atol=1e-5, rtol=0)
    batch = victim.collate(victim.encode(TEXTS[:3]))  # in training too: the same dropout
    library.config.pad_token_id = victim.insertion.pad_id
    torch.manual_seed(1)
    expected = library.train()(batch.input_ids, attention_mask=batch.attention_mask).logits
    torch.manual_seed(1)
    torch.testing.assert_close(victim.train().logits(batch), expected, atol=1e-5, rtol=0)


def test_the_head_follows_the_seed_and_nothing_else(tiny_gpt2):
    first, same, other = (tiny_victim("mlp_ft", tiny_gpt2, seed=s) for s in (0, 0, 1))
    assert first.score.weight.equal(same.score.weight)
    assert not first.score.weight.equal(other.score.weight)
    fresh = [name for name, _ in first.named_parameters() if not name.startswith("encoder.")]
    assert fresh == ["score.weight"]


def test_pitfall_12_no_token_of_the_text_is_lost_and_none_is_new(tiny_gpt2, gpt2):
    rows = rows_of(gpt2, TEXTS)
    assert rows.mask_position.shape == (7, 3)
    for row, (text, after) in enumerate(
        (text, after) for text in TEXTS for after in (" the question about it was", "", " so")
    ):
        expected = plain_ids(gpt2, text) + (gpt2.encode(after) if after else [])
        assert tokens(rows, row) == expected
        assert rows.mask_position.flatten()[row] == len(expected) - 1
        assert rows.attention_mask[row, : len(expected)].all()  # padded on the right
    victim = tiny_victim("mvp", tiny_gpt2, "boolq", template_variant="gpt2")
    assert victim.backbone.get_input_embeddings().num_embeddings == len(gpt2)
    assert victim.tokenizer.mask_token is None and len(victim.tokenizer) == len(gpt2)


def test_pitfall_23_template_survives_truncation(gpt2):
    rows = rows_of(gpt2, ["the film was bad " * 40], max_length=17)
    assert rows.attention_mask.sum(dim=1).tolist() == [17] * 3
    assert rows.mask_position.tolist() == [[16] * 3]
    assert gpt2.decode(tokens(rows, 0)[-5:]) == " the question about it was"
    assert gpt2.decode(tokens(rows, 2)[-1:]) == " so"


def test_pitfall_24_special_tokens_escaped(gpt2):
    rows = rows_of(gpt2, ["<|endoftext|> the film<|endoftext|>"])
    for row in range(3):
        assert gpt2.eos_token_id not in tokens(rows, row)
        assert gpt2.decode(tokens(rows, row)).startswith("<|endoftext|> the film<|endoftext|>")


def test_pitfall_11_pairs_are_joined_by_a_newline_and_the_question_survives(gpt2):
    pair = ("the story was very bad " * 30, "who is that player ?")
    rows = rows_of(gpt2, [pair, ("a film", "great ?")], n_columns=2, frozen=(1,), max_length=30)
    ending = gpt2.encode("\nwho is that player ?")
    for row, after in enumerate((" the question about it was", "", " so")):
        expected = ending + (gpt2.encode(after) if after else [])
        assert len(tokens(rows, row)) == 30
        assert tokens(rows, row)[-len(expected) :] == expected
    assert gpt2.decode(tokens(rows, 3)) == "a film\ngreat ? the question about it was"
    bare = rows_of(gpt2, [("a film", "great ?")], (), n_columns=2)
    assert gpt2.decode(tokens(bare, 0)) == "a film\ngreat ?"
    assert bare.mask_position.tolist() == [[-1]] and bare.token_type_ids is None


@pytest.mark.parametrize("method", ["mlp_ft", "mvp"])
def test_a_batch_equals_its_texts_one_by_one(tiny_gpt2, method):
    victim = tiny_victim(method, tiny_gpt2, "boolq", template_variant="gpt2")
    pairs = [(text, "is it great ?") for text in TEXTS] + [("", "")]
    one_by_one = torch.cat([victim([pair]) for pair in pairs])
    torch.testing.assert_close(victim(pairs), one_by_one, atol=1e-5, rtol=0)
    assert one_by_one.unique(dim=0).shape == (8, 2)


def test_an_attack_may_delete_the_only_word(tiny_gpt2):
    for method in ("mlp_ft", "mvp"):
        victim = tiny_victim(method, tiny_gpt2, "ag_news", template_variant="gpt2")
        assert victim(["", "great"]).isfinite().all()


def test_pitfall_16_and_17_head_at_the_last_token_only_and_tied(tiny_gpt2, gpt2):
    victim = tiny_victim("mvp", tiny_gpt2, "ag_news", template_variant="gpt2")
    embeddings = victim.backbone.get_input_embeddings()
    assert victim.backbone.get_output_embeddings().weight is embeddings.weight
    victim.backbone.lm_head.register_forward_hook(lambda *_: pytest.fail("whole vocabulary"))
    victim.train().logits(victim.collate(victim.encode(["film"])))[0, 2].backward()
    gradient = embeddings.weight.grad.abs().sum(dim=1)  # [vocab]
    assert gradient[gpt2.encode(" business")[0]] > 0
    assert gradient[gpt2.encode(" awful")[0]] == 0


def test_a_checkpoint_without_the_tied_head_is_complete(tiny_gpt2, tmp_path):
    """As the hub's gpt2: the encoder alone, under names without its prefix."""
    GPT2Model.from_pretrained(tiny_gpt2).save_pretrained(tmp_path)
    AutoTokenizer.from_pretrained(tiny_gpt2).save_pretrained(tmp_path)
    one, other = (
        tiny_victim("mvp", folder, "ag_news", template_variant="gpt2")
        for folder in (tiny_gpt2, tmp_path)
    )
    assert one(TEXTS).equal(other(TEXTS))


def test_no_row_is_longer_than_the_model_reads(tiny_gpt2):
    victim = tiny_victim("mvp", tiny_gpt2, "ag_news", template_variant="gpt2")
    assert victim.settings.max_length == 60
    assert victim(["film " * 500]).shape == (1, 4)


@pytest.mark.parametrize(
    ("method", "sentence"),
    [
        ("projectcls", "'projectcls' reads the state of <s>.*'gpt2' does not.*use mlp_ft, mvp"),
        ("clsprompt", "'clsprompt' reads the state of <s>"),
        ("lpft_sparse", "'lpft_sparse' reads the state of <s>"),
        ("lpft_dense", "'lpft_dense' reads the state of <s>"),
        ("mvp", "Template 'A .MASK. news : {text}' does not suit .*GPT-2"),
    ],
)
def test_what_gpt2_cannot_do_is_refused_before_it_is_loaded(
    tiny_gpt2, method, sentence, monkeypatch
):
    monkeypatch.setattr("mvp_skill.victims.load_backbone", lambda *_: pytest.fail("loaded"))
    with pytest.raises(BadInput, match=sentence) as refusal:
        build_victim(method, str(tiny_gpt2), "ag_news")
    assert "\n" not in str(refusal.value)
