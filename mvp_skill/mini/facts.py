"""Facts (who did what to what, where) and the pair tasks made of them.

A fact is a choice of synonym sets, not of words: two sentences that state the same fact seldom
share all their words, and two that share most of them may state different facts.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace

from mvp_skill.mini.author import Author
from mvp_skill.mini.grammar import sets_of
from mvp_skill.mini.lexicon import SynonymSet

# Which verbs go with which things: nobody carries a door.
VERBS_FOR = {"object": "do.object,do.solid", "keepable": "do.object", "fixture": "do.solid"}
PEOPLE = "person,close"
LOOKS = "size,age,color,state.thing"
WORDINGS = 8


@dataclass(frozen=True)
class Fact:
    """Somebody did something to a thing of some look, in a place."""

    who: SynonymSet
    did: SynonymSet
    how: SynonymSet
    what: SynonymSet
    where: SynonymSet

    def roles(self) -> dict[str, SynonymSet]:
        """Role -> synonym set, as patterns name them."""
        return dict(self.__dict__)


def random_fact(author: Author, unlike: Fact | None = None) -> Fact:
    """A fact; with `unlike`, one that shares no synonym set with it."""
    taken = set(unlike.roles().values()) if unlike else set()

    def one(pos: str, meanings: str) -> SynonymSet:
        options = sets_of(author.voice.lexicon, pos, meanings)
        return author.dice.pick([s for s in options if s not in taken])

    kind = author.dice.pick(tuple(VERBS_FOR))
    return Fact(
        who=one("n", PEOPLE),
        did=one("v", VERBS_FOR[kind]),
        how=one("a", LOOKS),
        what=one("n", kind),
        where=one("n", "place"),
    )


def changed(author: Author, fact: Fact) -> Fact:
    """The fact with one role exchanged; a look or a deed, where it has one, for its antonym."""
    role = author.dice.pick(("who", "did", "how", "what"))
    old = getattr(fact, role)
    if old.antonyms:
        return replace(fact, **{role: author.voice.lexicon.sets[old.antonyms[0]]})
    options = sets_of(author.voice.lexicon, old.pos, old.meaning)
    return replace(fact, **{role: author.dice.pick([s for s in options if s != old])})


def state(author: Author, role: str, fact: Fact, end: str = ".") -> str:
    """A sentence of a role about the fact."""
    return author.write(lambda: author.voice.say(role, **fact.roles()), end)


def claim(author: Author, fact: Fact, denied: bool, short: bool = False) -> str:
    """A sentence that states or denies the fact."""
    if short:
        return state(author, "facts.short_denied" if denied else "facts.short", fact)
    return state(author, "facts.denied" if denied else "facts.stated", fact)


def inference(author: Author, label: int) -> list[list[str]]:
    """Premise and hypothesis; 0 entailment, 1 neutral, 2 contradiction.

    A denial is as frequent in the premise, and in the hypothesis, whatever the label.
    """
    about, beside = (fact := random_fact(author)), random_fact(author, unlike=fact)
    denied = author.dice.chance(0.5)
    premise = [claim(author, about, denied), claim(author, beside, author.dice.chance(0.5))]
    if label == 1:
        swapped = replace(about, who=beside.who)
        about = (
            swapped if author.dice.chance(0.5) else replace(about, what=changed_what(author, about))
        )
        denied = author.dice.chance(0.5)
    hypothesis = claim(author, about, denied != (label == 2), short=author.dice.chance(0.5))
    return [author.dice.shuffled(premise), [hypothesis]]


def changed_what(author: Author, fact: Fact) -> SynonymSet:
    """Another thing of the same kind."""
    options = sets_of(author.voice.lexicon, "n", fact.what.meaning)
    return author.dice.pick([s for s in options if s != fact.what])


def reading(author: Author, label: int) -> list[list[str]]:
    """Passage and yes/no question; 0 no, 1 yes. "No" is a denied fact or somebody else's deed."""
    about, beside = (fact := random_fact(author)), random_fact(author, unlike=fact)
    denied = label == 0 and author.dice.chance(0.5)
    # One denial in every second passage, whatever the label.
    beside_denied = label == 1 and author.dice.chance(0.5)
    passage = [claim(author, about, denied), claim(author, beside, beside_denied)]
    asked = about if label == 1 or denied else replace(about, who=beside.who)
    return [author.dice.shuffled(passage), [state(author, "questions.yes_no", asked, end="?")]]


