"""An attack's steps, for notebooks that do it by hand: what they say is what the attack does."""

import pytest
from attack_cases import ONE, BagOfWords, resources

from mvp_skill.attack_recipes import RECIPES, recipe_named
from mvp_skill.attack_steps import limit_in_words, ranking_texts, step_names
from mvp_skill.attacks import attack, attacked_text
from mvp_skill.tasks import TASKS

STEPS = {
    "textfooler": ["word limit", "cosine", "part of speech", "encoder"],
    "textbugger": ["encoder"],
    "textbugger_stock": ["encoder"],
    "bert_attack": ["word limit", "encoder"],
    "misspelling": ["word limit"],
}


def made(name, victim=None):
    return recipe_named(name)(victim or BagOfWords(), ONE, resources())


@pytest.mark.parametrize("name", RECIPES)
def test_every_constraint_has_a_name_for_people(name):
    assert step_names(made(name)) == STEPS[name]


@pytest.mark.parametrize("name", RECIPES)
def test_the_texts_to_rank_by_are_those_that_the_attack_asks_about(name):
    row = {"texts": ["the film was decent but the plot was poor and the crew okay"], "label": 0}
    text = attacked_text(ONE, row["texts"])
    _, words = made(name).get_indices_to_order(text)
    found = [hidden.text for hidden in ranking_texts(made(name), text, words)]
    assert len(words) > 3
    assert len(found) == (0 if name == "misspelling" else len(words))

    victim = BagOfWords({"zebra": 1.0})  # never changes its mind
    attack(victim, [row], name, task=ONE, resources=resources(), progress=False)
    asked = victim.asked[victim.asked.index(text.text) :]
    while asked[0] == text.text:  # the check of the victim, and the first query
        asked = asked[1:]
    assert asked[: len(found)] == found
    assert len(set(found)) == len(found) and text.text not in found


def test_limits_for_people():
    limits = {name: limit_in_words(TASKS["sst2"], name) for name in RECIPES}
    assert limits == {
        "textfooler": "10 % of the words, rounded up",
        "textbugger": "any number",
        "textbugger_stock": "any number",
        "bert_attack": "40 % of the words, rounded up",
        "misspelling": "1",
    }
