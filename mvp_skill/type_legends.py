"""Types of tasks in figures of soft prompts: names, order and colours, the same everywhere.

Paper B groups its tasks by what kind of question they ask, and reads transfer by it.
"""

TYPE_NAMES = {
    "ethics": "ethical judgement",
    "paraphrase": "paraphrase",
    "NLI": "NLI",
    "sentiment": "sentiment",
}
TASK_TYPES = tuple(TYPE_NAMES)
# From the palette of `legends`, which keeps grey for chance.
TYPE_COLOURS = {
    "ethics": "#CC79A7",
    "paraphrase": "#009E73",
    "NLI": "#0072B2",
    "sentiment": "#D55E00",
}
_TASKS = {
    "ethics": "ethics_deontology ethics_justice mini_excuses mini_acts",
    "paraphrase": "qqp mrpc adv_qqp mini_duplicates mini_paraphrases mini_adv_duplicates",
    "NLI": "qnli mnli_binary mnli rte adv_qnli adv_mnli adv_rte "
    "mini_nli_binary mini_nli mini_answers mini_adv_nli",
    "sentiment": "sst2 imdb movie_rationales rotten_tomatoes amazon_polarity adv_sst2 "
    "mini_films mini_restaurants mini_adv_films",
}
TYPE_OF = {task: kind for kind, tasks in _TASKS.items() for task in tasks.split()}
"""Task to type; an adversarial set has the type of its task."""


def type_of(task: str) -> str:
    """The type of a task; the task itself, a type of its own, if it has none of these."""
    return TYPE_OF.get(task, task)
