"""Build, store and load prompt-tuned models; `training.train` tunes them as any victim.

    prompted = build_prompted("mini-roberta", "mini_films", n_prompt=16, seed=0)
    train(prompted, load_task("mini_films"), tuning_config("mini"), folder)
    prompted = load_prompted(folder)

What is stored is the soft prompt; the backbone is loaded again by its name.
"""

from dataclasses import asdict, fields
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from mvp_skill import __version__
from mvp_skill.backbones import load_backbone, model_type_of
from mvp_skill.checks import check_choice, check_count, check_number
from mvp_skill.errors import BadInput
from mvp_skill.files import read_json, write_json
from mvp_skill.prompt_formats import EXTRA_POSITIONS, MAX_TEXT
from mvp_skill.prompt_scales import INITS
from mvp_skill.prompt_starts import normal_start, prompt_start, vocabulary_start
from mvp_skill.prompted import Prompted, PromptedRoberta, PromptedT5, PromptSettings
from mvp_skill.seeding import derived_seed
from mvp_skill.soft_prompts import PromptFacts, SoftPrompt, load_soft_prompt, save_soft_prompt
from mvp_skill.soft_verbalizers import soft_verbalizer
from mvp_skill.tasks import Task, task_named

BACKBONE_KINDS = {"roberta": ("masked_lm", PromptedRoberta), "t5": ("seq2seq", PromptedT5)}
EXTRA = max(EXTRA_POSITIONS.values())
PROMPT_FILE, SETTINGS_FILE = "soft_prompt.safetensors", "prompted.json"


def build_prompted(
    backbone: str | Prompted,
    task: str | Task,
    *,
    n_prompt: int = 100,
    init: str | SoftPrompt = "normal",
    max_text: int = MAX_TEXT,
    label_words: str = "default",
    dropout: float | None = None,
    seed: int = 0,
) -> Prompted:
    """A prompt-tuned model that is not tuned yet, on the GPU if there is one.

    backbone     hub id, local folder or name of a shipped model; RoBERTa's or T5's architecture.
                 Or a prompt-tuned model, whose frozen backbone the new one shares
    n_prompt     positions before the text
    init         "normal", "vocabulary" (embeddings of random words), or another soft prompt
    max_text     tokens of text in a row, at most; what the backbone cannot read is cut besides
    label_words  a set of soft_verbalizers.yaml: "released" goes with released prompts
    dropout      of the backbone in training, from 0; None for what its files say, as in the
                 authors' code. A shared backbone keeps its own
    seed         of the table's first values, with the task: each task has a start of its own
    raises       BadInput for anything unknown, before the backbone is loaded
    """
    task = task_named(task) if isinstance(task, str) else task
    check_count("n_prompt", n_prompt, 2)
    if dropout is not None and dropout != 0:
        check_number("DROPOUT", dropout, "at least 0 and below 1", 0, 1)
    name, model, tokenizer = _loaded(backbone, dropout)
    kind = model.config.model_type
    words = soft_verbalizer(task.name, BACKBONE_KINDS[kind][0], label_words)
    settings = PromptSettings(
        backbone=name,
        task=task.name,
        label_names=tuple(task.label_names),
        n_columns=len(task.columns),
        label_words=tuple(word.word for word in words.label_words),
        word_ids=tuple(words.token_ids(tokenizer)),
        n_prompt=n_prompt,
        max_text=min(max_text, _room(model, tokenizer) - n_prompt - EXTRA),
        init=init if isinstance(init, str) else init.facts.name,
        dropout=backbone.settings.dropout if isinstance(backbone, Prompted) else dropout,
        seed=seed,
    )
    table = _start(init, kind, model, tokenizer, n_prompt, derived_seed(seed, task.name))
    return _assemble(model, tokenizer, settings, table)


def kind_of(backbone: str) -> str:
    """A key of BACKBONE_KINDS; BadInput for a backbone of another architecture."""
    kind = model_type_of(backbone)
    if kind not in BACKBONE_KINDS:
        raise BadInput(
            f"Prompts cannot be tuned for a backbone of type {kind!r}; use one of type "
            f"{', '.join(BACKBONE_KINDS)}."
        )
    return kind


