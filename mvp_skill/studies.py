"""Studies: train and attack many victims, each once, whatever notebook asks for it.

    study = Study(run.parameters)
    rows = study.measure(grid(study.scale.tasks, ["mlp_ft", "mvp"], (0, 1, 2)), ["textfooler"])

Victims and attack logs lie in `OUT/victims/`, under names made of all that they depend on: two
notebooks that need the same victim share it, and an experiment that was killed goes on where it
was. The folder can be deleted at any time; what is needed is then made again.
"""

import hashlib
import json
import logging
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from filelock import FileLock
from tqdm import tqdm

from mvp_skill import metrics
from mvp_skill.amda import RecipeAttacker
from mvp_skill.attack_log import AttackLog
from mvp_skill.attack_recipes import NEEDS
from mvp_skill.attack_resources import Resources, resources_for
from mvp_skill.attacks import attack
from mvp_skill.conditions import Condition, names_of, numbers_of
from mvp_skill.evaluation import encoded, is_right
from mvp_skill.preflight import check_study
from mvp_skill.run_ids import LOCATION
from mvp_skill.scales import Scale, study_settings
from mvp_skill.tasks import load_task, task_named
from mvp_skill.train_config import TrainConfig, objective_named
from mvp_skill.training import TrainLog, train_or_load
from mvp_skill.victims import Victim, build_victim, usual_template_variant

if TYPE_CHECKING:
    from datasets import Dataset, DatasetDict
    from pandas import DataFrame

LOGGER = logging.getLogger(__name__)
NO_ATTACK = "none"
SETTINGS = ("BACKBONE", "N_TRAIN", "N_VALIDATION", "N_TEST", "N_ATTACKED", "LEARNING_RATE")
SETTINGS += ("BATCH_SIZE", "EPOCHS", "EVAL_EVERY_EXAMPLES", "PATIENCE", "AUTOCAST")
SETTINGS += ("TASKS", "SEEDS")
SOURCES = ("NEIGHBOURS", "TAGGER", "ENCODER", "MASKED_LM")


