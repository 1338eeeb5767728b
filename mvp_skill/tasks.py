"""Tasks: what an example is, which words an attack may change, and `load_task`.

One schema for all of them: `texts`, a list of one or two strings in the order the model sees them,
and `label`, a class number with names. Rows come from the mini world, from a local folder in the
published layout, or from the hub. Text is lower-cased, as in the code of Raman et al. 2023.
"""

import logging
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from mvp_skill import catalogue, reviews
from mvp_skill.errors import BadInput
from mvp_skill.published import Published, read_published
from mvp_skill.records import Row
from mvp_skill.splits import subset

if TYPE_CHECKING:  # importing it takes most of a second
    from datasets import Dataset, DatasetDict

LOGGER = logging.getLogger(__name__)
SPLITS = ("train", "validation", "test")


@dataclass(frozen=True)
class Task:
    """A classification task.

    columns                  names of the one or two texts, in the order the model sees them
    frozen                   columns that an attack may not change
    max_perturbed_fraction   share of the words that an attack may change: a tenth for SST-2, BoolQ
                             and IMDB, three tenths for all other published data (authors' code)
    published                the published data; None if the mini world generates them
    """

    name: str
    label_names: tuple[str, ...]
    columns: tuple[str, ...] = ("text",)
    frozen: tuple[str, ...] = ()
    max_perturbed_fraction: float = 0.3
    published: Published | None = None


_SENTIMENT = ("negative", "positive")
_TOPICS = ("world", "sports", "business", "sci-tech")
_READING = ("passage", "question")
_NLI = ("premise", "hypothesis")
_EQUIVALENCE = (("different", "equivalent"), ("sentence1", "sentence2"))
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
        Task("mini_films", _SENTIMENT, ("text",), (), 0.1),
        Task("mini_restaurants", _SENTIMENT, ("text",), (), 0.1),
        Task("mini_news", ("politics", "sports", "business", "science")),
        Task("mini_questions", ("no", "yes"), _READING, ("question",), 0.1),
        Task("mini_nli", ("entailment", "neutral", "contradiction"), _NLI, ("premise",)),
        Task("mini_nli_binary", ("contradiction", "entailment"), _NLI, ("premise",)),
        Task("mini_answers", ("no answer", "answer"), ("question", "sentence"), ("question",)),
        Task("mini_paraphrases", *_PARAPHRASE),
        Task("mini_duplicates", *_PARAPHRASE),
        Task("mini_acts", ("wrong", "acceptable")),
        Task("mini_excuses", ("unreasonable", "reasonable"), ("scenario", "excuse"), ("scenario",)),
    )
}


def task_named(name: str) -> Task:
    """The task of that name; BadInput with the allowed names if there is none."""
    if name not in TASKS:
        raise BadInput(f"Unknown task {name!r}; use {', '.join(TASKS)}.")
    return TASKS[name]


def load_task(
    name: str,
    *,
    data_dir: str | Path | None = None,
    n_train: int | None = None,
    n_validation: int | None = None,
    n_test: int | None = None,
    seed: int = 0,
) -> "DatasetDict":
    """The data of a task: splits train, validation and test with columns `texts` and `label`.

        data_dir   folder with the published files (their names: `TASKS[name].published.layouts`),
                   or with a folder of the task's name that has them; None takes the hub's copy, or
                   generates the data if the task is a mini one
        n_*        rows wanted; None means all there are (or the mini world's own number). From
                   published data a random subset, the same for every run; where there are fewer
                   rows than wanted, all of them, and a warning is logged
        seed       of the mini world's generator; published data are the same for every seed

    A folder with a part of the published rows is read with a warning. Of DBpedia and Amazon
    polarity, whose training files are large, the test file alone will do: all splits are then cut
    from it.

    The `info.description` of each split says where its rows come from. Texts are lower-cased and
    stripped; a question ends with a question mark. Test rows are in the published order, and the
    first are attacked; a file that is sorted by class is mixed before, with a fixed seed.

    raises   BadInput for an unknown task, bad counts or seed, missing or malformed data, a hub out
             of reach
    """
    task = task_named(name)
    wanted = dict(zip(SPLITS, (n_train, n_validation, n_test), strict=True))
    _check_counts(wanted)
    if task.published is None:
        splits, origin = _generated(task, wanted, data_dir, seed)
    else:
        splits, origin = _read(task, wanted, data_dir, seed)
    return _as_dataset_dict(task, splits, origin)


def _check_counts(wanted: dict[str, int | None]) -> None:
    for split, count in wanted.items():
        if count is not None and (not isinstance(count, int) or count < 1):
            raise BadInput(
                f"N_{split.upper()} must be a whole number of at least 1, or None for all rows, "
                f"not {count!r}."
            )


def _generated(
    task: Task, wanted: dict[str, int | None], data_dir: str | Path | None, seed: int
) -> tuple[dict[str, list[Row]], str]:
    from mvp_skill.mini.tasks import generate

    if data_dir:
        from_files = ", ".join(name for name, other in TASKS.items() if other.published)
        raise BadInput(
            f"{task.name} is generated and reads no files; leave DATA_DIR at None, or choose a "
            f"task that does: {from_files}."
        )
    sizes = {f"n_{split}": count for split, count in wanted.items() if count is not None}
    return generate(task.name, **sizes, seed=seed), f"the mini world, seed {seed}"


def _read(
    task: Task, wanted: dict[str, int | None], data_dir: str | Path | None, seed: int
) -> tuple[dict[str, list[Row]], str]:
    if seed != 0:
        raise BadInput(
            f"{task.name} has the same data for every seed; call load_task without seed={seed!r}."
        )
    splits, origin = read_published(task.published, folder_of(data_dir, task.name))
    for split, count in wanted.items():
        if count is not None and count > len(splits[split]):
            LOGGER.warning("%s: %d %s rows, not %d", task.name, len(splits[split]), split, count)
    return {split: subset(splits[split], wanted[split]) for split in SPLITS}, origin


def folder_of(data_dir: str | Path | None, task: str) -> str | Path | None:
    """Where the files of a task are: in the folder of its name, if there is one, else right there.

    So one DATA_DIR serves a batch of several tasks.
    """
    if data_dir is None:
        return None
    own = Path(data_dir).expanduser() / task
    return own if own.is_dir() else data_dir


def _as_dataset_dict(task: Task, splits: dict[str, list[Row]], origin: str) -> "DatasetDict":
    from datasets import DatasetDict

    return DatasetDict({split: _as_dataset(task, split, splits[split], origin) for split in SPLITS})


def _as_dataset(task: Task, split: str, rows: list[Row], origin: str) -> "Dataset":
    from datasets import ClassLabel, Dataset, DatasetInfo, Features, Sequence, Value

    features = Features(
        {"texts": Sequence(Value("string")), "label": ClassLabel(names=list(task.label_names))}
    )
    columns = {
        "texts": [_normalise(task, row["texts"]) for row in rows],
        "label": [row["label"] for row in rows],
    }
    description = f"{task.name}, {split}: {len(rows)} rows from {origin}"
    info = DatasetInfo(description=description, features=features)
    return Dataset.from_dict(columns, features=features, info=info)


def _normalise(task: Task, texts: list[str]) -> list[str]:
    """Lower case, no space at the ends, and a question mark where a question has none."""
    plain = [text.lower().strip() for text in texts]
    return [
        f"{text}?" if column == "question" and not text.endswith("?") else text
        for column, text in zip(task.columns, plain, strict=True)
    ]
