"""Victims: adapted models that turn texts into class logits.

    victim = build_victim("mvp", "roberta-base", "sst2")
    victim(["a gripping film", "tedious"])           # logits [batch, class]

Every victim has four parts, and `train`, `attack` and `metrics` use nothing else of it:

    victim(texts)                        fp32 logits [batch, class] on the CPU, in evaluation mode,
                                         without gradients
    victim.encode(texts)                 records: token ids of the texts
    victim.collate(records, generator)   rows, padded; the generator is given in training only
    victim.logits(rows)                  logits [batch, class] with gradients
"""

from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

import torch
from torch import nn

from mvp_skill import __version__
from mvp_skill.backbones import load_backbone
from mvp_skill.errors import BadInput
from mvp_skill.files import read_json, write_json
from mvp_skill.masked_lm import layout_of
from mvp_skill.mlp_ft import MLPFT
from mvp_skill.mvp import MVP
from mvp_skill.prompts import prompts_for
from mvp_skill.tasks import Task, task_named
from mvp_skill.weights import read_tensors, set_weights, weights_of, write_tensors


@dataclass(frozen=True)
class VictimSettings:
    """Everything that a victim is, beside its weights; stored with them."""

    method: str
    backbone: str
    task: str
    label_names: tuple[str, ...]
    n_columns: int
    frozen: tuple[int, ...]
    """Columns of a pair that may neither be attacked nor shortened."""
    max_length: int
    seed: int
    """Of the freshly initialised weights: MLP-FT's head. MVP has none."""
    templates: tuple[str, ...] = ()
    label_words: tuple[tuple[str, ...], ...] = ()
    word_pooling: str = "max"
    template_pooling: str = "mean"
    training_templates: str = "all"
    """In training "all" templates for every example, or "one" at random; always all otherwise."""


_CLASSES = {"mlp_ft": MLPFT, "mvp": MVP}
METHODS = tuple(_CLASSES)
VICTIM_FILE, WEIGHTS_FILE = "victim.json", "model.safetensors"


def build_victim(
    method: str,
    backbone: str,
    task: str | Task,
    *,
    template_variant: str = "default",
    label_words: str = "default",
    word_pooling: str = "max",
    template_pooling: str = "mean",
    training_templates: str = "all",
    max_length: int = 512,
    seed: int = 0,
) -> MLPFT | MVP:
    """A victim that is not trained yet, on the GPU if there is one.

    method                         one of METHODS
    backbone                       hub id, local folder or the name of a shipped model
    task                           a task or its name
    template_variant, label_words  names in prompts.yaml
    word_pooling, template_pooling "max" or "mean"
    training_templates             "all", or "one" at random per example in training
    max_length                     tokens per row, at most what the backbone can read
    seed                           of freshly initialised weights
    raises                         BadInput for anything unknown, before the backbone is loaded
    """
    _check("method", method, METHODS)
    _check("word_pooling", word_pooling, ("max", "mean"))
    _check("template_pooling", template_pooling, ("max", "mean"))
    _check("training_templates", training_templates, ("all", "one"))
    task = task_named(task) if isinstance(task, str) else task
    prompts = {}
    if method == "mvp":
        templates, verbalizer = prompts_for(task.name, template_variant, label_words)
        prompts = {
            "templates": tuple(template.pattern for template in templates),
            "label_words": verbalizer.label_words,
            "word_pooling": word_pooling,
            "template_pooling": template_pooling,
            "training_templates": training_templates,
        }
    with torch.random.fork_rng(devices=[]):  # loading must not move the caller's random numbers
        model, tokenizer = load_backbone(backbone, "masked_lm")
    longest = min(layout_of(model).n_positions(model.config), tokenizer.model_max_length)
    settings = VictimSettings(
        method=method,
        backbone=str(backbone),
        task=task.name,
        label_names=tuple(task.label_names),
        n_columns=len(task.columns),
        frozen=tuple(task.columns.index(column) for column in task.frozen),
        max_length=min(max_length, longest),
        seed=seed,
        **prompts,
    )
    return _assemble(model, tokenizer, settings)


def save_victim(victim: MLPFT | MVP, folder: str | Path) -> None:
    """Write all that `load_victim` needs; the backbone it came from is not needed any more.

    `victim.json` is written last: a folder with that file is complete.
    """
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / VICTIM_FILE).unlink(missing_ok=True)
    victim.config.save_pretrained(folder)
    victim.tokenizer.save_pretrained(folder)
    write_tensors(folder / WEIGHTS_FILE, weights_of(victim), {})
    write_json(folder / VICTIM_FILE, {"version": __version__, "settings": asdict(victim.settings)})


def load_victim(folder: str | Path) -> MLPFT | MVP:
    """The victim that `save_victim` wrote, on the GPU if there is one.

    raises   BadInput if the folder holds no complete victim or a file in it is damaged
    """
    from transformers import AutoConfig, AutoModelForMaskedLM, AutoTokenizer

    settings = stored_settings(folder)
    tensors, _ = read_tensors(Path(folder) / WEIGHTS_FILE)
    config = AutoConfig.from_pretrained(folder, local_files_only=True)
    tokenizer = AutoTokenizer.from_pretrained(folder, local_files_only=True)
    with torch.random.fork_rng(devices=[]):  # the first weights are random and replaced at once
        model = AutoModelForMaskedLM.from_config(config)
    victim = _assemble(model, tokenizer, settings)
    set_weights(victim, tensors, str(Path(folder) / WEIGHTS_FILE))
    return victim


def stored_settings(folder: str | Path) -> VictimSettings:
    """Settings of a stored victim; BadInput if the folder holds no complete one."""
    path = Path(folder) / VICTIM_FILE
    if not path.exists():
        raise BadInput(
            f"{folder} holds no finished victim ({VICTIM_FILE} is missing); train it first."
        )
    stored = read_json(path).get("settings", {})
    expected = {field.name for field in fields(VictimSettings)}
    if set(stored) != expected or stored["method"] not in METHODS:
        raise BadInput(
            f"{path} was not written by this version of mvp_skill; delete {folder} and train again."
        )
    return VictimSettings(**{name: _as_tuple(value) for name, value in stored.items()})


def _assemble(model: nn.Module, tokenizer: Any, settings: VictimSettings) -> MLPFT | MVP:
    with torch.random.fork_rng(devices=[]):
        victim = _CLASSES[settings.method](model.float(), tokenizer, settings)
    return victim.to("cuda" if torch.cuda.is_available() else "cpu").eval()


def _as_tuple(value: Any) -> Any:
    return tuple(_as_tuple(item) for item in value) if isinstance(value, list) else value


def _check(name: str, value: str, allowed: tuple[str, ...]) -> None:
    if value not in allowed:
        raise BadInput(f"Unknown {name} {value!r}; use {', '.join(allowed)}.")
