"""Exercise sheets: one text and several tasks about it, each with its answer.

A label word sums up a comparison. One to a document is little to learn comparing from; a sheet asks
several times about the same text, as schoolbooks do. On an easy sheet most of what differs differs
altogether; on a hard one, in one thing.
"""

from collections.abc import Callable
from dataclasses import replace

from mvp_skill.mini import ethics
from mvp_skill.mini.author import Author
from mvp_skill.mini.facts import Fact, claim, random_fact, state
from mvp_skill.mini.grammar import sets_of
from mvp_skill.mini.lexicon import SynonymSet

N_TASKS = 4
WORD_PAIRS = 6
BESIDE_SHARE = 0.6  # of the passages with a second fact
DENIED_SHARE = 0.35
SWAPPED_SHARE = 0.5  # of what does not follow: the deed of the one, told of the other

# A sheet: the text, and the tasks as (text, label).
Sheet = tuple[str, list[tuple[str, int]]]


def either(author: Author) -> int:
    """0 or 1."""
    return int(author.dice.chance(0.5))


def other_set(author: Author, entry: SynonymSet, options: tuple[SynonymSet, ...]) -> SynonymSet:
    """One of the options that is not `entry`."""
    return author.dice.pick([option for option in options if option is not entry])


def unlike(author: Author, fact: Fact, roles: tuple[str, ...], easy: float) -> Fact:
    """Another fact: with probability `easy` one that shares nothing, else one role is exchanged."""
    if author.dice.chance(easy):
        return random_fact(author, unlike=fact)
    role = author.dice.pick(roles)
    old = getattr(fact, role)
    if old.antonyms and author.dice.chance(0.5):
        return replace(fact, **{role: author.voice.lexicon.sets[old.antonyms[0]]})
    options = sets_of(author.voice.lexicon, old.pos, old.meaning)
    return replace(fact, **{role: other_set(author, old, options)})


def words(author: Author, easy: float) -> Sheet:
    """Pairs of words in one form; 1 synonyms, 0 words of other sets of one part of speech."""
    lexicon = author.voice.lexicon
    every = tuple(lexicon.sets.values())
    tasks = []
    while len(tasks) < WORD_PAIRS:
        entry, label = author.dice.pick(every), either(author)
        form = author.dice.pick(tuple(entry.forms(entry.words[0])))
        near = sets_of(lexicon, entry.pos, entry.meaning)
        far = tuple(one for one in every if one.pos == entry.pos)
        options = far if len(near) == 1 or author.dice.chance(easy) else near
        other = entry if label else other_set(author, entry, options)
        pair = [one.forms(author.voice.word(one)).get(form) for one in (entry, other)]
        if None not in pair:  # a noun that is counted, and one that is not
            tasks.append((" and ".join(pair), label))
    return "in pairs:", tasks


def wordings(author: Author, role: str, end: str, easy: float) -> Sheet:
    """A sentence and others; 1 those that mean the same, 0 those in which something differs."""
    fact = random_fact(author)
    tasks = []
    for _ in range(N_TASKS):
        label = either(author)
        roles = ("did", "how", "what") if end == "?" else ("who", "did", "how", "what")
        told = fact if label else unlike(author, fact, roles, easy)
        tasks.append((state(author, role, told, end), label))
    return state(author, role, fact, end), tasks


def told_facts(author: Author, most: int) -> tuple[str, list[tuple[Fact, bool]]]:
    """A passage of one or two facts, and the facts, each with whether it is denied."""
    told = [(random_fact(author), author.dice.chance(DENIED_SHARE))]
    if most > 1 and author.dice.chance(BESIDE_SHARE):
        told.append((random_fact(author, unlike=told[0][0]), author.dice.chance(DENIED_SHARE)))
    short = author.dice.chance(0.5)
    return " ".join(claim(author, fact, denied, short) for fact, denied in told), told


def other_deed(
    author: Author, told: list[tuple[Fact, bool]], fact: Fact, roles: tuple[str, ...], easy: float
) -> Fact:
    """A fact that the passage says nothing of: often the deed of the one, told of the other."""
    others = [other for other, _ in told if other is not fact]
    if others and author.dice.chance(SWAPPED_SHARE):
        return replace(fact, who=others[0].who)
    return unlike(author, fact, roles, easy)


