"""Prompt tuning: what the frozen model reads, against an embedding layer written out by hand."""

import copy
import dataclasses

import pytest
import torch
from torch.testing import assert_close

from mvp_skill.backbones import load_backbone
from mvp_skill.errors import BadInput
from mvp_skill.objectives import Batch
from mvp_skill.prompt_tuning import build_prompted, load_prompted, save_prompted
from mvp_skill.train_config import TrainConfig, objective_named
from mvp_skill.training import evaluate, train, train_or_load
from mvp_skill.weights import fingerprint, frozen_weights

TEXTS = ["a good film", "terrible", "the story was wonderful and the people were not"]
PAIRS = [("the film was good", "it was great"), ("a story", "the river door")]


def rows_of(prompted, texts):
    return prompted.collate(prompted.encode(texts))


@pytest.fixture
def roberta(tiny_backbone):
    return build_prompted(str(tiny_backbone), "sst2", n_prompt=7, seed=3)


def test_roberta_reads_mask_prompt_and_text_as_the_reference_does(roberta):
    """The embedding layer written out: word + position (0 for the prompt) + type, then the norm."""
    rows = rows_of(roberta, TEXTS)
    encoder = roberta.backbone.roberta
    parts = encoder.embeddings
    words, places = parts.word_embeddings.weight, parts.position_embeddings.weight
    row, n = 2, 7
    ids = rows.input_ids[row].tolist()
    vectors = [words[roberta.tokenizer.mask_token_id]] + [roberta.soft_prompt[i] for i in range(1, n)]
    vectors += [words[i] + places[n + 2 + place] for place, i in enumerate(ids)]
    by_hand = parts.LayerNorm(torch.stack(vectors) + parts.token_type_embeddings.weight[0])
    given = roberta.embedded(rows)
    seen = parts(inputs_embeds=given["inputs_embeds"], position_ids=given["position_ids"])
    assert_close(seen[row], by_hand, atol=1e-6, rtol=1e-5)


def test_p6_the_first_text_token_has_the_position_after_the_prompts(roberta):
    rows = rows_of(roberta, TEXTS)
    assert rows.input_ids[0, 0] == roberta.tokenizer.bos_token_id
    assert roberta.embedded(rows)["position_ids"][0, 7] == 7 + 2
    long = build_prompted(roberta.settings.backbone, "sst2", n_prompt=100, max_text=20)
    given = long.embedded(rows_of(long, TEXTS))
    assert given["position_ids"][0, 100] == 102


def test_row_0_of_the_table_is_never_read(roberta):
    before = roberta(TEXTS)
    with torch.no_grad():
        roberta.soft_prompt[0] += 50.0
    assert torch.equal(roberta(TEXTS), before)
    with torch.no_grad():
        roberta.soft_prompt[1] += 50.0
    assert not torch.allclose(roberta(TEXTS), before)


def test_logits_are_those_of_the_full_head_at_position_0(roberta):
    rows = rows_of(roberta, TEXTS)
    full = roberta.backbone(**roberta.embedded(rows)).logits[:, 0]  # [batch, vocab]
    assert_close(roberta.logits(rows), full[:, list(roberta.settings.word_ids)], atol=1e-5, rtol=1e-4)


def test_the_last_ffn_at_position_0_alone_gives_the_same_logits(roberta):
    roberta.backbone.config.hidden_dropout_prob = 0.0
    for module in roberta.modules():
        if isinstance(module, torch.nn.Dropout):
            module.p = 0.0
    rows = rows_of(roberta, TEXTS)
    roberta.eval()
    whole = roberta.logits(rows)
    roberta.train()
    assert_close(roberta.logits(rows), whole, atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize("kind", ["roberta", "t5"])
def test_padding_does_not_count(kind, roberta, tiny_t5):
    prompted = roberta if kind == "roberta" else build_prompted(str(tiny_t5), "sst2", n_prompt=5)
    together = prompted.logits(rows_of(prompted, TEXTS))
    alone = torch.cat([prompted.logits(rows_of(prompted, [text])) for text in TEXTS])
    assert_close(together, alone, atol=1e-5, rtol=1e-4)


def test_embedding_dropout_is_off_and_that_of_the_layers_on(roberta):
    rows = rows_of(roberta, TEXTS)
    roberta.train()
    embeddings, given = roberta.backbone.roberta.embeddings, roberta.embedded(rows)
    given = {name: given[name] for name in ("inputs_embeds", "position_ids")}
    assert torch.equal(embeddings(**given), embeddings(**given))
    assert not torch.equal(roberta.logits(rows), roberta.logits(rows))


def test_t5_reads_the_first_decoder_step(tiny_t5):
    """The first step of the library's own generation, with the prompt as encoder embeddings."""
    prompted = build_prompted(str(tiny_t5), "sst2", n_prompt=5, seed=1)
    rows = rows_of(prompted, TEXTS)
    text = prompted.backbone.get_input_embeddings()(rows.input_ids)
    out = prompted.backbone.generate(
        inputs_embeds=torch.cat([prompted.soft_prompt.expand(len(text), -1, -1), text], dim=1),
        attention_mask=rows.attention_mask,
        min_length=3,
        max_length=4,
        num_beams=1,
        do_sample=False,
        output_logits=True,
        return_dict_in_generate=True,
    )
    first = out.logits[0]  # [batch, vocab]
    assert_close(prompted.vocabulary_logits(rows), first, atol=1e-4, rtol=1e-4)
    words = list(prompted.settings.word_ids)
    assert_close(prompted.logits(rows), first[:, words], atol=1e-4, rtol=1e-4)


def test_the_ffn_modules_read_the_neurons(roberta, tiny_t5):
    for prompted, width in ((roberta, 48), (build_prompted(str(tiny_t5), "sst2", n_prompt=5), 40)):
        seen = []
        hooks = [m.register_forward_pre_hook(lambda _, i: seen.append(i[0])) for m in prompted.ffn]
        rows = rows_of(prompted, TEXTS)
        prompted.logits(rows)
        for hook in hooks:
            hook.remove()
        assert [tuple(s.shape) for s in seen] == [(3, rows.attention_mask.shape[1], width)] * 2


@pytest.mark.parametrize("objective", ["clean", "vocabulary"])
def test_losses_against_a_loop(tiny_t5, objective):
    prompted = build_prompted(str(tiny_t5), "sst2", n_prompt=5).eval()
    labels = torch.tensor([1, 0, 1])
    batch = Batch(rows_of(prompted, TEXTS), labels, seed=0)
    made = objective_named(objective)
    loss = made.backward(prompted, batch, made.auxiliary(prompted, 0))
    slow = []
    for text, label in zip(TEXTS, labels, strict=True):
        scores = prompted.vocabulary_logits(rows_of(prompted, [text]))[0]
        wanted = prompted.settings.word_ids[label]
        if objective == "clean":
            two = scores[list(prompted.settings.word_ids)]
            slow.append(torch.logsumexp(two, 0) - scores[wanted])
        else:
            slow.append(torch.logsumexp(scores, 0) - scores[wanted])
    assert_close(loss, torch.stack(slow).mean().detach(), atol=1e-5, rtol=1e-4)


def test_the_vocabulary_loss_is_for_t5_alone(roberta):
    with pytest.raises(BadInput, match="prompt-tuned T5"):
        objective_named("vocabulary").auxiliary(roberta, 0)
