"""Does a language model know what its rare words mean? And how well does it restore any token?"""

import math
from collections import Counter, defaultdict
from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn.functional import log_softmax, normalize
from transformers import PreTrainedTokenizerBase

from mvp_skill.mini import corpus, lexicon
from mvp_skill.mini.objectives import padded
from mvp_skill.mini.oracle import words_of

NEAREST = 5
CONTEXTS = 4  # texts in which a rare word is looked at
MASKED_EVERY = 6  # tokens, when masked accuracy is measured
BATCH = 64


def word_tokens(tokenizer: PreTrainedTokenizerBase) -> dict[str, int]:
    """Words of the lexicon, in all forms, that are one token each -> the token's id."""
    words = sorted(lexicon.load().readings)
    coded = tokenizer([f" {word}" for word in words], add_special_tokens=False)["input_ids"]
    return {word: ids[0] for word, ids in zip(words, coded, strict=True) if len(ids) == 1}


def near_by_embedding(model: nn.Module, tokens: dict[str, int]) -> dict[str, list[str]]:
    """Each word's nearest other words by the cosine of their static embeddings."""
    words = list(tokens)
    table = model.get_input_embeddings().weight.detach().float()
    vectors = normalize(table[list(tokens.values())], dim=1)  # [word, hidden]
    similarity = (vectors @ vectors.T).fill_diagonal_(-2.0)  # [word, word]
    best = similarity.topk(NEAREST, dim=1).indices.tolist()
    return {word: [words[i] for i in near] for word, near in zip(words, best, strict=True)}


def contexts_of(
    words: set[str],
    tokens: dict[str, int],
    tokenizer: PreTrainedTokenizerBase,
    texts: Sequence[str],
) -> dict[str, list[list[int]]]:
    """For each word, up to `CONTEXTS` texts (as ids with special tokens) in which it is masked."""
    found: dict[str, list[list[int]]] = defaultdict(list)
    for text in texts:
        for word in words & set(words_of(text)):
            if len(found[word]) < CONTEXTS:
                ids = tokenizer(text)["input_ids"]
                if tokens[word] in ids:
                    ids[ids.index(tokens[word])] = tokenizer.mask_token_id
                    found[word].append(ids)
    return found


@torch.inference_mode()
def scores_at_mask(model: nn.Module, rows: list[list[int]], mask: int, pad: int) -> Tensor:
    """Log-probabilities of the vocabulary at the mask of each row, [batch, vocab]."""
    scores = []
    for start in range(0, len(rows), BATCH):
        ids = padded(rows[start : start + BATCH], pad).to(model.device)
        states = model.roberta(ids, attention_mask=ids != pad).last_hidden_state
        scores.append(log_softmax(model.lm_head(states[ids == mask]).float(), dim=1).cpu())
    return torch.cat(scores)


def near_by_prediction(
    model: nn.Module,
    tokenizer: PreTrainedTokenizerBase,
    words: set[str],
    tokens: dict[str, int],
    texts: Sequence[str],
) -> dict[str, list[str]]:
    """The words most likely in a word's place, averaged over its contexts, without itself."""
    name_of = {index: word for word, index in tokens.items()}
    candidates = torch.tensor(list(name_of))
    near = {}
    for word, rows in contexts_of(words, tokens, tokenizer, texts).items():
        scores = scores_at_mask(model, rows, tokenizer.mask_token_id, tokenizer.pad_token_id)
        mean = scores.mean(dim=0)[candidates]  # [word]
        best = candidates[mean.topk(NEAREST + 1).indices].tolist()
        near[word] = [name_of[i] for i in best if i != tokens[word]][:NEAREST]
    return near


def rare_words(texts: Sequence[str]) -> dict[str, set[str]]:
    """Every word of a rare half, in the form that is most frequent in the texts -> its synonyms.

    Forms that a frequent word shares do not count, and words without another form are left out. A
    form that no other rare word has goes before one that two words share.
    """
    entries = lexicon.load()
    counts = Counter(word for text in texts for word in words_of(text))
    synonyms = entries.rare_forms()
    words = [set(e.forms(word).values()) & synonyms.keys() for e in entries.sets.values()
             for word in e.rare]  # fmt: skip
    owners = Counter(form for forms in words for form in forms)
    found = {}
    for forms in filter(None, words):
        best = max(sorted(forms), key=lambda form: (owners[form] == 1, counts[form]))
        found[best] = synonyms[best]
    return found


def known_rare_words(
    model: nn.Module, tokenizer: PreTrainedTokenizerBase, texts: Sequence[str]
) -> dict[str, float]:
    """Share of rare words with a synonym among their `NEAREST` words, by each way and by either.

    All words of the rare halves count, each in its most frequent form. One that the tokenizer cuts
    into pieces has no embedding of its own and is not known.
    """
    tokens = word_tokens(tokenizer)
    rare = rare_words(texts)
    whole = {word for word in rare if word in tokens}
    by_embedding = near_by_embedding(model, tokens)
    by_prediction = near_by_prediction(model, tokenizer, whole, tokens, texts)
    known = [
        (
            bool(synonyms & set(by_embedding.get(word, ()))),
            bool(synonyms & set(by_prediction.get(word, ()))),
        )
        for word, synonyms in rare.items()
    ]
    n = len(known)
    return {
        "n_rare_words": n,
        "rare_words_by_embedding": sum(a for a, _ in known) / n,
        "rare_words_by_prediction": sum(b for _, b in known) / n,
        "rare_words_known": sum(a or b for a, b in known) / n,
    }


@torch.inference_mode()
def restored_tokens(
    model: nn.Module, tokenizer: PreTrainedTokenizerBase, texts: Sequence[str]
) -> dict[str, float]:
    """Accuracy and perplexity of masked tokens; every sixth token of each text is masked."""
    pad, mask = tokenizer.pad_token_id, tokenizer.mask_token_id
    hits, log_likelihood, n = 0, 0.0, 0
    coded = sorted(tokenizer([plain(text) for text in texts])["input_ids"], key=len)
    for start in range(0, len(coded), BATCH):
        ids = padded(coded[start : start + BATCH], pad).to(model.device)
        places = torch.arange(ids.shape[1], device=ids.device) % MASKED_EVERY == MASKED_EVERY - 2
        chosen = places & (ids != pad) & (ids != tokenizer.eos_token_id)  # [batch, position]
        inputs = ids.masked_fill(chosen, mask)
        states = model.roberta(inputs, attention_mask=ids != pad).last_hidden_state
        scores = log_softmax(model.lm_head(states[chosen]).float(), dim=1)  # [token, vocab]
        targets = ids[chosen]
        hits += int((scores.argmax(dim=1) == targets).sum())
        log_likelihood += float(scores.gather(1, targets[:, None]).sum())
        n += len(targets)
    return {
        "masked_accuracy": hits / n,
        "masked_perplexity": math.exp(-log_likelihood / n),
        "n_masked_tokens": n,
    }


def plain(text: str) -> str:
    """A document with the texts of a pair one after the other."""
    return text.replace(corpus.BETWEEN_TEXTS, " ")
