"""The quality bars of the mini language models, and the short card that is stored beside them."""

import json
from dataclasses import asdict
from pathlib import Path

import torch
from torch import nn
from transformers import PreTrainedTokenizerBase

from mvp_skill.backbones import SHIPPED
from mvp_skill.files import write_atomically
from mvp_skill.mini import corpus, quality, rare_words, tasks
from mvp_skill.mini.language_models import PretrainConfig

# Least value of each measure, before any tuning. The label readings are on the test splits.
BARS: dict[str, dict[str, float]] = {
    "roberta": {
        "mini_films": 0.85,
        "mini_news": 0.85,
        "negated_films": 0.75,
        "rare_words_known": 0.80,
    },
    **{
        kind: {"mini_films": 0.80, "mini_news": 0.80, "negated_films": 0.75}
        for kind in ("bert", "gpt2", "t5")
    },
}
ARCHITECTURES = {"roberta": "RoBERTa", "bert": "BERT", "gpt2": "GPT-2", "t5": "T5"}
MEANINGS = {
    "negated_films": "label accuracy on film reviews with a negation",
    "rare_words_known": "rare words with a synonym among their 5 nearest words, of all",
    "rare_words_by_embedding": "... by static embedding",
    "rare_words_by_prediction": "... by masked prediction in context",
    "masked_accuracy": "masked tokens restored, held-out documents",
    "masked_perplexity": "perplexity of masked tokens, held-out documents",
}
CARD = """# mini-{kind}

A small {architecture} language model of the mini world, a generated English that comes with this
package. `notebooks/01_pretrain_mini_models.ipynb` names its settings and makes one like it; the
numbers below are computed as there. It knows the words of `mini/lexicon.txt` and little else.

| measure | value | at least |
|---|---|---|
{rows}

Label readings are accuracies on {n_test} test texts of each task, without any tuning: the label
word that scores highest at the blank of a closing phrase.{counts}

Pretraining: {rounds}

{seconds:.0f} seconds{last_round}; loss {first:.2f} after {first_step} steps, {last:.2f} at the end.
Licence: that of the package (MIT).
"""

COUNTS = " There are {n_rare_words} rare words; {n_masked_tokens} tokens were masked."


@torch.inference_mode()
def measured(
    model: nn.Module, tokenizer: PreTrainedTokenizerBase, n_test: int = 1000, n_texts: int = 4000
) -> dict[str, float]:
    """All quality measures of a mini model, by name; counts are named n_…"""
    model.eval()
    names = list(quality.PHRASES)
    values = {
        name: quality.label_accuracy(
            model, tokenizer, name, tasks.split_examples(name, "test", n_test, 0)
        )
        for name in names
    }
    negated = quality.negated_reviews(n_test)
    values["negated_films"] = quality.label_accuracy(model, tokenizer, "mini_films", negated)
    values |= {"n_test": n_test, "n_negated_films": len(negated)}
    if model.config.model_type == "roberta":
        texts = [rare_words.plain(text) for text in corpus.held_out(n_texts)]
        values |= rare_words.known_rare_words(model, tokenizer, texts)
        values |= rare_words.restored_tokens(model, tokenizer, texts)
    return values


def verdicts(kind: str, values: dict[str, float]) -> dict[str, bool]:
    """Whether each bar of the kind is reached."""
    return {name: values[name] >= least for name, least in BARS[kind].items()}


def rounds_of(start: str) -> list[dict[str, object]]:
    """The settings with which a model (a folder, or a shipped one's name) was pretrained."""
    record = Path(SHIPPED.get(start, start)) / "quality.json"
    if not start or not record.is_file():
        return []
    return json.loads(record.read_text(encoding="utf-8"))["rounds"]


def in_words(config: dict[str, object]) -> str:
    """The settings of a round in a line."""
    return ", ".join(f"{name} {value}" for name, value in config.items())


def write_card(
    folder: Path, config: PretrainConfig, curve: list[dict[str, float]], values: dict[str, float]
) -> None:
    """Store `MODEL_CARD.md` and `quality.json` beside the weights."""
    settings = {name: value for name, value in asdict(config).items() if name != "start"}
    rounds = [*rounds_of(config.start), settings]
    counts = {name for name in values if name.startswith("n_")}
    rows = [
        f"| {MEANINGS.get(name, name)} | {value:.3f} | {BARS[config.kind].get(name, '')} |"
        for name, value in values.items()
        if name not in counts
    ]
    card = CARD.format(
        kind=config.kind,
        architecture=ARCHITECTURES[config.kind],
        rows="\n".join(rows),
        n_test=values["n_test"],
        counts=COUNTS.format(**values) if "n_rare_words" in values else "",
        rounds="\n\nThen: ".join(map(in_words, rounds)),
        seconds=curve[-1]["seconds"],
        first=curve[0]["loss"],
        last_round=" (the last round)" if len(rounds) > 1 else "",
        first_step=curve[0]["step"],
        last=curve[-1]["loss"],
    )
    record = {"rounds": rounds, "bars": BARS[config.kind], "measured": values}
    write_atomically(folder / "MODEL_CARD.md", card)
    write_atomically(folder / "quality.json", json.dumps(record, indent=1) + "\n")
    rows = [",".join(f"{row.get(name, '')}" for name in curve[-1]) for row in curve]
    table = "\n".join([",".join(curve[-1]), *rows]) + "\n"
    write_atomically(folder / "loss_curve.csv", table)
