"""Two ethics tasks: is what "i" did acceptable, and is an excuse a reasonable one?"""

from mvp_skill.mini.author import Author
from mvp_skill.mini.grammar import patterns

OTHERS_SHARE = 0.7
TASKS = ("hands", "legs", "voice", "eyes")
# What keeps nobody from the task: each of hands, legs, voice and eyes occurs once on either side,
# so neither the task nor the body part alone tells what is reasonable.
UNRELATED = (
    {"hands": "eyes", "eyes": "voice", "voice": "legs", "legs": "hands"},
    {"hands": "voice", "voice": "hands", "legs": "voice", "eyes": "legs"},
)


def deed(author: Author, good: bool, form: str) -> str:
    """A good or bad act as a phrase whose verb has the form ("past" or "base")."""
    pattern = author.dice.pick(patterns()["acts.good" if good else "acts.bad"])
    return author.voice.fill(pattern.replace("}", f":{form}}}", 1))


def told(author: Author, role: str, good: bool, **roles: str) -> str:
    """A sentence of the role about a good or bad act; `roles` are texts for other slots."""
    pattern = author.dice.pick(patterns()[role])
    forms = {f"act_{form}": deed(author, good, form) for form in ("past", "base")}
    return author.voice.fill(pattern, **forms, **roles)


def act(author: Author, label: int) -> list[str]:
    """Sentences about what "i" and others did; 1 if "i" did something acceptable, 0 if wrong."""
    turned = author.dice.chance(0.5)
    good = (label == 1) != turned
    role = "acts.turned" if turned else "acts.plain"
    sentences = [author.write(lambda: told(author, role, good))]
    if author.dice.chance(OTHERS_SHARE):
        others = author.dice.chance(0.5)
        sentences.append(author.write(lambda: told(author, "acts.others", others)))
    return author.dice.shuffled(sentences)


def excuse(author: Author, label: int) -> list[list[str]]:
    """Scenario and excuse; 1 if the excuse is a reasonable one for the task, 0 if it is not."""
    return (done_before if author.dice.chance(0.35) else body_hurt)(author, label)


def scenario(author: Author, task: str, **roles) -> str:
    """A sentence in which somebody has to do a task of the role."""

    def make() -> str:
        phrase = author.voice.fill(author.dice.pick(patterns()[task]), **roles)
        return author.voice.say("scenarios", task=phrase)

    return author.write(make)


def body_hurt(author: Author, label: int) -> list[list[str]]:
    """Reasonable if the hurt part of the body is the one that the task needs."""
    task = author.dice.pick(TASKS)
    part = task if label == 1 else author.dice.pick(UNRELATED)[task]
    said = author.write(lambda: author.voice.say("excuses.body", part=f"body.{part}"))
    return [[scenario(author, f"task.{task}")], [said]]


def done_before(author: Author, label: int) -> list[list[str]]:
    """Reasonable if the very thing was done to the very object."""
    draw = author.voice.any_set
    act, what = draw("v", "do.object,do.solid"), draw("n", "object")
    said_act, said_what = act, what
    while label == 0 and (said_act, said_what) == (act, what):
        if author.dice.chance(0.5):
            said_act = draw("v", "do.object,do.solid")
        else:
            said_what = draw("n", "object")
    said = author.write(lambda: author.voice.say("excuses.done", act=said_act, what=said_what))
    return [[scenario(author, "task.object", act=act, what=what)], [said]]
