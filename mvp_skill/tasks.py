"""Tasks: what an example is, which words an attack may change, and `load_task`.

One schema for all of them: `texts`, a list of one or two strings in the order the model sees them,
and `label`, a class number with names. Rows come from the mini world, from a local folder in the
published layout, or from the hub. Text is lower-cased, as in the code of Raman et al. 2023, unless
`cased` is asked for, as in that of Ackermann and Ohmer 2023.
"""

import logging
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from mvp_skill import catalogue, ethics, glue, reviews
from mvp_skill.adversarial import adv_glue, mini_records
from mvp_skill.errors import BadInput
from mvp_skill.example_files import examples_of
from mvp_skill.published import Published, read_published
from mvp_skill.records import Row
from mvp_skill.schema import as_dataset_dict
from mvp_skill.splits import subset

if TYPE_CHECKING:  # importing it takes most of a second
    from datasets import DatasetDict

LOGGER = logging.getLogger(__name__)
SPLITS = ("train", "validation", "test")
Splits = dict[str, list[Row]]


@dataclass(frozen=True)
class Task:
    """A classification task.

    columns                  names of the one or two texts, in the order the model sees them
    frozen                   columns that an attack may not change
    max_perturbed_fraction   share of the words that an attack may change: a tenth for SST-2, BoolQ
                             and IMDB, three tenths for all other published data (authors' code)
    published                the published data; None if the mini world has them
    clean                    of an adversarial set: the task that it was made from
    """

    name: str
    label_names: tuple[str, ...]
    columns: tuple[str, ...] = ("text",)
    frozen: tuple[str, ...] = ()
    max_perturbed_fraction: float = 0.3
    published: Published | None = None
    clean: str | None = None

    @property
    def splits(self) -> tuple[str, ...]:
        """The splits that it has: the test alone, if it is adversarial."""
        return SPLITS if self.clean is None else ("test",)

    @property
    def generated(self) -> bool:
        """Whether its rows are written when asked for, and so are always there."""
        return self.published is None and self.clean is None


_SENTIMENT = ("negative", "positive")
_TOPICS = ("world", "sports", "business", "sci-tech")
_READING = ("passage", "question")
_NLI = ("premise", "hypothesis")
_EQUIVALENCE = (("different", "equivalent"), ("sentence1", "sentence2"))
_DUPLICATES = (("not duplicate", "duplicate"), ("question1", "question2"))
_ENTAILED = ("not entailed", "entailed")
_CONTRADICTED = ("contradiction", "entailment")
_ETHICS = ("unacceptable", "acceptable")
_EXCUSE = (("scenario", "excuse"), ("scenario",))
_ANSWER = (("question", "sentence"), ("question",))
_HYPOTHESIS = (("hypothesis", "premise"), ("premise",))
_ONTOLOGY = (
    *("company", "educational institution", "artist", "athlete", "office holder"),
    *("means of transportation", "building", "natural place", "village", "animal", "plant"),
    *("album", "film", "written work"),
)
_PARAPHRASE = (("different", "same"), ("first", "second"))

TASKS: dict[str, Task] = {
    task.name: task
    for task in (
        Task("sst2", _SENTIMENT, ("sentence",), (), 0.1, catalogue.SST2),
        Task("ag_news", _TOPICS, ("text",), (), 0.3, catalogue.AG_NEWS),
        Task("boolq", ("false", "true"), _READING, ("question",), 0.1, catalogue.BOOLQ),
        # Both sentences may be changed: the authors' code freezes none for this task.
        Task("mrpc", *_EQUIVALENCE, (), 0.3, catalogue.MRPC),
        Task("dbpedia", _ONTOLOGY, ("content",), (), 0.3, catalogue.DBPEDIA),
        Task("imdb", _SENTIMENT, ("text",), (), 0.1, reviews.IMDB),
        Task("rotten_tomatoes", _SENTIMENT, ("text",), (), 0.3, reviews.ROTTEN_TOMATOES),
        Task("amazon_polarity", _SENTIMENT, ("content",), (), 0.3, reviews.AMAZON_POLARITY),
        Task("movie_rationales", _SENTIMENT, ("review",), (), 0.3, reviews.MOVIE_RATIONALES),
        Task("qqp", *_DUPLICATES, (), 0.3, glue.QQP),
        Task("qnli", _ENTAILED, *_ANSWER, 0.3, glue.QNLI),
        Task("mnli_binary", _CONTRADICTED, *_HYPOTHESIS, 0.3, glue.MNLI_BINARY),
        Task("rte", _ENTAILED, *_HYPOTHESIS, 0.3, glue.RTE),
        Task("ethics_deontology", _ETHICS, *_EXCUSE, 0.3, ethics.DEONTOLOGY),
        Task("ethics_justice", _ETHICS, ("scenario",), (), 0.3, ethics.JUSTICE),
        Task("mini_films", _SENTIMENT, ("text",), (), 0.1),
        Task("mini_restaurants", _SENTIMENT, ("text",), (), 0.1),
        Task("mini_news", ("politics", "sports", "business", "science")),
        Task("mini_questions", ("no", "yes"), _READING, ("question",), 0.1),
        Task("mini_nli", ("entailment", "neutral", "contradiction"), _NLI, ("premise",)),
        Task("mini_nli_binary", _CONTRADICTED, _NLI, ("premise",)),
        Task("mini_answers", ("no answer", "answer"), *_ANSWER),
        Task("mini_paraphrases", *_PARAPHRASE),
        Task("mini_duplicates", *_PARAPHRASE),
        Task("mini_acts", ("wrong", "acceptable")),
        Task("mini_excuses", ("unreasonable", "reasonable"), *_EXCUSE),
    )
}

