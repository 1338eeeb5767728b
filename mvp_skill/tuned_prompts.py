"""Soft prompts in folders: each is tuned once, and read again without its backbone.

prompt, log = tune_or_load(folder, model, data, splits, config)
"""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from filelock import FileLock

from mvp_skill.evaluation import Split
from mvp_skill.prompt_tuning import PROMPT_FILE, soft_prompt_of
from mvp_skill.prompted import Prompted
from mvp_skill.soft_prompts import SoftPrompt, load_soft_prompt
from mvp_skill.train_config import TrainConfig
from mvp_skill.training import holds_training, stored_log, train
from mvp_skill.training_state import TrainLog

if TYPE_CHECKING:
    from datasets import DatasetDict


def tune_or_load(
    folder: Path,
    model: Prompted,
    data: "DatasetDict",
    splits: Mapping[str, Split],
    config: TrainConfig,
) -> tuple[SoftPrompt, TrainLog]:
    """The soft prompt stored in a folder if all that its tuning depends on is the same, else tune.

    As `training.train_or_load`, but of what is stored only the table is read: a study has many
    prompts, which share one backbone and one encoding of their texts.

        model    not tuned yet; it is tuned in place if nothing can be reused
        splits   training and validation texts of `data` as the model reads them
    """
    folder.mkdir(parents=True, exist_ok=True)
    with FileLock(folder / ".lock"):  # another notebook may want the same
        if holds_training(folder) and (log := stored_log(folder, model, splits, config)):
            return load_soft_prompt(folder / PROMPT_FILE, model.config.hidden_size), log
        log = train(model, data, config, folder, progress=False)
    return soft_prompt_of(model), log
