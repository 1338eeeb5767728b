"""Prompted models: what the frozen one reads, against an embedding layer written out by hand."""

from contextlib import ExitStack, contextmanager

import pytest
import torch
from torch.testing import assert_close

from mvp_skill.backbones import DROPOUTS
from mvp_skill.errors import BadInput
from mvp_skill.hooks import look_at_input
from mvp_skill.objectives import Batch
from mvp_skill.prompt_tuning import build_prompted
from mvp_skill.train_config import objective_named
from mvp_skill.training import evaluate

TEXTS = ["a good film", "terrible", "the story was wonderful and the people were not"]


@contextmanager
def record_input(module):
    seen = []
    with look_at_input(module, seen.append):
        yield seen


def rows_of(prompted, texts):
    return prompted.collate(prompted.encode(texts))


@pytest.fixture
def roberta(tiny_backbone):
    return build_prompted(str(tiny_backbone), "mini_films", n_prompt=7, seed=3)


def test_roberta_reads_mask_prompt_and_text_as_the_reference_does(roberta):
    """The embedding layer written out: word + position (0 for the prompt) + type, then the norm."""
    rows = rows_of(roberta, TEXTS)
    encoder = roberta.backbone.roberta
    parts = encoder.embeddings
    words, places = parts.word_embeddings.weight, parts.position_embeddings.weight
    row, n = 2, 7
    ids = rows.input_ids[row].tolist()
    vectors = [words[roberta.tokenizer.mask_token_id], *roberta.soft_prompt[1:n]]
    vectors += [words[i] + places[n + 2 + place] for place, i in enumerate(ids)]
    by_hand = parts.LayerNorm(torch.stack(vectors) + parts.token_type_embeddings.weight[0])
    given = roberta.embedded(rows)
    seen = parts(inputs_embeds=given["inputs_embeds"], position_ids=given["position_ids"])
    assert_close(seen[row], by_hand, atol=1e-6, rtol=1e-5)


@pytest.mark.parametrize("kind", ["roberta", "t5"])
@pytest.mark.parametrize("dropout", [None, 0.0, 0.3])
def test_dropout_is_that_of_the_files_unless_asked_for(kind, dropout, tiny_backbone, tiny_t5):
    backbone = str({"roberta": tiny_backbone, "t5": tiny_t5}[kind])
    prompted = build_prompted(backbone, "mini_films", n_prompt=5, dropout=dropout).train()
    rows = rows_of(prompted, TEXTS)
    twice = [prompted.logits(rows) for _ in range(2)]
    assert torch.equal(*twice) == (dropout == 0), "dropout draws anew for each call"
    used = {getattr(prompted.config, name) for name in DROPOUTS[kind]}
    assert used == {0.1 if dropout is None else dropout} and prompted.settings.dropout == dropout
    sharing = build_prompted(prompted, "mini_restaurants", n_prompt=5, dropout=0.2)
    assert sharing.settings.dropout == dropout  # one backbone, one dropout
    plain = build_prompted(backbone, "mini_films", n_prompt=5).eval()
    assert torch.equal(prompted.eval().logits(rows), plain.logits(rows))


def test_p6_the_first_text_token_has_the_position_after_the_prompts(roberta):
    rows = rows_of(roberta, TEXTS)
    assert rows.input_ids[0, 0] == roberta.tokenizer.bos_token_id
    assert roberta.embedded(rows)["position_ids"][0, 7] == 7 + 2
    long = build_prompted(roberta.settings.backbone, "mini_films", n_prompt=100, max_text=20)
    given = long.embedded(rows_of(long, TEXTS))
    assert given["position_ids"][0, 100] == 102


def test_row_0_of_the_table_is_never_read(roberta):
    before = roberta(TEXTS)
    with torch.no_grad():
        roberta.soft_prompt[0] += 50.0
    assert torch.equal(roberta(TEXTS), before)
    with torch.no_grad():
        roberta.soft_prompt[1] = torch.linspace(-9, 9, 32)
    assert not torch.equal(roberta(TEXTS), before)


def test_logits_are_those_of_the_full_head_at_position_0(roberta):
    rows = rows_of(roberta, TEXTS)
    full = roberta.backbone(**roberta.embedded(rows)).logits[:, 0]  # [batch, vocab]
    words = list(roberta.settings.word_ids)
    assert_close(roberta.logits(rows), full[:, words], atol=1e-5, rtol=1e-4)


