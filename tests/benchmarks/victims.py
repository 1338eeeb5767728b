"""Victims and resources of the benchmarks: a trained mini victim, and real architectures of chance.

The larger models have random weights, and the labels are their own predictions, so that every
example is attacked; what a forward pass costs does not depend on the weights.
"""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
from torch import nn
from transformers import (
    AutoTokenizer,
    BertConfig,
    BertModel,
    RobertaConfig,
    RobertaForMaskedLM,
    RobertaForSequenceClassification,
)

from mvp_skill.attack_resources import Resources, resources_for
from mvp_skill.backbones import SHIPPED
from mvp_skill.sentence_encoders import BackboneEncoder
from mvp_skill.tasks import Task, load_task, task_named
from mvp_skill.train_config import TrainConfig
from mvp_skill.training import train
from mvp_skill.victims import build_victim

TASK = "mini_films"


@dataclass(frozen=True)
class Case:
    """One victim under attack."""

    name: str
    victim: nn.Module
    resources: Resources
    examples: list[dict]
    task: Task


def mini_case(method: str, n: int) -> Case:
    """A mini victim trained for one epoch, with the mini encoder."""
    data = load_task(TASK, n_train=300, n_validation=50, n_test=n)
    victim = build_victim(method, "mini-roberta", TASK)
    rate = {"mlp_ft": 3e-4, "mvp": 1e-4}[method]
    config = TrainConfig(learning_rate=rate, batch_size=16, epochs=1)
    train(victim, data, config, progress=False)
    examples = [{"texts": e["texts"], "label": e["label"]} for e in data["test"]]
    return Case(f"mini, {method}", victim, resources_for("mini"), examples, task_named(TASK))


def random_case(
    name: str, folder: Path, n: int, *, method: str, layers: int, width: int, encoder: bool
) -> Case:
    """A random RoBERTa of a size; with a random encoder of MiniLM's size, or the mini encoder."""
    backbone = folder / f"roberta-{layers}-{width}"
    if not backbone.exists():
        _write_roberta(backbone, layers, width)
    victim = build_victim(method, str(backbone), TASK)
    resources = resources_for("mini")
    if encoder:
        resources = replace(resources, encoder=BackboneEncoder(_minilm(folder)))
    texts = [e["texts"] for e in load_task(TASK, n_train=1, n_validation=1, n_test=n)["test"]]
    labels = victim([text[0] for text in texts]).argmax(dim=1).tolist()
    examples = [{"texts": t, "label": y} for t, y in zip(texts, labels, strict=True)]
    return Case(f"{name}, {method}", victim, resources, examples, task_named(TASK))


def as_transformers(victim: nn.Module) -> tuple[nn.Module, Any]:
    """An MLP-FT victim as the library's own classifier, for TextAttack's own wrapper."""
    config = RobertaConfig.from_dict(victim.config.to_dict() | {"num_labels": 2})
    model = RobertaForSequenceClassification(config)
    model.roberta.load_state_dict(victim.encoder.state_dict(), strict=False)
    model.classifier.dense.load_state_dict(victim.dense.state_dict())
    model.classifier.out_proj.load_state_dict(victim.out_proj.state_dict())
    return model.eval().to(next(victim.parameters()).device), victim.tokenizer


def _write_roberta(folder: Path, layers: int, width: int) -> None:
    tokenizer = AutoTokenizer.from_pretrained(SHIPPED["mini-roberta"])
    config = RobertaConfig(
        vocab_size=len(tokenizer),
        hidden_size=width,
        num_hidden_layers=layers,
        num_attention_heads=width // 64,
        intermediate_size=4 * width,
        max_position_embeddings=514,
        type_vocab_size=1,
    )
    torch.manual_seed(0)
    RobertaForMaskedLM(config).save_pretrained(folder)
    tokenizer.model_max_length = 512
    tokenizer.save_pretrained(folder)


def _minilm(folder: Path) -> Path:
    """6 layers of width 384, as in all-MiniLM-L6-v2."""
    target = folder / "minilm-size"
    if not target.exists():
        tokenizer = AutoTokenizer.from_pretrained(SHIPPED["mini-bert"])
        config = BertConfig(
            vocab_size=len(tokenizer),
            hidden_size=384,
            num_hidden_layers=6,
            num_attention_heads=12,
            intermediate_size=1536,
        )
        torch.manual_seed(0)
        BertModel(config).save_pretrained(target)
        tokenizer.save_pretrained(target)
    return target
