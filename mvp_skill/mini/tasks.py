"""The tasks of the mini world, with train, validation and test splits.

Every example is written by an author of its own, seeded by task, split, seed and index: the same
call gives the same data everywhere, and a larger split begins with the smaller one. Labels
alternate, so every split is balanced to within one example per class.
"""

from collections.abc import Callable

from mvp_skill.errors import BadInput
from mvp_skill.mini import ethics, facts, news, reviews
from mvp_skill.mini.author import Author, OutOfWords
from mvp_skill.mini.dice import Dice

# Writes the texts of one example, each text a list of sentences.
Writer = Callable[[Author, int], list[list[str]]]

SPLITS = {"train": "fit", "validation": "validation", "test": "test"}
SIZES = {"train": 2000, "validation": 500, "test": 1000}

WRITERS: dict[str, tuple[int, Writer]] = {  # task -> (number of classes, writer)
    "mini_films": (2, lambda author, label: [reviews.review(author, "films", label)]),
    "mini_restaurants": (2, lambda author, label: [reviews.review(author, "restaurants", label)]),
    "mini_news": (4, lambda author, label: [news.story(author, label)]),
    "mini_questions": (2, facts.reading),
    "mini_nli": (3, facts.inference),
    "mini_nli_binary": (2, lambda author, label: facts.inference(author, 0 if label else 2)),
    "mini_answers": (2, facts.answering),
    "mini_paraphrases": (2, facts.paraphrase),
    "mini_duplicates": (2, facts.duplicate),
    "mini_acts": (2, lambda author, label: [ethics.act(author, label)]),
    "mini_excuses": (2, ethics.excuse),
}


def example(task: str, label: int, seed: str, split: str, rare_words: bool = False) -> dict:
    """One example of a task as {"texts": one or two strings, "label": int}.

    `split` is "fit", "validation" or "test". Raises `BadInput` for an unknown task.
    """
    if task not in WRITERS:
        raise BadInput(f"Unknown mini task {task!r}; the mini tasks are: {', '.join(WRITERS)}.")
    for attempt in range(100):
        try:
            texts = WRITERS[task][1](Author(f"{seed}/{attempt}", split, rare_words), label)
            return {"texts": [" ".join(sentences) for sentences in texts], "label": label}
        except OutOfWords:
            continue
    raise RuntimeError(f"{task}: no wording found for split {split!r}")


def split_examples(task: str, split: str, n: int, seed: int) -> list[dict]:
    """`n` different examples of a split in random order, labels balanced to within one."""
    n_classes = WRITERS[task][0]
    seen: set[tuple[str, ...]] = set()
    rows: list[dict] = []
    number = 0
    while len(rows) < n:
        row = example(task, len(rows) % n_classes, f"{task}/{split}/{seed}/{number}", SPLITS[split])
        number += 1
        if tuple(row["texts"]) not in seen:
            seen.add(tuple(row["texts"]))
            rows.append(row)
    return Dice(f"{task}/{split}/{seed}/order").shuffled(rows)


def generate(
    task: str,
    n_train: int | None = None,
    n_validation: int | None = None,
    n_test: int | None = None,
    seed: int = 0,
) -> dict[str, list[dict]]:
    """The three splits of a task; each example is {"texts": [one or two strings], "label": int}.

    A size of None means the default. Raises `BadInput` for an unknown task or a negative size.
    """
    if task not in WRITERS:
        raise BadInput(f"Unknown mini task {task!r}; the mini tasks are: {', '.join(WRITERS)}.")
    asked = {"train": n_train, "validation": n_validation, "test": n_test}
    sizes = {split: SIZES[split] if n is None else n for split, n in asked.items()}
    for split, n in sizes.items():
        if n < 0:
            raise BadInput(f"The {split} split cannot have {n} examples; give 0 or more.")
    return {split: split_examples(task, split, n, seed) for split, n in sizes.items()}
