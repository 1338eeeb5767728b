"""Types of tasks in figures of soft prompts: names, order and colours, the same everywhere.

Paper B groups its tasks by what kind of question they ask, and reads transfer by it.
"""

from mvp_skill.task_types import TYPES
from mvp_skill.tasks import ADVERSARIAL

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
TYPE_OF = {task: kind for kind, tasks in TYPES.items() for task in tasks}
TYPE_OF |= {name: TYPE_OF[found.clean] for name, found in ADVERSARIAL.items()}
TYPE_OF |= {"mnli": "NLI"}  # with neutral as a third class: some released prompts
"""Task to type; an adversarial set has the type of its task."""


def type_of(task: str) -> str:
    """The type of a task; the task itself, a type of its own, if it has none of these."""
    return TYPE_OF.get(task, task)
