"""The attacks as bills of materials: what is proposed, what is rejected, and how it is searched.

    made = recipe_named("textbugger")(victim, task, resources)    # a textattack.Attack

Each function names its source and where it departs from it. Frozen columns (BoolQ's question) are
frozen in every attack. There is no query budget unless one is given.
"""

import string
from collections.abc import Callable
from typing import TYPE_CHECKING

from mvp_skill.attack_parts import (
    check_at_least_one,
    same_text,
    same_window,
    words_to_leave,
    wrong_label,
)
from mvp_skill.errors import BadInput
from mvp_skill.stop_words import nltk_stop_words, textfooler_stop_words
from mvp_skill.textattack_import import textattack

if TYPE_CHECKING:
    from textattack import Attack

    from mvp_skill.attack_resources import Resources
    from mvp_skill.attacks import Victim
    from mvp_skill.tasks import Task

MIN_WORD_COSINE = 0.5  # TextFooler's released code; its paper says 0.7
BERT_ATTACK_FRACTION = 0.4  # of the words may change, whatever the data set
INSIDE = {"skip_first_char": True, "skip_last_char": True}  # first and last letter stay


def textfooler(
    victim: "Victim",
    task: "Task",
    resources: "Resources",
    *,
    query_budget: int | None = None,
) -> "Attack":
    """TextFooler (Jin et al. 2020) as the code of the MVP paper uses it.

    It differs from TextAttack's recipe in two lines: the limit on changed words, per task, and the
    frozen columns. The constraints are checked in the order written, each on what the one before
    let through.
    """
    ta = textattack()
    embedding = resources.get("neighbours").embedding()
    constraints = [
        *words_to_leave(task, textfooler_stop_words()),
        # Authors' attacker(): 0.1 or 0.3 by data set; their recipe file says 0.3 for all.
        ta.constraints.overlap.MaxWordsPerturbed(max_percent=task.max_perturbed_fraction),
        ta.constraints.semantics.WordEmbeddingDistance(embedding, min_cos_sim=MIN_WORD_COSINE),
        resources.get("tagger").constraint(),
        same_window(resources),
    ]
    swap = ta.transformations.WordSwapEmbedding(resources.get("neighbours").k, embedding)
    search = ta.search_methods.GreedyWordSwapWIR(wir_method="delete")
    return ta.Attack(wrong_label(victim, query_budget), constraints, swap, search)


def textbugger(
    victim: "Victim",
    task: "Task",
    resources: "Resources",
    *,
    query_budget: int | None = None,
) -> "Attack":
    """What the code of the MVP paper calls TextBugger: exchanges of words only.

    The five nearest neighbours and TextFooler's encoder constraint; any number of words, no limit
    on their cosine, any part of speech. The character edits of TextBugger are switched off there.
    """
    ta = textattack()
    constraints = [*words_to_leave(task, nltk_stop_words()), same_window(resources)]
    embedding = resources.get("neighbours").embedding()
    swap = ta.transformations.WordSwapEmbedding(5, embedding)
    search = ta.search_methods.GreedyWordSwapWIR(wir_method="delete")
    return ta.Attack(wrong_label(victim, query_budget), constraints, swap, search)


def textbugger_stock(
    victim: "Victim",
    task: "Task",
    resources: "Resources",
    *,
    query_budget: int | None = None,
) -> "Attack":
    """TextBugger (Li et al. 2019) as in TextAttack: a space, a lost letter, two swapped ones, a
    look-alike, or one of the five nearest neighbours.

    Ours in it: the table of look-alikes (see `look_alikes`). Place of space, loss and swap are
    drawn. After a space the words behind it count one up, and TextAttack's search, which ranks the
    words once, then visits the neighbour of the word it meant; kept.
    """
    ta = textattack()
    from mvp_skill.attack_candidates import LookAlikeSwap

    swaps, drawn = ta.transformations, {"random_one": True, **INSIDE}
    bugs = swaps.CompositeTransformation(
        [
            swaps.WordSwapRandomCharacterInsertion(letters_to_insert=" ", **drawn),
            swaps.WordSwapRandomCharacterDeletion(**drawn),
            swaps.WordSwapNeighboringCharacterSwap(**drawn),
            LookAlikeSwap(),
            swaps.WordSwapEmbedding(5, resources.get("neighbours").embedding()),
        ]
    )
    constraints = [
        *words_to_leave(task, nltk_stop_words()),
        same_text(resources, threshold=0.8, metric="angular"),
    ]
    search = ta.search_methods.GreedyWordSwapWIR(wir_method="delete")
    return ta.Attack(wrong_label(victim, query_budget), constraints, bugs, search)