def questions(author: Author, most: int, easy: float) -> Sheet:
    """A passage and yes/no questions; 0 no, 1 yes."""
    text, told = told_facts(author, most)
    stated = [fact for fact, denied in told if not denied]
    tasks = []
    for _ in range(N_TASKS):
        label = either(author) if stated else 0
        asked, denied = (author.dice.pick(stated), False) if label else author.dice.pick(told)
        if not label and not denied:
            asked = other_deed(author, told, asked, ("who", "did", "how", "what"), easy)
        tasks.append((state(author, "questions.yes_no", asked, end="?"), label))
    return text, tasks


def hypotheses(author: Author, most: int, easy: float) -> Sheet:
    """A passage and statements; 0 true, 1 unclear, 2 false."""
    text, told = told_facts(author, most)
    tasks = []
    for _ in range(N_TASKS):
        label = int(author.dice.random() * 3)
        fact, denied = author.dice.pick(told)
        if label == 1:
            fact = other_deed(author, told, fact, ("who", "what"), easy)
            denied = either(author) == 1
        said = claim(author, fact, denied != (label == 2), short=True)
        tasks.append((said, label))
    return text, tasks


def people(author: Author) -> Sheet:
    """Who did what to whom; 1 the same, 0 the two people turned round."""
    who, whom = author.dice.pick_two(sets_of(author.voice.lexicon, "n", "person,close"))
    roles = {
        "who": who,
        "whom": whom,
        "met": author.voice.any_set("v", "do.person"),
        "where": author.voice.any_set("n", "place"),
    }
    turned = roles | {"who": whom, "whom": who}
    tasks = []
    for _ in range(N_TASKS):
        label = either(author)
        said = roles if label else turned
        tasks.append((author.write(lambda r=said: author.voice.say("facts.people", **r)), label))
    return author.write(lambda: author.voice.say("facts.people", **roles)), tasks


def answers(author: Author, easy: float) -> Sheet:
    """A question and sentences; 1 those that tell what was asked."""
    fact = random_fact(author)
    asked = author.dice.pick(("who", "where", "when"))
    tasks = []
    for _ in range(N_TASKS):
        label = either(author)
        timed = asked == "when" or (asked == "who" and author.dice.chance(0.5))
        told = fact
        if not label and asked != "who" and author.dice.chance(0.5):
            timed = not timed
        elif not label:
            told = unlike(author, fact, ("what",), easy)
        times = {
            "when": author.voice.any_set("n", "time.part"),
            "event": author.voice.any_set("n", "time.event"),
        }
        role = "facts.timed" if timed else "facts.stated"
        roles = told.roles() | times
        tasks.append((author.write(lambda r=role, s=roles: author.voice.say(r, **s)), label))
    return state(author, f"questions.{asked}", fact, end="?"), tasks


def excuses(author: Author) -> Sheet:
    """A task and excuses; 1 those that keep one from it."""
    task = author.dice.pick(ethics.TASKS)
    text = ethics.scenario(author, f"task.{task}")
    tasks = []
    for _ in range(N_TASKS):
        label = either(author)
        part = f"body.{task if label else author.dice.pick(ethics.UNRELATED)[task]}"
        said = author.write(lambda p=part: author.voice.say("excuses.body", part=p))
        tasks.append((said, label))
    return text, tasks


# kind -> (the task whose closing sentences and label words it uses, writer of author and easiness)
SHEETS: dict[str, tuple[str, Callable[[Author, float], Sheet]]] = {
    "word_sheet": ("mini_paraphrases", words),
    "phrase_sheet": ("mini_paraphrases", lambda a, easy: wordings(a, "facts.short", ".", easy)),
    "paraphrase_sheet": (
        "mini_paraphrases",
        lambda a, easy: wordings(a, "facts.stated", ".", easy),
    ),
    "people_sheet": ("mini_paraphrases", lambda a, easy: people(a)),
    "duplicate_sheet": ("mini_duplicates", lambda a, e: wordings(a, "questions.advice", "?", e)),
    "short_question_sheet": ("mini_questions", lambda a, easy: questions(a, 1, easy)),
    "question_sheet": ("mini_questions", lambda a, easy: questions(a, 2, easy)),
    "short_nli_sheet": ("mini_nli", lambda a, easy: hypotheses(a, 1, easy)),
    "nli_sheet": ("mini_nli", lambda a, easy: hypotheses(a, 2, easy)),
    "answer_sheet": ("mini_answers", answers),
    "excuse_sheet": ("mini_excuses", lambda a, easy: excuses(a)),
}