def answering(author: Author, label: int) -> list[list[str]]:
    """Question and sentence; 1 if the sentence tells what was asked, 0 if it does not."""
    fact = random_fact(author)
    when = author.voice.any_set("n", "time.part")
    event = author.voice.any_set("n", "time.event")
    asked = author.dice.pick(("who", "where", "when"))
    timed = asked == "when" or (asked == "who" and author.dice.chance(0.5))
    told = fact
    if label == 0:
        if asked != "who" and author.dice.chance(0.5):
            timed = not timed  # the right deed, but a time where a place was asked for
        else:
            told = replace(fact, what=changed_what(author, fact))
    roles = {**told.roles(), "when": when, "event": event}
    role = "facts.timed" if timed else "facts.stated"
    sentence = author.write(lambda: author.voice.say(role, **roles))
    return [[state(author, f"questions.{asked}", fact, end="?")], [sentence]]


def overlap(first: str, second: str) -> float:
    """Share of the words of the two texts that they have in common (Jaccard)."""
    a, b = set(first.split()), set(second.split())
    return len(a & b) / len(a | b)


def second_wording(author: Author, first: str, make: Callable[[], str], end: str) -> str:
    """A sentence from `make` whose word overlap with `first` is near a drawn one.

    The overlap is drawn in the same way for both labels, so it alone does not give the label.
    """
    target = 0.25 + 0.4 * author.dice.random()
    options = [author.write(make, end) for _ in range(WORDINGS)]
    return min(options, key=lambda option: (abs(overlap(first, option) - target), option))


def paraphrase(author: Author, label: int) -> list[list[str]]:
    """Two sentences; 1 the same meaning, 0 different (a role exchanged, or one of them denied)."""
    if author.dice.chance(0.4):
        return people_paraphrase(author, label)
    fact = random_fact(author)
    denied = author.dice.chance(0.2)
    first = claim(author, fact, denied)
    flip = label == 0 and author.dice.chance(0.3)
    told = changed(author, fact) if label == 0 and not flip else fact
    role = "facts.denied" if denied != flip else "facts.stated"
    make = lambda: author.voice.say(role, **told.roles())  # noqa: E731
    return [[first], [second_wording(author, first, make, ".")]]


def people_paraphrase(author: Author, label: int) -> list[list[str]]:
    """The same about two people, whose roles are exchanged where the meaning is different."""
    people = sets_of(author.voice.lexicon, "n", PEOPLE)
    who, whom = author.dice.pick_two(people)
    roles = {
        "who": who,
        "whom": whom,
        "met": author.voice.any_set("v", "do.person"),
        "where": author.voice.any_set("n", "place"),
    }
    first = author.write(lambda: author.voice.say("facts.people", **roles))
    told = roles if label == 1 else {**roles, "who": whom, "whom": who}
    make = lambda: author.voice.say("facts.people", **told)  # noqa: E731
    return [[first], [second_wording(author, first, make, ".")]]


def duplicate(author: Author, label: int) -> list[list[str]]:
    """Two questions for advice; 1 if they ask the same, 0 if one thing or deed differs."""
    fact = random_fact(author)
    asked = fact if label == 1 else replace(changed(author, fact), who=fact.who)
    while label == 0 and asked == fact:
        asked = replace(changed(author, fact), who=fact.who)
    first = state(author, "questions.advice", fact, end="?")
    make = lambda: author.voice.say("questions.advice", **asked.roles())  # noqa: E731
    return [[first], [second_wording(author, first, make, "?")]]