class Study:
    """What all conditions of an experiment have in common, and what was measured of them.

    parameters   of the notebook: SCALE, OUT, SETTINGS, SOURCES, QUERY_BUDGET; DATA_DIR
                 as for `load_task`. All but OUT may be None or missing
    raises       BadInput for values that cannot be meant
    """

    def __init__(self, parameters: Mapping[str, Any]):
        check_study(parameters)
        self.parameters = dict(parameters)
        given = {name: parameters.get(name) for name in SETTINGS}
        given |= {
            "TASKS": names_of(given["TASKS"]) or None,
            "SEEDS": numbers_of(given["SEEDS"], "SEEDS"),
        }
        self.scale: Scale = study_settings(parameters.get("SCALE", "mini"), **given)
        self.folder = Path(parameters[LOCATION]) / "victims"
        self._data: dict[Any, DatasetDict] = {}
        self._logs: dict[Any, AttackLog] = {}
        self._right: dict[tuple[Condition, str], np.ndarray] = {}
        self._resources = Resources()
        self._last: tuple[Condition, tuple[Victim, TrainLog]] | None = None

    def data(self, task: str, n_train: int | None = None) -> "DatasetDict":
        """The splits of a task at the study's sizes; loaded once."""
        key = (task, n_train)
        if key not in self._data:
            scale = self.scale
            sizes = {"n_validation": scale.n_validation, "n_test": scale.n_test}
            sizes["n_train"] = n_train or scale.n_train
            self._data[key] = load_task(task, data_dir=self.data_dir(task), **sizes)
        return self._data[key]

    def data_dir(self, task: str) -> str | None:
        """Where the files of a task are; None if it is generated, or comes from the hub."""
        return self.parameters.get("DATA_DIR") if task_named(task).published else None

    def attacked_examples(self, task: str) -> "Dataset":
        """The test examples that are attacked: the first ones, in order."""
        test = self.data(task)["test"]
        return test.select(range(min(self.scale.n_attacked, len(test))))

    def resources(self, recipe: str) -> Resources:
        """What an attack looks things up in; each thing is made once."""
        given = {name.lower(): self.parameters.get(name) for name in SOURCES}
        given["masked_lm"] = given["masked_lm"] or self.scale.backbone
        self._resources = resources_for(self.scale.name, recipe, **given, known=self._resources)
        return self._resources

    def config(self, condition: Condition) -> TrainConfig:
        """How a condition's victim is trained."""
        scale, making = self.scale, condition.making
        own = scale.objectives.get(making.objective, {})
        return TrainConfig(
            learning_rate=scale.learning_rate[making.method],
            batch_size=scale.batch_size,
            epochs=condition.epochs or scale.epochs,
            eval_every_examples=scale.eval_every_examples,
            patience=scale.patience,
            seed=condition.seed,
            autocast=scale.autocast,
            objective=objective_named(making.objective, **own),
        )

    def untrained_victim(self, condition: Condition) -> Victim:
        """The condition's victim as it starts."""
        making, variant = condition.making, condition.template_variant
        backbone = condition.backbone or self.scale.backbone
        return build_victim(
            making.method,
            backbone,
            condition.task,
            template_variant=usual_template_variant(backbone) if variant == "default" else variant,
            label_words=condition.label_words,
            training_templates=making.training_templates,
            pretrained=making.pretrained,
            seed=condition.seed,
        )

    def victim(self, condition: Condition) -> tuple[Victim, TrainLog]:
        """The condition's trained victim and how its training went; trained if it is not stored."""
        if self._last is None or self._last[0] != condition:
            self._last = (condition, self._trained(condition))
        return self._last[1]

    def attack(self, condition: Condition, recipe: str, **options: Any) -> "DataFrame":
        """The log of an attack on the condition's victim, one row per attacked example.

        options   of the recipe, such as max_words=2
        """
        return self.log(condition, recipe, **options).to_frame()

    def log(self, condition: Condition, recipe: str, **options: Any) -> AttackLog:
        """As `attack`, with the parameters of the attack: what annotation sheets are drawn from."""
        key = (condition, recipe, json.dumps(options, sort_keys=True))
        if key not in self._logs:
            self._logs[key] = self._attack(condition, recipe, options)
        return self._logs[key]

    def right(self, condition: Condition, task: str | None = None) -> np.ndarray:
        """Whether the condition's victim has each test example right, [example].

        task   whose test split it reads, another one with the same classes; None for its own
        """
        key = (condition, task or condition.task)
        if key not in self._right:
            victim, _ = self.victim(condition)
            split = encoded(victim, self.data(key[1])["test"], "test")
            self._right[key] = is_right(victim, split).numpy()
        return self._right[key]

    def measure(self, conditions: Iterable[Condition], attacks: Iterable[str] = ()) -> "DataFrame":
        """One row per condition and attack, and one per condition without (the attack "none").

        The row without an attack has the clean accuracy on the whole test split. The others have
        `metrics.summary` of the attack. All have `task`, `method` (the victim's name), `seed`,
        `backbone`, `variant`, `n`, `n_train` and `training_seconds`.

            raises   RuntimeError after the last condition if some have failed; those that have not
                     are stored, so that they are not redone
        """
        import pandas

        rows, failures = [], []
        conditions = list(dict.fromkeys(conditions))
        with tqdm(conditions, unit="victim", desc="study") as bar:
            for condition in bar:
                bar.set_postfix_str(condition.folder_name(self.scale, None), refresh=False)
                try:
                    rows += self._rows(condition, names_of(attacks))
                except Exception as error:  # the others go on
                    LOGGER.warning("%s failed", condition, exc_info=True)
                    failures.append(f"{condition}: {type(error).__name__}: {error}")
        if failures:
            said = f"{len(failures)} of {len(conditions)} conditions failed; the others are stored,"
            said += " so run this again when the cause is mended."
            raise RuntimeError("\n".join([said, *failures]))
        return pandas.DataFrame(rows)

    def _rows(self, condition: Condition, attacks: tuple[str, ...]) -> list[dict[str, Any]]:
        _, log = self.victim(condition)
        data = self.data(condition.task, condition.n_train)
        common = {"task": condition.task, "method": condition.victim, "seed": condition.seed}
        common |= {"backbone": Path(condition.backbone or self.scale.backbone).name}
        common |= {"variant": condition.variant, "n_train": len(data["train"])}
        common |= {"training_seconds": log.seconds, "n_seen": log.history[-1]["n_examples"]}
        whole = {"attack": NO_ATTACK, "n": len(data["test"])}
        rows = [common | whole | {"clean_acc": float(self.right(condition).mean())}]
        for recipe in attacks:
            found = metrics.summary(self.attack(condition, recipe))
            rows.append(common | {"attack": recipe} | found)
        return rows

    def _trained(self, condition: Condition) -> tuple[Victim, TrainLog]:
        attacker, recipe = None, condition.making.attacked_by
        if recipe is not None:
            attacker = RecipeAttacker(recipe, task_named(condition.task), self.resources(recipe))
        with self._locked(condition) as folder:
            return train_or_load(
                folder / "victim",
                self.untrained_victim(condition),
                self.data(condition.task, condition.n_train),
                self.config(condition),
                attacker=attacker,
                progress=False,
            )

    def _attack(self, condition: Condition, recipe: str, options: Mapping[str, Any]) -> AttackLog:
        from mvp_skill.mini import oracle

        victim, training = self.victim(condition)
        task, resources = task_named(condition.task), self.resources(recipe)
        examples = self.attacked_examples(condition.task)
        made_of = [training.key, recipe, options, resources.fingerprints(NEEDS[recipe])]
        made_of += [self.parameters.get("QUERY_BUDGET"), examples[:]["texts"], examples[:]["label"]]
        digest = hashlib.sha256(json.dumps(made_of, sort_keys=True).encode()).hexdigest()[:8]
        with self._locked(condition) as folder:
            return attack(
                victim,
                examples,
                recipe,
                task=task,
                resources=resources,
                victim_key=training.key,
                seed=condition.seed,
                query_budget=self.parameters.get("QUERY_BUDGET"),
                recipe_options=options,
                oracle=oracle.verdict if task.published is None else None,
                log_path=folder / f"{recipe}-{digest}.jsonl",
                progress=False,
            )

    @contextmanager
    def _locked(self, condition: Condition) -> Iterator[Path]:
        """The condition's folder; another process that needs the same victim waits for it."""
        name = condition.folder_name(self.scale, self.data_dir(condition.task))
        folder = self.folder / name
        folder.mkdir(parents=True, exist_ok=True)
        with FileLock(folder / ".lock"):
            yield folder
