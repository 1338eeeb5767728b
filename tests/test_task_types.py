"""Types of tasks, clean and adversarial ones, and their order in the second paper's figures."""

import pytest

from mvp_skill.errors import BadInput
from mvp_skill.task_types import (
    MINI_TASKS,
    PAPER_TASKS,
    TYPES,
    adversarial_task,
    clean_task,
    type_of,
    with_adversarial,
)
from mvp_skill.tasks import ADVERSARIAL, TASKS


def test_types_name_tasks_once():
    named = [task for tasks in TYPES.values() for task in tasks]
    assert len(set(named)) == len(named) and set(named) <= set(TASKS)
    others = {"ag_news", "boolq", "dbpedia", "mini_news", "mini_questions"}
    assert set(TASKS) - set(named) == others


@pytest.mark.parametrize(("tasks", "sizes"), [(PAPER_TASKS, (2, 2, 1, 3)), (MINI_TASKS, (2,) * 4)])
def test_eight_clean_tasks_in_the_order_of_the_figures(tasks, sizes):
    types = [type_of(task) for task in tasks]
    assert types == [name for name, n in zip(TYPES, sizes, strict=True) for _ in range(n)]
    assert len(set(tasks)) == 8 and not set(tasks) & set(ADVERSARIAL)


def test_clean_and_adversarial_tasks_belong_together():
    pairs = {task: adversarial_task(task) for task in TASKS if adversarial_task(task)}
    assert pairs == {
        "sst2": "adv_sst2",
        "qqp": "adv_qqp",
        "qnli": "adv_qnli",
        "mnli_binary": "adv_mnli",
        "rte": "adv_rte",
        "mini_films": "mini_adv_films",
        "mini_duplicates": "mini_adv_duplicates",
        "mini_nli_binary": "mini_adv_nli",
    }
    for clean, found in pairs.items():
        assert clean_task(found) == clean == clean_task(clean)
        assert type_of(found) == type_of(clean)
    assert adversarial_task("adv_sst2") is None and adversarial_task("imdb") is None


def test_eleven_data_sets_in_the_order_of_the_figures():
    assert with_adversarial(PAPER_TASKS) == (
        *("ethics_deontology", "ethics_justice", "qqp", "mrpc", "adv_qqp", "qnli", "adv_qnli"),
        *("sst2", "imdb", "movie_rationales", "adv_sst2"),
    )
    assert with_adversarial(["mini_films", "mini_duplicates"]) == (
        *("mini_duplicates", "mini_adv_duplicates", "mini_films", "mini_adv_films"),
    )


def test_tasks_of_other_types_and_unknown_ones_are_refused():
    with pytest.raises(BadInput, match="ag_news has none of the types ethics, .*use ethics_deon"):
        type_of("ag_news")
    for ask in (type_of, clean_task, adversarial_task):
        with pytest.raises(BadInput, match="Unknown task 'sst3'"):
            ask("sst3")
