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

from collections.abc import Iterable
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

import torch
from torch import nn

from mvp_skill import __version__
from mvp_skill.backbones import load_backbone, model_type_of, untrained_backbone
from mvp_skill.clsprompt import CLSPrompt
from mvp_skill.errors import BadInput
from mvp_skill.files import read_json, write_json
from mvp_skill.masked_lm import layout_named, layout_of
from mvp_skill.mlp_ft import MLPFT, LastTokenFT
from mvp_skill.mvp import MVP
from mvp_skill.projectcls import ProjectCLS
from mvp_skill.prompts import Template, prompts_for
from mvp_skill.seeding import derived_seed
from mvp_skill.tasks import Task, task_named
from mvp_skill.template_ids import check_appended
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
    """Of all freshly initialised weights: heads, and whole models that are not pretrained."""
    pretrained: bool = True
    """False: the weights of the whole model are random, only its size is the backbone's."""
    templates: tuple[str, ...] = ()
    label_words: tuple[tuple[str, ...], ...] = ()
    word_pooling: str = "max"
    template_pooling: str = "mean"
    training_templates: str = "all"
    """In training "all" templates for every example, or "one" at random; always all otherwise."""


Victim = MLPFT | LastTokenFT | MVP | ProjectCLS | CLSPrompt

# What a method is for a kind of backbone; what is not here cannot be built. A causal language
# model (GPT-2) has no <s> that has read the text.
_CLASSES: dict[str, dict[str, type[Victim]]] = {
    "masked_lm": {
        "mlp_ft": MLPFT,
        "mvp": MVP,
        "projectcls": ProjectCLS,
        "clsprompt": CLSPrompt,
        "lpft_sparse": ProjectCLS,
        "lpft_dense": MLPFT,
    },
    "causal_lm": {"mlp_ft": LastTokenFT, "mvp": MVP},
}
METHODS = tuple(_CLASSES["masked_lm"])
UNTRAINED = ("mlp_ft", "mvp", "clsprompt")
"""Methods that the paper also tries without pretraining."""
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
    pretrained: bool = True,
    seed: int = 0,
) -> Victim:
    """A victim that is not trained yet, on the GPU if there is one.

    method                         one of METHODS
    backbone                       hub id, local folder or the name of a shipped model
    task                           a task or its name
    template_variant, label_words  names in prompts.yaml
    word_pooling, template_pooling "max" or "mean"
    training_templates             "all", or "one" at random per example in training
    max_length                     tokens per row, at most what the backbone can read
    pretrained                     False for random weights throughout; for UNTRAINED only
    seed                           of freshly initialised weights
    raises                         BadInput for anything unknown, and for what the backbone cannot
                                   do, before it is loaded

    LPFT's last layer is random until `train` fits its probe to the training data.
    """
    _check("method", method, METHODS)
    _check("word_pooling", word_pooling, ("max", "mean"))
    _check("template_pooling", template_pooling, ("max", "mean"))
    _check("training_templates", training_templates, ("all", "one"))
    task = task_named(task) if isinstance(task, str) else task
    prompts: dict[str, Any] = {}
    if method in ("mvp", "clsprompt"):
        templates, verbalizer = prompts_for(task.name, template_variant, label_words)
        prompts |= {"label_words": verbalizer.label_words, "word_pooling": word_pooling}
    if method == "mvp":
        prompts |= {
            "templates": tuple(template.pattern for template in templates),
            "template_pooling": template_pooling,
            "training_templates": training_templates,
        }
    check_backbone(backbone, method, map(Template, prompts.get("templates", ())), pretrained)
    kind = layout_named(model_type_of(backbone)).kind
    with torch.random.fork_rng(devices=[]):  # loading must not move the caller's random numbers
        if pretrained:
            model, tokenizer = load_backbone(backbone, kind)
        else:
            model, tokenizer = untrained_backbone(backbone, kind, derived_seed(seed, "backbone"))
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
        pretrained=pretrained,
        **prompts,
    )
    return _assemble(model, tokenizer, settings)


def check_backbone(
    backbone: str,
    method: str | None = None,
    templates: Iterable[Template] = (),
    pretrained: bool = True,
) -> None:
    """Whether a backbone can be what is asked of it, known from its configuration alone.

    raises   BadInput for an unknown backbone or architecture, a method or a template that the
             architecture cannot do, random weights for a method that is not in UNTRAINED
    """
    if not pretrained and method not in UNTRAINED:
        raise BadInput(
            f"Method {method!r} needs a pretrained backbone; without pretraining use "
            f"{', '.join(UNTRAINED)}."
        )
    model_type = model_type_of(backbone)
    kind = layout_named(model_type).kind
    if method is not None and method not in _CLASSES[kind]:
        raise BadInput(
            f"Method {method!r} reads the state of <s>, which a backbone of type {model_type!r} "
            f"does not have; use {', '.join(_CLASSES[kind])}, or a masked language model."
        )
    if kind == "causal_lm":
        for template in templates:
            check_appended(template)


def methods_for(model_type: str) -> tuple[str, ...]:
    """The methods that a backbone of an architecture can be; BadInput for an unknown one."""
    return tuple(_CLASSES[layout_named(model_type).kind])


def usual_template_variant(backbone: str | Path) -> str:
    """The template variant that suits a backbone: "gpt2" for one that reads from left to right."""
    causal = layout_named(model_type_of(backbone)).kind == "causal_lm"
    return "gpt2" if causal else "default"


def save_victim(victim: Victim, folder: str | Path) -> None:
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


def load_victim(folder: str | Path) -> Victim:
    """The victim that `save_victim` wrote, on the GPU if there is one.

    raises   BadInput if the folder holds no complete victim or a file in it is damaged
    """
    settings = stored_settings(folder)
    tensors, _ = read_tensors(Path(folder) / WEIGHTS_FILE)
    kind = layout_named(model_type_of(folder)).kind
    model, tokenizer = untrained_backbone(folder, kind, seed=0)  # its weights are replaced at once
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


def _assemble(model: nn.Module, tokenizer: Any, settings: VictimSettings) -> Victim:
    with torch.random.fork_rng(devices=[]):
        make = _CLASSES[layout_of(model).kind][settings.method]
        victim = make(model.float(), tokenizer, settings)
    return victim.to("cuda" if torch.cuda.is_available() else "cpu").eval()


def _as_tuple(value: Any) -> Any:
    return tuple(_as_tuple(item) for item in value) if isinstance(value, list) else value


def _check(name: str, value: str, allowed: tuple[str, ...]) -> None:
    if value not in allowed:
        raise BadInput(f"Unknown {name} {value!r}; use {', '.join(allowed)}.")
