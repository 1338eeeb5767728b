"""The words TextFooler never changes."""

import functools
import hashlib
from importlib.metadata import version

from mvp_skill.errors import BadInput
from mvp_skill.textattack_import import textattack

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
    if hashlib.sha256("\n".join(sorted(words)).encode()).hexdigest() != STOP_WORDS_SHA256:
        raise BadInput(
            f"The stop words of textattack {version('textattack')} are not TextFooler's 266 words; "
            "install the version of textattack named in constraints.txt."
        )
    return words