# Sets with a test split only, as their tasks otherwise; counts are those of AdvGLUE's dev file.
ADVERSARIAL: dict[str, Task] = {
    name: replace(TASKS[clean], name=name, published=published, clean=clean)
    for name, clean, published in (
        ("adv_sst2", "sst2", adv_glue("sst2", ("sentence",), (72, 76))),
        ("adv_qqp", "qqp", adv_glue("qqp", ("question1", "question2"), (46, 32))),
        ("adv_qnli", "qnli", adv_glue("qnli", ("question", "sentence"), (74, 74), (1, 0))),
        ("adv_mnli", "mnli_binary", adv_glue("mnli", _HYPOTHESIS[0], (32, 39, 50), (1, None, 0))),
        ("adv_rte", "rte", adv_glue("rte", ("sentence2", "sentence1"), (35, 46), (1, 0))),
        ("mini_adv_films", "mini_films", None),
        ("mini_adv_duplicates", "mini_duplicates", None),
        ("mini_adv_nli", "mini_nli_binary", None),
    )
}


def task_named(name: str) -> Task:
    """The task of that name; BadInput with the allowed names if there is none."""
    found = TASKS | ADVERSARIAL
    if name not in found:
        raise BadInput(f"Unknown task {name!r}; use {', '.join(found)}.")
    return found[name]


def load_task(
    name: str,
    *,
    data_dir: str | Path | None = None,
    n_train: int | None = None,
    n_validation: int | None = None,
    n_test: int | None = None,
    seed: int = 0,
    cased: bool = False,
) -> "DatasetDict":
    """The data of a task: splits train, validation and test with columns `texts` and `label`.

        data_dir   folder with the published files (their names: `TASKS[name].published.layouts`),
                   or with a folder of the task's name that has them; None takes the hub's copy, or
                   generates the data if the task is a mini one
        n_*        rows wanted; None means all there are (or the mini world's own number). From
                   published data a random subset, the same for every run; where there are fewer
                   rows than wanted, all of them, and a warning is logged
        seed       of the mini world's generator; published data are the same for every seed
        cased      texts as published, but for white space at their ends. Otherwise they are
                   lower-cased and stripped, and a question ends with a question mark

    A folder with a part of the published rows is read with a warning. Of DBpedia and Amazon
    polarity, whose training files are large, and of QNLI the test file alone will do: all splits
    are then cut from it.

    An adversarial set has a test split only, and rows for training are refused.

    The `info.description` of each split says where its rows come from. Test rows are in the
    published order, and the first are attacked; a file that is sorted by class is mixed before,
    with a fixed seed.

    raises   BadInput for an unknown task, bad counts or seed, missing or malformed data, a hub out
             of reach
    """
    task = task_named(name)
    wanted = dict(zip(SPLITS, (n_train, n_validation, n_test), strict=True))
    _check_wanted(task, wanted, cased)
    if task.generated:
        splits, origin = _generated(task, wanted, data_dir, seed)
    else:
        splits, origin = _read(task, wanted, data_dir, seed)
    return as_dataset_dict(task, splits, origin, cased)


def _check_wanted(task: Task, wanted: dict[str, int | None], cased: bool) -> None:
    for split, count in wanted.items():
        if count is not None and (not isinstance(count, int) or count < 1):
            raise BadInput(
                f"N_{split.upper()} must be a whole number of at least 1, or None for all rows, "
                f"not {count!r}."
            )
        if count is not None and split not in task.splits:
            raise BadInput(
                f"{task.name} has a test split only, to measure on; take the {split} rows of "
                f"{task.clean}, from which it was made."
            )
    if not isinstance(cased, bool):
        raise BadInput(f"CASED must be True or False, not {cased!r}.")


def _generated(
    task: Task, wanted: dict[str, int | None], data_dir: str | Path | None, seed: int
) -> tuple[Splits, str]:
    _refuse_folder(task, data_dir)
    sizes = {f"n_{split}": count for split, count in wanted.items() if count is not None}
    return examples_of(task.name, seed, **sizes), f"the mini world, seed {seed}"


def _read(
    task: Task, wanted: dict[str, int | None], data_dir: str | Path | None, seed: int
) -> tuple[Splits, str]:
    if seed != 0:
        raise BadInput(
            f"{task.name} has the same data for every seed; call load_task without seed={seed!r}."
        )
    if task.published is None:
        _refuse_folder(task, data_dir)
        _, records = mini_records(task.name, task.columns, len(task.label_names))
        splits, origin = {"test": records}, f"{task.name}.jsonl of the mini world"
    else:
        splits, origin = read_published(task.published, folder_of(data_dir, task.name))
    for split, rows in splits.items():
        if (wanted[split] or 0) > len(rows):
            LOGGER.warning("%s: %d %s rows, not %d", task.name, len(rows), split, wanted[split])
    return {split: subset(rows, wanted[split]) for split, rows in splits.items()}, origin


def _refuse_folder(task: Task, data_dir: str | Path | None) -> None:
    if data_dir:
        from_files = ", ".join(name for name, other in TASKS.items() if other.published)
        raise BadInput(
            f"{task.name} is generated and reads no files; leave DATA_DIR at None, or choose a "
            f"task that does: {from_files}."
        )


def folder_of(data_dir: str | Path | None, task: str) -> str | Path | None:
    """Where the files of a task are: in the folder of its name, if there is one, else right there.

    So one DATA_DIR serves a batch of several tasks. Names of folders that others use, such as
    GLUE's, are known as well.
    """
    if data_dir is None:
        return None
    published = task_named(task).published
    for name in (task, *(published.folders if published else ())):
        own = Path(data_dir).expanduser() / name
        if own.is_dir():
            return own
    return data_dir
