"""Film and restaurant reviews: several clauses praise or blame, the label follows the balance."""

from mvp_skill.mini.author import Author

POLARITIES = ("blame", "praise")  # index = label
# (clauses that agree with the label, clauses that do not) and how often each mixture is written
MIXTURES = ((1, 0), (2, 0), (3, 0), (2, 1), (3, 1))
MIXTURE_EDGES = (0.12, 0.34, 0.52, 0.78, 1.0)
NEGATED_SHARE = 0.2
JOINED_SHARE = 0.6
NEUTRAL_SHARE = 0.5


def other(polarity: str) -> str:
    """Blame for praise and praise for blame."""
    return POLARITIES[1 - POLARITIES.index(polarity)]


def clause(author: Author, domain: str, polarity: str) -> str:
    """A clause that expresses the polarity, now and then through a negation of its opposite."""
    if author.dice.chance(NEGATED_SHARE):
        return author.voice.say(f"{domain}.negated", polarity=other(polarity))
    return author.voice.say(f"{domain}.plain", polarity=polarity)


def joined(author: Author, domain: str, first: str, second: str) -> str:
    """Two clauses as one sentence, with "but" and its like where they disagree."""
    role = "join.same" if first == second else "join.contrast"
    clauses = {"1": clause(author, domain, first), "2": clause(author, domain, second)}
    return author.voice.say(role, **clauses)


def evidence(author: Author, domain: str, polarities: list[str]) -> list[str]:
    """The polarities in their order as sentences of one or two clauses."""
    sentences = []
    rest = list(polarities)
    while rest:
        pair = len(rest) > 1 and author.dice.chance(JOINED_SHARE)
        said = [rest.pop(0) for _ in range(2 if pair else 1)]
        make = joined if pair else clause
        sentences.append(author.write(lambda m=make, s=said: m(author, domain, *s)))
    return sentences


def review(author: Author, domain: str, label: int) -> list[str]:
    """Sentences of a review whose balance of praise and blame is `label` (1 praise, 0 blame)."""
    agree, disagree = author.dice.weighted(MIXTURES, MIXTURE_EDGES)
    polarity = POLARITIES[label]
    said = author.dice.shuffled([polarity] * agree + [other(polarity)] * disagree)
    sentences = evidence(author, domain, said)
    if author.dice.chance(NEUTRAL_SHARE):
        neutral = author.write(lambda: author.voice.say(f"{domain}.neutral"))
        sentences.insert(0 if author.dice.chance(0.7) else len(sentences), neutral)
    return sentences