def test_the_last_ffn_at_position_0_alone_gives_the_same_logits(roberta):
    for module in roberta.modules():
        if isinstance(module, torch.nn.Dropout):
            module.p = 0.0
        if hasattr(module, "dropout_prob"):  # of fused attention
            module.dropout_prob = 0.0
    rows = rows_of(roberta, TEXTS)
    roberta.eval()
    whole = roberta.logits(rows)
    roberta.train()
    assert_close(roberta.logits(rows), whole, atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize("kind", ["roberta", "t5"])
def test_padding_does_not_count(kind, roberta, tiny_t5):
    prompted = (
        roberta if kind == "roberta" else build_prompted(str(tiny_t5), "mini_films", n_prompt=5)
    )
    together = prompted.logits(rows_of(prompted, TEXTS))
    alone = torch.cat([prompted.logits(rows_of(prompted, [text])) for text in TEXTS])
    assert_close(together, alone, atol=1e-5, rtol=1e-4)


def test_b17_p4_padding_is_not_read_while_a_prompt_is_tuned_either(tiny_t5):
    """In training mode, logits and the losses over two words and over the vocabulary."""
    prompted = build_prompted(str(tiny_t5), "mini_films", n_prompt=5).train()
    for module in prompted.modules():
        if isinstance(module, torch.nn.Dropout):
            module.p = 0.0
        if isinstance(getattr(module, "dropout", None), float):  # of attention
            module.dropout = 0.0
    lengths = [len(record.ids) for record in prompted.encode(TEXTS)]
    assert len(set(lengths)) == 3  # two of them are padded
    together = rows_of(prompted, TEXTS)
    for compute in (prompted.logits, prompted.vocabulary_logits):
        alone = torch.cat([compute(rows_of(prompted, [text])) for text in TEXTS])
        assert_close(compute(together), alone, atol=1e-5, rtol=1e-4)
    read = together._replace(attention_mask=torch.ones_like(together.attention_mask))
    assert (prompted.logits(read) - prompted.logits(together))[1].abs().max() > 1e-4


def test_b18_the_last_incomplete_batch_is_evaluated_too(roberta, monkeypatch):
    """Eleven texts in batches of at most four: each counts, in validation and in the test."""
    from datasets import Dataset

    from mvp_skill import prediction
    from mvp_skill.evaluation import Split, clean_accuracy

    texts = [" ".join(["good"] * n) for n in range(1, 12)]
    records = roberta.encode(texts)
    answers = torch.cat([roberta.logits(roberta.collate([r])) for r in records]).argmax(dim=1)
    budget = 4 * (7 + records[-1].length)
    monkeypatch.setitem(prediction.EVALUATION_TOKENS, "cpu", budget)
    assert clean_accuracy(roberta, Split(records, answers)) == 1
    for number in range(11):
        labels = answers.clone()
        labels[number] = 1 - labels[number]
        assert clean_accuracy(roberta, Split(records, labels)) == pytest.approx(10 / 11)
    answers[0] = 1 - answers[0]  # the shortest text, so in the last batch
    rows = Dataset.from_dict({"texts": [[text] for text in texts], "label": answers.tolist()})
    assert evaluate(roberta, rows) == pytest.approx(10 / 11)


def test_embedding_dropout_is_off_and_that_of_the_layers_on(roberta):
    rows = rows_of(roberta, TEXTS)
    roberta.train()
    embeddings, given = roberta.backbone.roberta.embeddings, roberta.embedded(rows)
    given = {name: given[name] for name in ("inputs_embeds", "position_ids")}
    assert torch.equal(embeddings(**given), embeddings(**given))
    assert not torch.equal(roberta.logits(rows), roberta.logits(rows))


def test_p15_t5_reads_the_first_decoder_step(tiny_t5):
    """The first step of the library's own generation, with the prompt as encoder embeddings."""
    prompted = build_prompted(str(tiny_t5), "mini_films", n_prompt=5, seed=1)
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
    for prompted, width in (
        (roberta, 48),
        (build_prompted(str(tiny_t5), "mini_films", n_prompt=5), 40),
    ):
        rows = rows_of(prompted, TEXTS)
        with ExitStack() as stack:
            seen = [stack.enter_context(record_input(module)) for module in prompted.ffn]
            prompted.logits(rows)
        assert [tuple(s[0].shape) for s in seen] == [(3, rows.attention_mask.shape[1], width)] * 2


@pytest.mark.parametrize("objective", ["clean", "vocabulary"])
def test_losses_against_a_loop(tiny_t5, objective):
    prompted = build_prompted(str(tiny_t5), "mini_films", n_prompt=5).eval()
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
