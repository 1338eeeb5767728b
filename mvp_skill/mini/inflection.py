"""English inflection for the words of the lexicon: plurals and verb forms.

The rules cover regular words; `inflection.txt` lists the irregular ones.
"""

from functools import cache
from importlib.resources import files

VOWELS = "aeiou"
# Spelled with a vowel but sounding like "you", or with a silent h: the exceptions of "a" and "an".
SOUNDS_LIKE_CONSONANT = ("uk", "usu", "uni", "eu", "one", "use")
SILENT_H = ("hour", "honest", "honor", "heir")


@cache
def irregular() -> dict[tuple[str, str], tuple[str, ...]]:
    """(part of speech, base) -> the forms that `inflection.txt` gives."""
    lines = files(__package__).joinpath("inflection.txt").read_text(encoding="utf-8").splitlines()
    rows = [line.split() for line in lines if line and not line.startswith("#")]
    return {(pos, base): tuple(forms) for pos, base, *forms in rows}


def ends_in_consonant_y(word: str) -> bool:
    """Whether a final y turns into i before an ending."""
    return word.endswith("y") and word[-2] not in VOWELS


def add_s(word: str) -> str:
    """Plural of a regular noun, third person singular of any verb here."""
    if ends_in_consonant_y(word):
        return word[:-1] + "ies"
    return word + ("es" if word.endswith(("s", "x", "z", "ch", "sh")) else "s")


def plural(noun: str) -> str:
    """Plural of a noun, regular or not."""
    return irregular().get(("n", noun), (add_s(noun),))[0]


def add_ed(verb: str) -> str:
    """Past of a regular verb."""
    if ends_in_consonant_y(verb):
        return verb[:-1] + "ied"
    return verb + ("d" if verb.endswith("e") else "ed")


def add_ing(verb: str) -> str:
    """The ing-form of a regular verb."""
    if verb.endswith("e") and not verb.endswith(("ee", "oe", "ye")):
        return verb[:-1] + "ing"
    return verb + "ing"


@cache
def verb_forms(verb: str) -> dict[str, str]:
    """Forms of a verb: base, third (he ...s), past, participle, ing."""
    past, participle, *ing = irregular().get(("v", verb), (add_ed(verb), add_ed(verb)))
    return {
        "base": verb,
        "third": add_s(verb),
        "past": past,
        "participle": participle,
        "ing": ing[0] if ing else add_ing(verb),
    }


@cache  # whoever writes a data set asks a million times for the same few hundred words
def forms(word: str, pos: str) -> dict[str, str]:
    """Surface forms of a word by the name of the form; adjectives and adverbs have only "base"."""
    if pos == "v":
        return verb_forms(word)
    if pos == "n":
        return {"base": word, "plural": plural(word)}
    return {"base": word}


@cache
def article(following: str) -> str:
    """ "a" or "an", by the sound of the word that follows."""
    if following.startswith(SILENT_H):
        return "an"
    if following.startswith(SOUNDS_LIKE_CONSONANT):
        return "a"
    return "an" if following[:1] in VOWELS else "a"