def bert_attack(
    victim: "Victim",
    task: "Task",
    resources: "Resources",
    *,
    query_budget: int | None = None,
    max_candidates: int = 8,
    max_perturbed_fraction: float = BERT_ATTACK_FRACTION,
) -> "Attack":
    """BERT-Attack (Li et al. 2020) as in TextAttack: words that a masked language model expects.

    Ours in it: how candidates are made (see `MaskedLMCandidates`), and the language model, which is
    the backbone of the run and not always BERT. Words are ranked by putting "[UNK]" in their place;
    for RoBERTa that is a text of three pieces.

    max_candidates           per piece, and per word; the paper takes 48, TextAttack 8
    max_perturbed_fraction   of the words; whether the MVP paper lowered it per data set is unknown
    """
    check_at_least_one("max_candidates", max_candidates)
    if not 0 < max_perturbed_fraction <= 1:
        raise BadInput(
            "max_perturbed_fraction must be above 0 and at most 1, "
            f"not {max_perturbed_fraction!r}; BERT-Attack takes {BERT_ATTACK_FRACTION}."
        )
    ta = textattack()
    from mvp_skill.attack_candidates import MaskedLMSwap

    constraints = [
        *words_to_leave(task, nltk_stop_words()),
        ta.constraints.overlap.MaxWordsPerturbed(max_percent=max_perturbed_fraction),
        same_text(resources, threshold=0.2, metric="cosine"),
    ]
    swap = MaskedLMSwap(resources.get("masked_lm"), max_candidates)
    search = ta.search_methods.GreedyWordSwapWIR(wir_method="unk")
    return ta.Attack(wrong_label(victim, query_budget), constraints, swap, search)


def misspelling(
    victim: "Victim",
    task: "Task",
    resources: "Resources",
    *,
    query_budget: int | None = None,
    max_words: int = 1,
) -> "Attack":
    """Adversarial misspelling (Pruthi et al. 2019) as in TextAttack, one typo per word.

    Two neighbouring letters swapped, one lost, one too many, or one of a neighbouring key, inside
    words of four letters or more. Ours in it: inserted letters are small ones, as all texts are in
    lower case. Which letter is inserted is drawn; everything else is tried. The search asks about
    every typo of every word, so queries are many.

    max_words   that may change; the paper looks at one and two
    """
    check_at_least_one("max_words", max_words)
    if query_budget == 1:
        raise BadInput("misspelling needs a query budget of at least 2; the first is the text's.")
    ta = textattack()
    swaps, every = ta.transformations, {"random_one": False, **INSIDE}
    typos = swaps.CompositeTransformation(
        [
            swaps.WordSwapNeighboringCharacterSwap(**every),
            swaps.WordSwapRandomCharacterDeletion(**every),
            swaps.WordSwapRandomCharacterInsertion(
                letters_to_insert=string.ascii_lowercase, **every
            ),
            swaps.WordSwapQWERTY(**every),
        ]
    )
    constraints = [
        ta.constraints.pre_transformation.MinWordLength(min_length=4),
        *words_to_leave(task, nltk_stop_words()),
        ta.constraints.overlap.MaxWordsPerturbed(max_num_words=max_words),
    ]
    search = ta.search_methods.GreedySearch()
    return ta.Attack(wrong_label(victim, query_budget), constraints, typos, search)


RECIPES: dict[str, Callable[..., "Attack"]] = {
    "textfooler": textfooler,
    "textbugger": textbugger,
    "textbugger_stock": textbugger_stock,
    "bert_attack": bert_attack,
    "misspelling": misspelling,
}
NEEDS: dict[str, tuple[str, ...]] = {  # of the resources
    "textfooler": ("neighbours", "tagger", "encoder"),
    "textbugger": ("neighbours", "encoder"),
    "textbugger_stock": ("neighbours", "encoder"),
    "bert_attack": ("masked_lm", "encoder"),
    "misspelling": (),
}


def recipe_named(name: str) -> Callable[..., "Attack"]:
    """The recipe of that name; BadInput with the allowed names if there is none."""
    if name not in RECIPES:
        raise BadInput(f"Unknown attack {name!r}; the attacks are {', '.join(RECIPES)}.")
    return RECIPES[name]


def word_limits(task: "Task") -> dict[str, float | int | None]:
    """How many words of a text each attack may change, unless an option says otherwise.

    A share of all words (rounded up), a number of words, or None for no limit. Only TextFooler's
    depends on the data set.
    """
    return {
        "textfooler": task.max_perturbed_fraction,
        "textbugger": None,
        "textbugger_stock": None,
        "bert_attack": BERT_ATTACK_FRACTION,
        "misspelling": 1,
    }
