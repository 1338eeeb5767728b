"""What kind of question a task asks: paper B groups its tasks so, and transfer is read by it."""

TASK_TYPES = ("ethics", "paraphrase", "nli", "sentiment")
TYPE_NAMES = {
    "ethics": "ethical judgement",
    "paraphrase": "paraphrase",
    "nli": "inference",
    "sentiment": "sentiment",
}
# Of the ticks in figures; from the palette of `legends`, which keeps grey for chance.
TYPE_COLOURS = {
    "ethics": "#CC79A7",
    "paraphrase": "#009E73",
    "nli": "#0072B2",
    "sentiment": "#D55E00",
}
TYPE_OF = {
    "ethics_deontology": "ethics",
    "ethics_justice": "ethics",
    "qqp": "paraphrase",
    "mrpc": "paraphrase",
    "adv_qqp": "paraphrase",
    "qnli": "nli",
    "mnli": "nli",
    "adv_qnli": "nli",
    "sst2": "sentiment",
    "imdb": "sentiment",
    "movie_rationales": "sentiment",
    "adv_sst2": "sentiment",
    "mini_excuses": "ethics",
    "mini_acts": "ethics",
    "mini_duplicates": "paraphrase",
    "mini_paraphrases": "paraphrase",
    "mini_answers": "nli",
    "mini_nli_binary": "nli",
    "mini_films": "sentiment",
    "mini_restaurants": "sentiment",
}
"""Task to type; an adversarial set has the type of its task."""


def type_of(task: str) -> str:
    """The type of a task; the task itself, a type of its own, where nobody has said it."""
    return TYPE_OF.get(task, task)
