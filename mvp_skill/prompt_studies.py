"""Many soft prompts of one experiment: each is tuned once, stored, and found again.

    study = PromptStudy({"SCALE": "mini", "OUT": "../results"})
    prompted = study.prompted("roberta", "mini_films", seed=0)   # tuned, or loaded
    study.right(prompted, "mini_adv_films")                      # bool [batch]

Tuned prompts lie in `OUT/prompts`, whatever notebook asked for them first. With PROMPTS, a folder
of them, nothing is tuned, and label words are those that each prompt was tuned for.
"""

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from torch import Tensor

from mvp_skill import __version__
from mvp_skill.conditions import names_of
from mvp_skill.errors import BadInput
from mvp_skill.evaluation import Split, encoded, is_right, split_digest
from mvp_skill.kind_legends import KIND_NAMES
from mvp_skill.prompt_accuracy import LEAST_MARGIN, majority_rate
from mvp_skill.prompt_folders import PromptFolder, check_label_ids, label_words_of, read_prompts
from mvp_skill.prompt_preflight import check_prompt_study, kinds_of, seeds_of, width_of
from mvp_skill.prompt_scales import KINDS, SETTINGS, PromptScale, prompt_settings
from mvp_skill.prompt_tuning import build_prompted, use_soft_prompt
from mvp_skill.prompted import Prompted
from mvp_skill.right_tables import stored_right
from mvp_skill.seeding import derived_seed
from mvp_skill.soft_prompts import SoftPrompt
from mvp_skill.task_types import clean_task
from mvp_skill.tasks import load_task, task_named
from mvp_skill.train_config import TrainConfig, objective_named
from mvp_skill.training_state import TrainLog
from mvp_skill.tuned_prompts import tune_or_load
from mvp_skill.weights import fingerprint, frozen_weights

if TYPE_CHECKING:
    from datasets import DatasetDict

NO_DECAY = 0.0


