"""CLSPrompt: the library's masked language model read at `<s>`, with MVP's label words."""

import copy
import dataclasses

import pytest
import torch
from transformers import AutoModelForMaskedLM, AutoTokenizer
from victim_cases import tiny_victim

from mvp_skill import prompts
from mvp_skill.clsprompt import CLSPrompt
from mvp_skill.errors import BadInput

TEXTS = ["the film was not bad", "great", "who said the story was very very excellent ?", ""]
WORDS = (("great", "good", "fine"), ("terrible",), ("bad", "awful"))


def by_hand(folder, space, pool):
    model = AutoModelForMaskedLM.from_pretrained(folder).eval()
    tokenizer = AutoTokenizer.from_pretrained(folder)
    rows = []
    for text in TEXTS:
        with torch.no_grad():
            at_start = model(**tokenizer(text, return_tensors="pt")).logits[0, 0]  # [vocab]
        by_class = []
        for class_words in WORDS:
            ids = [tokenizer.encode(space + w, add_special_tokens=False) for w in class_words]
            assert all(len(word) == 1 for word in ids)
            by_class.append(pool([float(at_start[word[0]]) for word in ids]))
        rows.append(by_class)
    return torch.tensor(rows)


@pytest.mark.parametrize(("backbone", "space"), [("tiny_backbone", " "), ("tiny_bert", "")])
@pytest.mark.parametrize(("how", "pool"), [("max", max), ("mean", lambda v: sum(v) / len(v))])
def test_clsprompt_equals_the_slow_version(request, backbone, space, how, pool):
    folder = request.getfixturevalue(backbone)
    base = tiny_victim("clsprompt", folder)
    settings = dataclasses.replace(
        base.settings, label_words=WORDS, label_names=("good", "terrible", "bad"), word_pooling=how
    )
    victim = CLSPrompt(base.backbone, base.tokenizer, settings)
    # Other poolings or words differ by more than 0.01.
    torch.testing.assert_close(victim(TEXTS), by_hand(folder, space, pool), atol=1e-5, rtol=0)


def test_pitfall_08_the_words_are_those_of_mvp_with_their_space(tiny_backbone, monkeypatch):
    """Several words per class, some of them single tokens only after a space."""
    edited = copy.deepcopy(prompts.all_prompts())
    edited["mini_films"]["label_words"]["default"] = {
        "negative": ["terrible", "unreasonable"],
        "positive": ["great", "good", "wonderful"],
    }
    monkeypatch.setattr(prompts, "all_prompts", lambda: edited)
    victim, mvp = (tiny_victim(method, tiny_backbone) for method in ("clsprompt", "mvp"))
    bare = victim.tokenizer.encode("unreasonable", add_special_tokens=False)
    assert len(bare) > 1  # without the space it is several pieces
    assert victim.word_ids.tolist() == mvp.word_ids.tolist()
    assert victim.word_class == mvp.word_class == [0, 0, 1, 1, 1]
    assert victim(TEXTS).shape == (4, 2)


def test_pitfall_10_a_class_without_its_words_is_refused(tiny_backbone, monkeypatch):
    edited = copy.deepcopy(prompts.all_prompts())
    edited["mini_films"]["label_words"]["default"]["negative"] = ["quizzaciously"]
    monkeypatch.setattr(prompts, "all_prompts", lambda: edited)
    with pytest.raises(BadInput, match="single tokens .*'quizzaciously'"):
        tiny_victim("clsprompt", tiny_backbone)


def test_pitfall_16_head_at_the_start_only(tiny_backbone):
    victim = tiny_victim("clsprompt", tiny_backbone)
    shapes, head = [], victim.backbone.lm_head
    head.dense.register_forward_hook(lambda m, given, out: shapes.append(tuple(out.shape)))
    head.decoder.register_forward_hook(lambda *_: shapes.append("whole vocabulary"))
    victim(TEXTS)
    assert shapes == [(4, 32)]


def test_pitfall_17_tied_decoder(tiny_backbone):
    victim = tiny_victim("clsprompt", tiny_backbone)
    embeddings = victim.backbone.get_input_embeddings()
    assert victim.backbone.get_output_embeddings().weight is embeddings.weight
    victim.train().logits(victim.collate(victim.encode(["film"])))[0, 1].backward()
    great, bad = (
        victim.tokenizer.encode(f" {w}", add_special_tokens=False)[0] for w in ("great", "bad")
    )
    gradient = embeddings.weight.grad.abs().sum(dim=1)  # [vocab]
    assert gradient[great] > 0 and gradient[bad] == 0


def test_it_reads_the_bare_text_and_has_no_fresh_weight(tiny_backbone):
    victim = tiny_victim("clsprompt", tiny_backbone)
    rows = victim.collate(victim.encode(TEXTS))
    expected = AutoTokenizer.from_pretrained(tiny_backbone)(TEXTS, padding=True)["input_ids"]
    assert rows.input_ids.tolist() == expected
    assert all(name.startswith("backbone.") for name, _ in victim.named_parameters())
