"""The words that an attack never changes."""

import functools
import hashlib
from importlib.metadata import version
from typing import TYPE_CHECKING

from mvp_skill.errors import BadInput
from mvp_skill.textattack_import import textattack

if TYPE_CHECKING:
    from textattack import Attack

STOP_WORDS_SHA256 = "a46d891cb1dc9c06e36543991d10cff0eda7a8263d9d09f842cb658b7aaccc52"


@functools.cache
def textfooler_stop_words() -> frozenset[str]:
    """The 266 words TextFooler never changes, taken from the installed TextAttack and checked.

    The list lacks be, have, had, do, does, did, will, very, so, some and few; we keep it as it is.
    """
    ta = textattack()
    shared = ta.shared.utils.GLOBAL_OBJECTS
    name = "textattack_counterfitted_GLOVE_embedding"
    before = shared.get(name)
    # The stock recipe would download its vectors, unless it finds some in this place.
    shared[name] = ta.shared.WordEmbedding(None, {}, {}, nn_matrix=None)
    try:
        from mvp_skill.attack_constraints import VictimWrapper, quiet

        with quiet():
            recipe = ta.attack_recipes.TextFoolerJin2019.build(VictimWrapper(None))
    finally:
        shared.pop(name) if before is None else shared.update({name: before})
    constraints = recipe.pre_transformation_constraints
    words = next(frozenset(c.stopwords) for c in constraints if hasattr(c, "stopwords"))
    if _sha256(words) != STOP_WORDS_SHA256:
        raise BadInput(
            f"The stop words of textattack {version('textattack')} are not TextFooler's 266 words; "
            "install the version of textattack named in constraints.txt."
        )
    return words


def nltk_stop_words() -> frozenset[str]:
    """NLTK's English stop words, which TextBugger, BERT-Attack and misspelling never change.

    The user's list if NLTK finds one, otherwise the one that comes with this package.
    """
    textattack()  # makes sure that there is a list
    import nltk

    return frozenset(nltk.corpus.stopwords.words("english"))


def stop_words_of(made: "Attack") -> dict[str, str]:
    """What the head of a log says of an attack's stop words; nothing of TextFooler's fixed list.

    NLTK's list depends on what is installed, and the attack depends on the list.
    """
    before = made.pre_transformation_constraints
    words = next((frozenset(c.stopwords) for c in before if hasattr(c, "stopwords")), frozenset())
    if not words or _sha256(words) == STOP_WORDS_SHA256:
        return {}
    return {"stop_words": f"{len(words)} words, sha256 {_sha256(words)[:16]}"}


def _sha256(words: frozenset[str]) -> str:
    return hashlib.sha256("\n".join(sorted(words)).encode()).hexdigest()