def soft_prompt_of(prompted: Prompted, steps: int | None = None) -> SoftPrompt:
    """The table of a prompt-tuned model in memory of its own, and what is known of it."""
    settings = prompted.settings
    facts = PromptFacts(
        task=settings.task,
        backbone=settings.backbone,
        kind=prompted.config.model_type,
        n_prompt=settings.n_prompt,
        seed=settings.seed,
        init=settings.init,
        steps=steps,
        label_words=settings.label_words,
        label_ids=settings.word_ids,
        class_scheme=f"{len(settings.label_names)} classes",
    )
    return SoftPrompt(prompted.soft_prompt.detach().float().cpu().clone(), facts)


def use_soft_prompt(prompted: Prompted, prompt: SoftPrompt) -> None:
    """Put another soft prompt before the texts: that of another task, seed or of a released file.

    Format and label words stay those of the model's own task.

    raises   BadInput if it is of another kind or size
    """
    kind, table = prompted.config.model_type, prompted.soft_prompt
    with torch.no_grad():
        table.copy_(prompt_start(prompt, kind, *table.shape))


def save_prompted(prompted: Prompted, folder: str | Path) -> None:
    """Write soft prompt and settings; `prompted.json` is written last."""
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / SETTINGS_FILE).unlink(missing_ok=True)
    save_soft_prompt(folder / PROMPT_FILE, soft_prompt_of(prompted))
    stored = {"version": __version__, "settings": asdict(prompted.settings)}
    write_json(folder / SETTINGS_FILE, stored)


def load_prompted(folder: str | Path) -> Prompted:
    """The model that `save_prompted` wrote; its backbone is loaded by the name it had then.

    raises   BadInput if the folder holds no complete one, or its backbone is not to be had
    """
    path = Path(folder) / SETTINGS_FILE
    if not path.exists():
        raise BadInput(f"{folder} holds no tuned prompt ({SETTINGS_FILE} is missing); tune it.")
    stored = read_json(path).get("settings", {})
    if set(stored) != {field.name for field in fields(PromptSettings)}:
        raise BadInput(
            f"{path} was not written by this version of mvp_skill; delete {folder} and tune again."
        )
    lists = {name: tuple(value) for name, value in stored.items() if isinstance(value, list)}
    settings = PromptSettings(**stored | lists)
    model, tokenizer = load_backbone(
        settings.backbone, BACKBONE_KINDS[kind_of(settings.backbone)][0], settings.dropout
    )
    prompt = load_soft_prompt(Path(folder) / PROMPT_FILE, d_model=model.config.hidden_size)
    return _assemble(model, tokenizer, settings, prompt.table)


def _loaded(backbone: str | Prompted, dropout: float | None) -> tuple[str, Any, Any]:
    """Name, model and tokenizer."""
    if isinstance(backbone, Prompted):
        return backbone.settings.backbone, backbone.backbone, backbone.tokenizer
    kind = kind_of(backbone)
    with torch.random.fork_rng(devices=[]):
        return str(backbone), *load_backbone(backbone, BACKBONE_KINDS[kind][0], dropout)


def _start(
    init: str | SoftPrompt, kind: str, model: Any, tokenizer: Any, n_prompt: int, seed: int
) -> Tensor:
    d_model = model.config.hidden_size
    if isinstance(init, SoftPrompt):
        return prompt_start(init, kind, n_prompt, d_model)
    check_choice("init", init, INITS)
    if init == "normal":
        return normal_start(kind, n_prompt, d_model, seed)
    words = sorted(set(range(len(tokenizer))) - set(tokenizer.all_special_ids))
    return vocabulary_start(model.get_input_embeddings().weight, words, n_prompt, seed)


def _room(model: Any, tokenizer: Any) -> int:
    """Positions that a model has; T5's are relative, so only its tokenizer bounds them."""
    if model.config.model_type == "roberta":
        return model.config.max_position_embeddings - model.config.pad_token_id - 1
    return tokenizer.model_max_length


def _assemble(model: Any, tokenizer: Any, settings: PromptSettings, table: Tensor) -> Prompted:
    make = BACKBONE_KINDS[model.config.model_type][1]
    prompted = make(model.float(), tokenizer, settings, table)
    return prompted.to("cuda" if torch.cuda.is_available() else "cpu").eval()
