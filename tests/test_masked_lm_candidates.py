"""Candidates of a masked language model: against a slow reference, and against TextAttack's own."""

import itertools
import math
from collections import OrderedDict
from functools import cache

import pytest
import torch

from mvp_skill.errors import BadInput
from mvp_skill.masked_lm_candidates import (
    MaskedLMCandidates,
    best_combinations,
    check_masked_lm,
    pieces_of,
)
from mvp_skill.textattack_import import textattack

WORDS = "the film was a good bad movie plot and of it story great dull".split()
PIECES = "un ##able ##ly ##ful joy ##less ( ) . , wonder like".split()


@pytest.fixture(scope="module")
def tiny_bert(tmp_path_factory):
    """A folder with a random BertForMaskedLM and a WordPiece vocabulary of a few words."""
    from transformers import BertConfig, BertForMaskedLM, BertTokenizerFast

    folder = tmp_path_factory.mktemp("tiny_bert")
    special = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
    (folder / "vocab.txt").write_text("\n".join([*special, *WORDS, *PIECES]), encoding="utf-8")
    tokenizer = BertTokenizerFast(str(folder / "vocab.txt"), model_max_length=30)
    tokenizer.save_pretrained(folder)
    config = BertConfig(
        **{"vocab_size": len(tokenizer), "hidden_size": 16, "num_hidden_layers": 2},
        **{"num_attention_heads": 2, "intermediate_size": 24, "max_position_embeddings": 30},
        initializer_range=0.5,
    )
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(1)
        BertForMaskedLM(config).save_pretrained(folder)
    return folder


def spans_of(text, words):
    places, end = [], 0
    for word in words:
        start = text.index(word, end)
        end = start + len(word)
        places.append((start, end))
    return places


@cache
def loaded(folder):
    from transformers import AutoModelForMaskedLM, AutoTokenizer

    model = AutoModelForMaskedLM.from_pretrained(folder).eval()
    return AutoTokenizer.from_pretrained(folder), model


def candidates_slowly(folder, text, span, k):
    """Every combination, each scored by the perplexity of its pieces."""
    tokenizer, model = loaded(folder)
    encoded = tokenizer(" " + text, return_offsets_mapping=True)
    with torch.no_grad():
        logits = model(torch.tensor([encoded["input_ids"]])).logits[0]  # [position, token]
    places = [
        i
        for i, (a, b) in enumerate(encoded["offset_mapping"])
        if a < b and max(a - 1, span[0]) < min(b - 1, span[1])
    ]
    options = []
    byte_level = "Ġ" in tokenizer.get_vocab()
    for n, position in enumerate(places):
        best = logits[position].argsort(descending=True)[:k].tolist()
        tokens = [(i, tokenizer.convert_ids_to_tokens(i)) for i in best]
        plain = [(i, t) for i, t in tokens if i not in tokenizer.all_special_ids]
        starts = [(i, t.startswith("Ġ") if byte_level else t[:2] != "##") for i, t in plain]
        options.append([i for i, is_start in starts if is_start == (n == 0)])

    def perplexity(ids):
        losses = [-logits[p].log_softmax(0)[i].item() for p, i in zip(places, ids, strict=True)]
        return math.exp(sum(losses) / len(losses))

    ranked = sorted(itertools.product(*options), key=perplexity)[:k]
    spelt = [tokenizer.decode(ids).strip() for ids in ranked]
    return spelt


ROBERTA_TEXT = "the plotting of a film, wonderful or not, was greatly disliked by teammates"
BERT_TEXT = "the film was joyfully good (unable) . joylessly it was a joyful movie, wonderful it"


@pytest.mark.parametrize("k", [3, 12])
@pytest.mark.parametrize("kind", ["roberta", "bert"])
def test_against_a_slow_reference(tiny_backbone, tiny_bert, kind, k):
    folder, text = (tiny_backbone, ROBERTA_TEXT) if kind == "roberta" else (tiny_bert, BERT_TEXT)
    words = textattack().shared.AttackedText(text).words
    spans = spans_of(text, words)
    model = MaskedLMCandidates(folder, device="cpu")
    tokens = [model.tokenizer.tokenize(" " + word) for word in words]
    assert max(map(len, tokens)) >= 3 and min(map(len, tokens)) == 1
    assert model.tokenizer.unk_token not in sum(tokens, [])
    found = model.candidates(text, spans, k)
    few = [i for i in range(len(words)) if k ** len(tokens[i]) < 30_000]
    assert max(len(tokens[i]) for i in few) >= 3
    assert sum(map(len, found)) > 10
    for i in few:
        assert found[i] == candidates_slowly(folder, text, spans[i], k), words[i]


def test_as_textattacks_own_for_words_of_one_piece_of_bert(tiny_bert):
    """Its WordSwapMaskedLM with BERT, which is what BERT-Attack was written for."""
    from mvp_skill.attack_candidates import MaskedLMSwap

    ta = textattack()
    ours = MaskedLMCandidates(tiny_bert, device="cpu")
    stock = ta.transformations.WordSwapMaskedLM(
        method="bert-attack",
        masked_language_model=ours.model,
        tokenizer=ours.tokenizer,
        max_candidates=8,
        max_length=30,
    )
    text = ta.shared.AttackedText("the film was good, and the bad plot of it was a great movie")
    n_found = 0
    for i in range(len(text.words)):
        found = [t.text for t in MaskedLMSwap(ours, 8)(text, indices_to_modify=[i])]
        # TextAttack takes special tokens for words: their brackets fall away in its word list.
        theirs = [t.text for t in stock(text, indices_to_modify=[i]) if "[" not in t.text]
        assert found == theirs
        n_found += len(found)
    assert n_found > 30


