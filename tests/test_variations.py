"""Which variations of templates and label words a task has."""

import pytest

from mvp_skill.errors import BadInput
from mvp_skill.prompts import prompts_for
from mvp_skill.variations import VARIATIONS, Variation, variations_of


@pytest.mark.parametrize("task", ["mini_films", "mini_news"])
def test_tasks_of_the_ablation_have_every_variation(task):
    found, lacking = variations_of(task, "mini-roberta", VARIATIONS, seed=2)
    assert list(found) == list(VARIATIONS) and not lacking
    for name, condition in found.items():
        assert (condition.victim, condition.seed, condition.task) == ("mvp", 2, task)
        assert (condition.template_variant, condition.label_words) == VARIATIONS[name]


@pytest.mark.parametrize("task", ["mini_films", "mini_news", "ag_news", "boolq"])
def test_a_variation_has_as_many_templates_as_its_name_says(task):
    for number in (1, 2, 3):
        plural = "s" if number > 1 else ""
        variant = VARIATIONS[f"{number} template{plural}"].template_variant
        assert len(prompts_for(task, variant)[0]) == number
    assert len(prompts_for(task)[0]) == 4


def test_what_a_task_lacks_is_left_out_with_the_reason():
    found, lacking = variations_of("mini_questions", "mini-roberta", VARIATIONS)
    assert set(lacking) == {"2 templates", "3 templates", "several words"}
    assert set(found) == set(VARIATIONS) - set(lacking)
    assert "Unknown template variant of mini_questions: 'two'" in lacking["2 templates"]
    assert Variation("random", "random") == VARIATIONS["both random"]


def test_unknown_names_are_refused():
    with pytest.raises(BadInput, match="Unknown variation 'random word'; use as usual, random wo"):
        variations_of("mini_films", "mini-roberta", ["random word"])
