"""What is read when: stages of the pretraining corpus, from short and plain to long and mixed.

A curriculum (Bengio et al. 2009), because some of what is to be learned is worth nothing before
something else: to judge whether two sentences mean the same takes judging two words, and that takes
finding a word's place in the other text.
"""

import math
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import accumulate

# How often each kind of document is written, in parts of the whole: texts like those of the tasks.
SHARES = {
    "mini_films": 24,
    "mini_restaurants": 16,
    "mini_news": 12,
    "mini_questions": 7,
    "mini_nli": 7,
    "mini_answers": 6,
    "mini_paraphrases": 6,
    "mini_duplicates": 4,
    "mini_acts": 7,
    "mini_excuses": 5,
    "everyday": 4,
    "restated": 2,
    "appraisal": 10,
    "appraised_act": 3,
}
# Mostly short texts with the evidence beside the label word, as in books for children: a model that
# has learned there what praises and blames finds it again in long texts.
FIRST_SHARES = SHARES | {"appraisal": 80, "appraised_act": 15}


@dataclass(frozen=True)
class Stage:
    """Documents up to number `end`, in parts by kind."""

    end: float
    shares: dict[str, int]
    easy: float = 0.0
    """Share of what differs on exercise sheets that differs altogether."""
    ahead: float = 0.0
    """How often the label word stands ahead of what it judges, certainly; else mostly behind."""
    headed: float = 0.0
    """How often the heading of a text begins with the label word."""
    apart: bool = False
    """Whether most such headings stand ahead of the token that begins a text."""

    @cached_property
    def kinds(self) -> tuple[str, ...]:
        """The kinds of documents."""
        return tuple(self.shares)

    @cached_property
    def edges(self) -> tuple[int, ...]:
        """Running sums of the shares."""
        return tuple(accumulate(self.shares.values()))


DOCUMENTS = (Stage(200_000, FIRST_SHARES), Stage(math.inf, SHARES))

# --- to compare texts: what a model reads that already knows the documents ---

CHUNK = 156 * 64  # documents; stages end with one
# Read on beside the exercises, or it is forgotten: what praises and blames, and what *not* does.
READ_ON = {
    "appraisal": 8,
    "appraised_act": 3,
    "mini_films": 14,
    "mini_restaurants": 8,
    "mini_news": 3,
    "mini_acts": 4,
}
COMPARING = (
    # To find a word of one text in the other.
    Stage(6 * CHUNK, {"vocabulary": 38, "rephrased": 50} | READ_ON),
    # To judge two words.
    Stage(12 * CHUNK, {"word_sheet": 70, "vocabulary": 14, "rephrased": 10} | READ_ON, 0.75),
    # To judge two phrases.
    Stage(
        22 * CHUNK,
        {"phrase_sheet": 55, "word_sheet": 15, "vocabulary": 8, "short_question_sheet": 10}
        | READ_ON,
        0.75,
    ),
    # To judge sentences.
    Stage(
        42 * CHUNK,
        {
            "phrase_sheet": 10,
            "word_sheet": 5,
            "paraphrase_sheet": 14,
            "people_sheet": 4,
            "duplicate_sheet": 10,
            "short_question_sheet": 18,
            "question_sheet": 10,
            "short_nli_sheet": 12,
            "answer_sheet": 8,
            "vocabulary": 6,
            "mini_questions": 6,
            "mini_paraphrases": 6,
            "mini_nli": 4,
        }
        | READ_ON,
        0.35,
    ),
    # To do so in texts like those of the tasks.
    Stage(
        math.inf,
        SHARES
        | {
            "mini_films": 32,
            "mini_restaurants": 20,
            "mini_acts": 10,
            "mini_questions": 14,
            "mini_paraphrases": 12,
            "mini_nli": 10,
            "appraisal": 12,
            "vocabulary": 8,
            "word_sheet": 4,
            "phrase_sheet": 6,
            "paraphrase_sheet": 12,
            "people_sheet": 4,
            "duplicate_sheet": 8,
            "short_question_sheet": 8,
            "question_sheet": 14,
            "short_nli_sheet": 5,
            "nli_sheet": 7,
            "answer_sheet": 7,
            "excuse_sheet": 4,
        },
        0.15,
    ),
)

# --- to judge: what a model reads that can compare texts, most of what it is worst at ---

MIXED = {
    "appraisal": 10,
    "appraised_act": 3,
    "mini_films": 20,
    "mini_restaurants": 12,
    "mini_news": 4,
    "mini_acts": 8,
    "vocabulary": 6,
    "word_sheet": 6,
    "phrase_sheet": 10,
    "paraphrase_sheet": 16,
    "people_sheet": 8,
    "duplicate_sheet": 14,
    "short_question_sheet": 6,
    "question_sheet": 12,
    "short_nli_sheet": 8,
    "nli_sheet": 14,
    "answer_sheet": 30,
    "excuse_sheet": 30,
}
JUDGING = (
    Stage(26 * CHUNK, MIXED, 0.5),
    Stage(
        math.inf,
        MIXED
        | {
            "mini_questions": 8,
            "mini_nli": 10,
            "mini_answers": 14,
            "mini_paraphrases": 12,
            "mini_duplicates": 10,
            "mini_excuses": 14,
        },
        0.2,
    ),
)

# Judgements that stand ahead of the texts, as soft prompts do. (For RoBERTa the place of a label
# word is its position; what it has learned to say at the end of texts it cannot say before them.)
AHEAD = (
    replace(JUDGING[0], end=12 * CHUNK, ahead=0.6),
    replace(JUDGING[1], ahead=0.6),
)
# Most of what is still hard: sentences that differ in one thing, and what follows from a passage.
HARD = MIXED | {
    "word_sheet": 10,
    "phrase_sheet": 24,
    "paraphrase_sheet": 50,
    "people_sheet": 20,
    "duplicate_sheet": 20,
    "short_question_sheet": 10,
    "question_sheet": 16,
    "short_nli_sheet": 18,
    "nli_sheet": 32,
    "answer_sheet": 8,
    "excuse_sheet": 8,
}
FINE = (
    Stage(38 * CHUNK, HARD, 0.4, ahead=0.5),
    Stage(
        math.inf,
        HARD
        | {
            "mini_questions": 10,
            "mini_nli": 20,
            "mini_answers": 6,
            "mini_paraphrases": 20,
            "mini_duplicates": 10,
            "mini_excuses": 6,
        },
        0.2,
        ahead=0.5,
    ),
)
# The label word before everything else, and behind it what it is about: so a soft prompt reads it.
HEADED = (replace(FINE[1], ahead=0.4, headed=0.4),)
APART = (replace(FINE[1], ahead=0.3, headed=0.6, apart=True),)
# All in one round: the exercises up to sentences, and from there on the judgements.
ALL = (*COMPARING[:4], *(replace(s, end=42 * CHUNK + s.end, ahead=0.5) for s in JUDGING))

CURRICULA: dict[str, tuple[Stage, ...]] = {
    "documents": DOCUMENTS,
    "comparing": COMPARING,
    "judging": JUDGING,
    "judging ahead": AHEAD,
    "fine differences": FINE,
    "headed": HEADED,
    "headed apart": APART,
    "comparing and judging": ALL,
}
