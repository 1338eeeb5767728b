"""Many tuned prompts of one experiment: each is tuned once, stored, and found again.

    study = PromptStudy({"SCALE": "mini", "OUT": "../results"})
    prompted = study.prompted("roberta", "mini_films", seed=0)   # tuned, or loaded
    study.accuracy(prompted, "mini_restaurants")

Prompts lie in `OUT/prompts`, whatever notebook asked for them first.
"""

import hashlib
import logging
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from torch import Tensor

from mvp_skill.conditions import names_of, numbers_of
from mvp_skill.evaluation import Split, encoded, is_right
from mvp_skill.prompt_scales import KINDS, PromptScale, prompt_settings
from mvp_skill.prompt_tuning import build_prompted, soft_prompt_of, use_soft_prompt
from mvp_skill.prompted import Prompted
from mvp_skill.soft_prompts import SoftPrompt
from mvp_skill.tasks import load_task, task_named
from mvp_skill.train_config import TrainConfig, objective_named
from mvp_skill.training import train_or_load
from mvp_skill.training_state import TrainLog

if TYPE_CHECKING:
    from datasets import DatasetDict

LOGGER = logging.getLogger(__name__)
SETTINGS = ("TASKS", "SEEDS", "N_TRAIN", "N_VALIDATION", "N_TEST", "N_PROMPT", "MAX_TEXT")
SETTINGS += ("INIT", "LEARNING_RATE", "BATCH_SIZE", "EPOCHS", "EVAL_EVERY_EXAMPLES", "PATIENCE")
SETTINGS += ("N_DRAWS", "N_PERMUTATIONS", "AUTOCAST")
NO_DECAY = 0.0


class PromptStudy:
    """What all prompts of an experiment have in common, and where they are stored.

    parameters   of the notebook: SCALE, OUT, SETTINGS, ROBERTA and T5 (backbones), DATA_DIR. All
                 but OUT may be None or missing
    raises       BadInput for values that cannot be meant
    """

    def __init__(self, parameters: Mapping[str, Any]):
        self.parameters = dict(parameters)
        given = {name: parameters.get(name) for name in SETTINGS}
        given |= {
            "TASKS": names_of(given["TASKS"]) or None,
            "SEEDS": numbers_of(given["SEEDS"], "SEEDS"),
        }
        self.scale: PromptScale = prompt_settings(parameters.get("SCALE", "mini"), **given)
        named = {kind: parameters.get(kind.upper()) for kind in KINDS}
        self.backbones = {kind: named[kind] or self.scale.backbones[kind] for kind in KINDS}
        self.folder = Path(parameters["OUT"]) / "prompts"
        self._data: dict[str, DatasetDict] = {}
        self._split: dict[tuple[str, str, str], Split] = {}

    def data(self, task: str) -> "DatasetDict":
        """The splits of a task at the study's sizes; loaded once."""
        if task not in self._data:
            scale = self.scale
            sizes = {"n_train": scale.n_train, "n_validation": scale.n_validation}
            published = task_named(task).published
            where = self.parameters.get("DATA_DIR") if published else None
            self._data[task] = load_task(
                task, data_dir=where, cased=True, n_test=scale.n_test, **sizes
            )
        return self._data[task]

    def config(self, kind: str, seed: int) -> TrainConfig:
        """How a prompt is tuned: constant rate, no weight decay, no clipping, best evaluation."""
        scale = self.scale
        return TrainConfig(
            learning_rate=scale.learning_rate[kind],
            schedule="constant",
            batch_size=scale.batch_size,
            epochs=scale.epochs,
            eval_every_examples=scale.eval_every_examples,
            patience=scale.patience,
            weight_decay=NO_DECAY,
            clip=None,
            seed=seed,
            autocast=scale.autocast,
            objective=objective_named(scale.objective[kind]),
        )

    def start(self, kind: str, task: str, seed: int = 0) -> Prompted:
        """The prompt-tuned model of a task before it is tuned."""
        scale = self.scale
        options = {"n_prompt": scale.n_prompt, "max_text": scale.max_text, "init": scale.init}
        return build_prompted(self.backbones[kind], task, seed=seed, **options)

    def tuned(self, kind: str, task: str, seed: int) -> tuple[Prompted, TrainLog]:
        """The tuned model and how its tuning went; tuned if it is not stored."""
        prompted = self.start(kind, task, seed)
        config = self.config(kind, seed)
        folder = self.folder / f"{kind}-{task}-s{seed}-{_short_hash(prompted.settings, config)}"
        return train_or_load(folder, prompted, self.data(task), config)

    def soft_prompt(self, kind: str, task: str, seed: int) -> SoftPrompt:
        """The tuned soft prompt alone."""
        return soft_prompt_of(self.tuned(kind, task, seed)[0])

    def split(self, prompted: Prompted, task: str, name: str) -> Split:
        """A split of a task as a model reads it; encoded once per kind."""
        key = (prompted.config.model_type, task, name)
        if key not in self._split:
            self._split[key] = encoded(prompted, self.data(task)[name], name)
        return self._split[key]

    def right(self, prompted: Prompted, task: str, split: str = "test") -> Tensor:
        """Whether each example of the model's own task is classified right, bool [batch]."""
        return is_right(prompted, self.split(prompted, task, split))

    def transferred(self, kind: str, source: str, target: str, seed: int) -> Prompted:
        """The target's model (its format, its label words) with the soft prompt of the source."""
        prompted = self.start(kind, target, seed)
        use_soft_prompt(prompted, self.soft_prompt(kind, source, seed))
        return prompted


def _short_hash(*parts: object) -> str:
    return hashlib.sha256("/".join(map(repr, parts)).encode()).hexdigest()[:8]