class PromptStudy:
    """What all prompts of an experiment have in common, and where they are stored.

    parameters   of the notebook: SCALE, OUT, TASKS, KINDS, SEEDS, SETTINGS, ROBERTA and T5
                 (backbones), DATA_DIR, PROMPTS. All but OUT may be None or missing
    raises       BadInput for values that cannot be meant, before anything is loaded
    """

    def __init__(self, parameters: Mapping[str, Any]):
        check_prompt_study(parameters)
        self.parameters = dict(parameters)
        given = {name: parameters.get(name) for name in SETTINGS}
        given |= {"TASKS": names_of(parameters.get("TASKS")) or None}
        given |= {"SEEDS": seeds_of(parameters.get("SEEDS"))}
        self.scale: PromptScale = prompt_settings(parameters.get("SCALE") or "mini", **given)
        self.kinds = kinds_of(parameters.get("KINDS"))
        named = {kind: parameters.get(kind.upper()) for kind in KINDS}
        self.backbones = {kind: named[kind] or self.scale.backbones[kind] for kind in KINDS}
        self.folder = Path(parameters["OUT"]) / "prompts"
        self.is_released = parameters.get("PROMPTS") is not None
        self._data: dict[str, DatasetDict] = {}
        self._splits: dict[tuple[str, str, str], Split] = {}
        self._tuned: dict[tuple[str, str, int | str], tuple[SoftPrompt, TrainLog]] = {}
        self.starts: dict[tuple[str, str, int | str], int] = {}  # that tuning has tried
        self._models: dict[str, Prompted] = {}
        self._weights: dict[str, str] = {}

    def data(self, task: str) -> "DatasetDict":
        """The splits of a task, or the test split of an adversarial set; loaded once."""
        if task not in self._data:
            scale, found = self.scale, task_named(task)
            sizes = {f"n_{name}": getattr(scale, f"n_{name}") for name in found.splits}
            sizes = sizes if found.clean is None else {}  # an adversarial set is small: all of it
            where = self.parameters.get("DATA_DIR") if found.published else None
            self._data[task] = load_task(task, data_dir=where, cased=True, **sizes)
        return self._data[task]

    def config(self, kind: str, seed: int, give_up_below: float | None = None) -> TrainConfig:
        """How a prompt is tuned: constant rate, no weight decay, no clipping, best evaluation."""
        scale = self.scale
        return TrainConfig(
            learning_rate=scale.learning_rate[kind],
            schedule="constant",
            batch_size=scale.batch_size,
            epochs=scale.epochs,
            eval_every_examples=scale.eval_every_examples,
            patience=scale.patience,
            enough=scale.enough,
            give_up_below=give_up_below,
            weight_decay=NO_DECAY,
            clip=None,
            seed=seed,
            autocast=scale.autocast,
            objective=objective_named(scale.objective[kind]),
        )

    def start(self, kind: str, task: str, seed: int = 0) -> Prompted:
        """The prompt-tuned model of a task before it is tuned; all of a kind share a backbone.

        With PROMPTS, its label words are those of the first seed's soft prompt.
        """
        return self._start(kind, task, seed, self._label_words(kind, task, self.scale.seeds[0]))

    def _start(self, kind: str, task: str, seed: int, label_words: str) -> Prompted:
        scale = self.scale
        options = {"n_prompt": scale.n_prompt, "max_text": scale.max_text, "init": scale.init}
        options |= {"label_words": label_words, "dropout": scale.dropout, "seed": seed}
        made = build_prompted(self._models.get(kind, self.backbones[kind]), task, **options)
        self._models.setdefault(kind, made)
        return made

    def tuned(self, kind: str, task: str, seed: int) -> tuple[SoftPrompt, TrainLog]:
        """The tuned soft prompt and how its tuning went; tuned if it is not stored.

        A start whose best validation accuracy is less than LEAST_MARGIN above the majority rate at
        half of the epochs is given up for another one, `n_starts` times at most; the last one has
        all epochs. The best of them is kept, with the seconds of all.

        raises   BadInput if the study is of released prompts
        """
        if self.is_released:
            raise BadInput("Released prompts are not tuned here; leave PROMPTS at None to tune.")
        key = kind, task, seed
        if key not in self._tuned:
            tries = self._tries(kind, task, seed)
            prompt, log = max(tries, key=lambda one: one[1].best["clean_acc"])
            self._tuned[key] = prompt, replace(log, seconds=sum(log.seconds for _, log in tries))
            self.starts[key] = len(tries)
        return self._tuned[key]

    def _tries(self, kind: str, task: str, seed: int) -> list[tuple[SoftPrompt, TrainLog]]:
        least = majority_rate(self.data(task)["validation"]["label"][:]) + LEAST_MARGIN
        tries: list[tuple[SoftPrompt, TrainLog]] = []
        for number in range(self.scale.n_starts):
            is_last = number + 1 == self.scale.n_starts
            config = self.config(kind, seed, None if is_last else least)
            start = seed if number == 0 else derived_seed(seed, "start", number)
            prompt, log = self._tuned_from(self.start(kind, task, start), config)
            facts = replace(prompt.facts, seed=seed)
            tries.append((replace(prompt, facts=facts), log))
            if log.best["clean_acc"] >= least:
                break
        return tries

    def _tuned_from(self, model: Prompted, config: TrainConfig) -> tuple[SoftPrompt, TrainLog]:
        kind, task = model.config.model_type, model.settings.task
        name = f"{kind}-{task}-s{config.seed}-{_digest(model.settings, config)}"
        splits = {part: self.split(model, task, part) for part in ("train", "validation")}
        return tune_or_load(self.folder / name, model, self.data(task), splits, config)

    def soft_prompt(self, kind: str, task: str, seed: int | str) -> SoftPrompt:
        """The soft prompt of a task and seed: tuned here, or a released one."""
        return (
            self._found(kind, task, seed) if self.is_released else self.tuned(kind, task, seed)[0]
        )

    def prompted(
        self, kind: str, task: str, seed: int | str, source: str | None = None
    ) -> Prompted:
        """A task's model (its format, its label words) behind a soft prompt of that seed.

        source   the task that the soft prompt was tuned for, if another: transfer
        raises   BadInput for a prompt that was tuned for other tokens than the task's label words
        """
        prompted = self._start(kind, task, 0, self._label_words(kind, task, seed))
        prompt = self.soft_prompt(kind, source or task, seed)
        if prompt.facts.task == prompted.settings.task:
            check_label_ids(prompt, prompted.settings.word_ids, str(self.backbones[kind]))
        use_soft_prompt(prompted, prompt)
        return prompted

    def split(self, prompted: Prompted, task: str, name: str = "test") -> Split:
        """A split of a task or of its adversarial set, as a model reads it; encoded once a kind.

        raises   BadInput for a model of another task, whose format is another
        """
        if clean_task(task) != clean_task(prompted.settings.task):
            raise BadInput(
                f"A model of {prompted.settings.task} does not read {task}; give one of "
                f"{clean_task(task)}."
            )
        key = (prompted.config.model_type, task, name)
        if key not in self._splits:
            self._splits[key] = encoded(prompted, self.data(task)[name], name)
        return self._splits[key]

    def right(self, prompted: Prompted, task: str, name: str = "test") -> Tensor:
        """Whether a model has each example of its task, or of its adversarial set, bool [batch]."""
        return is_right(prompted, self.split(prompted, task, name))

    def right_of(self, kind: str, task: str, seed: int | str, data: str | None = None) -> Tensor:
        """The same on the task's test split (or the adversarial set `data`): stored, made once."""
        name, split = data or task, self.split(self.start(kind, task), data or task)
        digest = _digest(self.key(kind, task, seed), split_digest(split))
        path = self.folder / f"{kind}-{task}-s{seed}-{name}-right-{digest}.json"
        n = len(split.records)
        return stored_right(path, n, lambda: self.right(self.prompted(kind, task, seed), name))

    def key(self, kind: str, task: str, seed: int | str) -> str:
        """Of all that a prompted model and its training data depend on: for names of files."""
        prompt = self.soft_prompt(kind, task, seed)
        if self.is_released:
            table = prompt.table.contiguous().numpy().tobytes()
            read = (self.scale.n_train, self.scale.max_text, self.parameters.get("DATA_DIR"))
            weights = self._weights_of(self.start(kind, task))
            return _digest(__version__, table, label_words_of(prompt), weights, *read)
        return _digest(self.tuned(kind, task, seed)[1].key)

    def _weights_of(self, model: Prompted) -> str:
        """Of the backbone, whose folder may hold other weights one day."""
        kind = model.config.model_type
        if kind not in self._weights:
            self._weights[kind] = fingerprint(frozen_weights(model))
        return self._weights[kind]

    def flagged(self) -> dict[tuple[str, str], str]:
        """Kind and task of prompts that may have been tuned on what they are read on: why.

        They count as not learnt, and enter no claim. None of those that are tuned here does.
        """
        if not self.is_released:
            return {}
        return {
            (kind, task): prompt.facts.contamination
            for (kind, width, task, seed), prompt in self._given.prompts.items()
            if prompt.facts.contamination
            and (kind in self.kinds and width == width_of(str(self.backbones[kind])))
            and (task in self.scale.tasks and seed in self.scale.seeds)
        }

    def unflagged(self, kinds: Iterable[str], tasks: Iterable[str]) -> np.ndarray:
        """Of each kind and task of a table's rows, whether a claim may count it, bool [row]."""
        flagged = self.flagged()
        return np.array([pair not in flagged for pair in zip(kinds, tasks, strict=True)], bool)

    def notices(self) -> list[str]:
        """A sentence on each of those that `flagged` names."""
        return [
            f"Counts as not learnt, and in no claim: {KIND_NAMES[kind]} on {task}, {why}"
            for (kind, task), why in self.flagged().items()
        ]

    @cached_property
    def _given(self) -> PromptFolder:
        return read_prompts(self.parameters["PROMPTS"])

    def _label_words(self, kind: str, task: str, seed: int | str) -> str:
        return label_words_of(self._found(kind, task, seed)) if self.is_released else "default"

    def _found(self, kind: str, task: str, seed: int | str) -> SoftPrompt:
        return self._given.find(kind, width_of(str(self.backbones[kind])), task, seed)


def _digest(*parts: object) -> str:
    return hashlib.sha256("/".join(map(repr, parts)).encode()).hexdigest()[:8]
