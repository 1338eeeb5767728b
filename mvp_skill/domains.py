"""Sentiment in several domains: train a victim on one, evaluate it on the others.

All domains have one text, the classes negative and positive, and the same templates and label
words, so a victim of one reads the texts of another as they are.

Source: Raman et al. 2023, the study of transfer to other domains (five data sets, 1,000 training
examples of each).
"""

import re
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from mvp_skill.conditions import names_of
from mvp_skill.errors import BadInput
from mvp_skill.tasks import load_task

if TYPE_CHECKING:
    from datasets import Dataset, DatasetDict

MINI_DOMAINS = ("mini_films", "mini_restaurants")
REAL_DOMAINS = ("sst2", "imdb", "rotten_tomatoes", "amazon_polarity", "movie_rationales")
# The template variant that is the same for all domains of a group, and domain -> variant.
TEMPLATE_VARIANTS = {
    **dict.fromkeys(MINI_DOMAINS, "shared"),
    **dict.fromkeys(REAL_DOMAINS, "default"),
}
DOMAINS = {"mini": MINI_DOMAINS, "small": REAL_DOMAINS, "paper": REAL_DOMAINS}
N_TRAIN = 1000
# Shorter texts ("a good film") occur in others by chance.
MIN_SHARED_WORDS = 5


def domains_of(given: str | Sequence[str] | None, scale: str) -> tuple[str, ...]:
    """The domains of a study: "mini_films, mini_restaurants", or those of the scale if None.

    raises   BadInput for a name of neither group, or fewer than two: nothing to transfer to
    """
    found = DOMAINS.get(scale, ()) if given is None else names_of(given)
    _check(found)
    if len(set(found)) < max(2, len(found)):
        raise BadInput(f"Transfer needs two domains or more, each named once, not {given!r}.")
    return found


def load_domains(
    domains: Sequence[str],
    *,
    data_dir: str | Path | None = None,
    n_train: int = N_TRAIN,
    n_validation: int | None = None,
    n_test: int | None = None,
    seed: int = 0,
) -> "dict[str, DatasetDict]":
    """The data of several domains, name -> splits, all with the columns `texts` and `label`.

        domains    names of MINI_DOMAINS, or of REAL_DOMAINS
        data_dir   folder with one sub-folder per domain, of the domain's name, with its files; None
                   takes the hub's copies
        n_*, seed  as for `load_task`, for each domain
        raises     BadInput for other names, or what `load_task` refuses

    Validation rows are of the domain itself: a checkpoint is selected without a look at others.
    """
    _check(domains)
    folders = {name: Path(data_dir).expanduser() / name if data_dir else None for name in domains}
    sizes = {"n_train": n_train, "n_validation": n_validation, "n_test": n_test, "seed": seed}
    return {name: load_task(name, data_dir=folders[name], **sizes) for name in domains}


def unseen(test: "Dataset", train: "Dataset") -> "Dataset":
    """The test rows whose text the training rows do not contain, nor the other way round.

    SST-2 and Rotten Tomatoes are cut from one body of sentences, and SST-2's training rows are
    phrases of them. A text counts as seen if it is part of a training text or a training text part
    of it, in letters and digits, and the part has MIN_SHARED_WORDS words or more.
    """
    return test.select(unseen_rows(test, train))


def unseen_rows(test: "Dataset", train: "Dataset") -> list[int]:
    """The indices of the rows that `unseen` keeps."""
    known = [_words(texts[0]) for texts in train[:]["texts"]]
    parts = [words for words in known if _is_long(words)]
    everything = "\n".join(known)
    found = [_words(texts[0]) for texts in test[:]["texts"]]
    is_part = [_is_long(words) and words in everything for words in found]
    has_part = [any(part in words for part in parts) for words in found]
    return [i for i in range(len(found)) if not is_part[i] and not has_part[i]]


def _words(text: str) -> str:
    """Letters and digits of a text, a space around each word."""
    return f" {' '.join(re.findall('[a-z0-9]+', text.lower()))} "


def _is_long(words: str) -> bool:
    return len(words.split()) >= MIN_SHARED_WORDS


def _check(domains: Sequence[str]) -> None:
    for group in (MINI_DOMAINS, REAL_DOMAINS):
        if not isinstance(domains, str) and domains and set(domains) <= set(group):
            return
    raise BadInput(
        f"The domains must be of {', '.join(MINI_DOMAINS)}, or of {', '.join(REAL_DOMAINS)}, not "
        f"{domains!r}."
    )