def test_best_combinations_are_the_best_of_all():
    generator = torch.Generator().manual_seed(0)
    for n_options in ([5], [4, 3], [3, 1, 4], [5, 5, 5, 2], [3, 0, 2], []):
        options = [
            [(torch.randn(1, generator=generator).item(), i) for i in range(n)] for n in n_options
        ]
        every = itertools.product(*options) if options else []
        scores = sorted((sum(score for score, _ in choice) for choice in every), reverse=True)
        found = best_combinations(options, 6)
        assert [score for score, _ in found] == pytest.approx(scores[:6])
        table = [{i: score for score, i in guesses} for guesses in options]
        for score, ids in found:
            assert sum(t[i] for t, i in zip(table, ids, strict=True)) == pytest.approx(score)


def test_pieces_of_a_span():
    places = [(-1, -1), (0, 3), (4, 8), (8, 10), (10, 11), (-1, -1)]
    assert pieces_of(places, 4, 10) == [2, 3]
    assert pieces_of(places, 0, 3) == [1]
    assert pieces_of(places, 10, 14) == []  # its end was cut off
    assert pieces_of(places, 20, 24) == []


def test_words_beyond_the_longest_text_have_no_candidates(tiny_bert):
    model = MaskedLMCandidates(tiny_bert, device="cpu")
    text = "the film was good " * 10
    found = model.candidates(text, spans_of(text, text.split()), 5)
    assert all(found[:20]) and not any(found[28:])  # 30 tokens, two of them special


def test_a_mask_in_a_text_is_text(tiny_backbone):
    model = MaskedLMCandidates(tiny_backbone, device="cpu")
    ((places, _),) = model._read(["a <mask> film"], 3)
    assert len([p for p in places if p[0] >= 0]) > 3
    encoded = model.tokenizer(" a <mask> film", split_special_tokens=True)["input_ids"]
    assert model.tokenizer.mask_token_id not in encoded


def test_a_text_is_read_once_whatever_is_asked_of_it(tiny_backbone, monkeypatch):
    model = MaskedLMCandidates(tiny_backbone, device="cpu")
    read, original = [], model._read
    monkeypatch.setattr(model, "_read", lambda texts, k: read.extend(texts) or original(texts, k))
    first = model.candidates("the film was good", [(4, 8)], 5)
    both = model.candidates("the film was good", [(4, 8), (13, 17)], 5)
    assert both[0] == first[0] and len(read) == 1
    model.read(["the film was bad", "a film", "the film was good", "a film"], 5)
    assert read == ["the film was good", "the film was bad", "a film"]
    assert model.candidates("the film was good", [(4, 8)], 5) == first and len(read) == 3
    monkeypatch.setattr("mvp_skill.masked_lm_candidates.READINGS", 2)
    model.read(["another film"], 5)  # now only the last two are remembered
    assert model.candidates("the film was good", [(4, 8)], 5) == first and len(read) == 4
    model.candidates("the film was bad", [(4, 8)], 5)
    assert len(read) == 5
    assert not model.model.training


class Planned:
    def candidates(self, text, spans, k):
        self.asked = text, spans, k
        return [["Movie", "movie", "film", ".", "two words", "it's", "-x"] for _ in spans]


def test_a_swap_takes_other_single_words_in_the_casing_of_the_word():
    from mvp_skill.attack_candidates import MaskedLMSwap

    planned = Planned()
    swap = MaskedLMSwap(planned, 4)
    columns = OrderedDict(passage="'The' Film, the film", question="a film")
    text = textattack().shared.AttackedText(columns)
    found = [t.tokenizer_input for t in swap(text, indices_to_modify=[1, 5])]
    assert planned.asked == (text.text, [(6, 10), (23, 27)], 4)
    assert found[:2] == [("'The' Movie, the film", "a film"), ("'The' It's, the film", "a film")]
    assert found[2:] == [("'The' Film, the film", "a movie"), ("'The' Film, the film", "a it's")]


def test_the_fingerprint_follows_the_weights(tiny_backbone):
    model = MaskedLMCandidates(tiny_backbone, device="cpu")
    before = model.fingerprint
    assert MaskedLMCandidates(tiny_backbone, device="cpu").fingerprint == before
    with torch.no_grad():
        model.model.lm_head.dense.weight[0, 0] += 1
    assert model.fingerprint != before


def test_a_backbone_without_masks_or_marks_is_refused(tiny_bert):
    check_masked_lm("mini-roberta")
    check_masked_lm(tiny_bert)
    with pytest.raises(BadInput, match="'t5' is no masked language model; give MASKED_LM a RoBERT"):
        check_masked_lm("mini-t5")
    with pytest.raises(BadInput, match="cannot be loaded as masked_lm"):
        MaskedLMCandidates("mini-t5")

    from transformers import AutoTokenizer

    from mvp_skill.masked_lm_candidates import word_starts

    tokenizer = AutoTokenizer.from_pretrained(tiny_bert)
    starts = word_starts(tokenizer)
    assert starts[:5] == [None] * 5
    assert starts[5:] == [not word.startswith("##") for word in WORDS + PIECES]

    class Other:
        backend_tokenizer = None

    with pytest.raises(BadInput, match="Other does not mark where words start"):
        word_starts(Other())
