"""Attack logs to draw annotation sheets from."""

from mvp_skill.attack_log import AttackLog

OUTCOMES = ("succeeded", "failed", "skipped", "succeeded", "error")


def record(index, outcome, label, texts, attacked):
    pred = {"clean_pred": label, "attacked_pred": 1 - label, "outcome": outcome}
    rest = {"n_queries": 7, "perturbed_fraction": 0.25, "n_words": 4, "seconds": 0.5}
    texts = {"texts": texts, "attacked_texts": attacked}
    return {"index": index, "label": label, **pred, **rest, **texts, "oracle": None, "error": None}


def log_of(examples, task="mini_films", victim="v"):
    """A log of (outcome, label, texts, attacked texts)."""
    log = AttackLog({"task": task, "recipe": "textfooler", "victim": victim})
    for index, example in enumerate(examples):
        log.append(record(index, *example))
    return log


def films(n, word="bad", labels=(0, 1), victim="v"):
    """Outcomes in turn; the attacked text of film i ends with `word`."""
    return log_of(
        [
            (
                OUTCOMES[i % 5],
                labels[i // 5 % len(labels)],
                [f"film {i} good"],
                [f"film {i} {word}"],
            )
            for i in range(n)
        ],
        victim=victim,
    )
