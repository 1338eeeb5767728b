"""How good a mini language model is, before any tuning: the bars of its model card."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from transformers import PreTrainedTokenizerBase

from mvp_skill.mini import corpus, tasks
from mvp_skill.mini.objectives import head_of, padded, sentinel_ids
from mvp_skill.mini.oracle import NEGATIONS, words_of

# One closing phrase per task, text first; the label word is read at [MASK].
PHRASES = {
    "mini_films": "overall it was [MASK].",
    "mini_restaurants": "overall it was [MASK].",
    "mini_news": "this story is about [MASK].",
    "mini_questions": "the answer is [MASK].",
    "mini_nli": "that is [MASK].",
    "mini_answers": "does it tell us? [MASK].",
    "mini_paraphrases": "their meanings are [MASK].",
    "mini_duplicates": "the two questions are [MASK].",
    "mini_acts": "so it was [MASK] to do this.",
    "mini_excuses": "that is a [MASK] excuse.",
}
BATCH = 100


def label_scores_masked(
    model: nn.Module, tokenizer: PreTrainedTokenizerBase, before: list[str], after: list[str]
) -> Tensor:
    """Scores of the whole vocabulary at the mask between two texts, [batch, vocab]."""
    mask = tokenizer.mask_token_id
    rows = [
        [tokenizer.cls_token_id, *left, mask, *right, tokenizer.sep_token_id]
        for left, right in coded(tokenizer, before, after)
    ]
    ids = padded(rows, tokenizer.pad_token_id).to(model.device)
    states = model.base_model(ids, attention_mask=ids != tokenizer.pad_token_id).last_hidden_state
    return head_of(model)(states[ids == mask])


def label_scores_gpt2(
    model: nn.Module, tokenizer: PreTrainedTokenizerBase, before: list[str], after: list[str]
) -> Tensor:
    """Scores of the whole vocabulary for the token that follows `before`, [batch, vocab]."""
    end = tokenizer.eos_token_id
    rows = [[end, *left] for left, _ in coded(tokenizer, before, after)]
    last = torch.tensor([len(row) - 1 for row in rows], device=model.device)
    states = model.transformer(padded(rows, end).to(model.device)).last_hidden_state
    return model.lm_head(states[torch.arange(len(rows), device=model.device), last])


def label_scores_t5(
    model: nn.Module, tokenizer: PreTrainedTokenizerBase, before: list[str], after: list[str]
) -> Tensor:
    """Scores of the whole vocabulary at the first decoder step, [batch, vocab]."""
    sentinel = sentinel_ids(tokenizer)[0]
    rows = [
        [*left, sentinel, *right, tokenizer.eos_token_id]
        for left, right in coded(tokenizer, before, after)
    ]
    ids = padded(rows, tokenizer.pad_token_id).to(model.device)
    start = torch.full((len(rows), 1), model.config.decoder_start_token_id, device=model.device)
    attention = ids != tokenizer.pad_token_id
    return model(input_ids=ids, attention_mask=attention, decoder_input_ids=start).logits[:, 0]


def coded(
    tokenizer: PreTrainedTokenizerBase, before: list[str], after: list[str]
) -> list[tuple[list[int], list[int]]]:
    """Token ids of the texts before and after the blank."""
    left = tokenizer(before, add_special_tokens=False)["input_ids"]
    right = tokenizer(after, add_special_tokens=False)["input_ids"]
    return list(zip(left, right, strict=True))


SCORES = {
    "roberta": label_scores_masked,
    "bert": label_scores_masked,
    "gpt2": label_scores_gpt2,
    "t5": label_scores_t5,
}


@torch.inference_mode()
def label_accuracy(
    model: nn.Module, tokenizer: PreTrainedTokenizerBase, task: str, rows: Sequence[dict]
) -> float:
    """Share of rows whose label word scores highest at the blank of the task's phrase."""
    words = [label[0] for label in corpus.LABEL_WORDS[task]]
    ids = [tokenizer(f" {word}", add_special_tokens=False)["input_ids"][0] for word in words]
    lead, tail = PHRASES[task].split(" [MASK]") if " [MASK]" in PHRASES[task] else ("", "")
    right = 0
    for start in range(0, len(rows), BATCH):
        part = rows[start : start + BATCH]
        texts = [f"{' '.join(row['texts'])} {lead}" for row in part]
        score = SCORES[model.config.model_type](model, tokenizer, texts, [tail] * len(part))
        labels = torch.tensor([row["label"] for row in part], device=score.device)
        right += int((score[:, ids].argmax(dim=1) == labels).sum())
    return right / len(rows)


class LabelReading:
    """Measure of pretraining: the label accuracy of each task on part of its validation split."""

    def __init__(self, names: Sequence[str] = tuple(PHRASES), n: int = 300):
        self.rows = {name: tasks.split_examples(name, "validation", n, 0) for name in names}

    def __call__(self, model: nn.Module, tokenizer: PreTrainedTokenizerBase) -> dict[str, float]:
        """Task -> label accuracy."""
        return {t: label_accuracy(model, tokenizer, t, rows) for t, rows in self.rows.items()}


def negated_reviews(n: int) -> list[dict]:
    """The film reviews among `n` of the test split that contain a negation."""
    rows = tasks.split_examples("mini_films", "test", n, 0)
    return [row for row in rows if NEGATIONS & set(words_of(row["texts"][0]))]
