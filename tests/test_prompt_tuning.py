"""Prompt tuning: the soft prompt alone is tuned, stored, exchanged and started from."""

import pytest
import torch

from mvp_skill.errors import BadInput
from mvp_skill.prompt_tuning import build_prompted, load_prompted, soft_prompt_of, use_soft_prompt
from mvp_skill.train_config import TrainConfig
from mvp_skill.training import evaluate, train, train_or_load
from mvp_skill.weights import fingerprint, frozen_weights


def small(task="mini_films", n=24):
    from mvp_skill.tasks import load_task

    return load_task(task, n_train=n, n_validation=12, n_test=12)


TUNE = TrainConfig(
    learning_rate=0.01,
    schedule="constant",
    batch_size=8,
    epochs=2,
    eval_every_examples=12,
    patience=9,
    weight_decay=0.0,
    clip=None,
)


@pytest.mark.parametrize("backbone", ["mini-roberta", "mini-t5"])
def test_tuning_changes_the_soft_prompt_alone_and_it_is_stored(backbone, tmp_path):
    prompted = build_prompted(backbone, "mini_films", n_prompt=4, seed=1)
    frozen, start = fingerprint(frozen_weights(prompted)), prompted.soft_prompt.detach().clone()
    data = small()
    train(prompted, data, TUNE, tmp_path / "a", progress=False)
    assert fingerprint(frozen_weights(prompted)) == frozen
    assert not torch.equal(prompted.soft_prompt, start)
    loaded = load_prompted(tmp_path / "a")
    texts = [row["texts"][0] for row in data["test"]]
    assert torch.equal(loaded(texts), prompted(texts))
    assert sorted(path.name for path in (tmp_path / "a").iterdir()) == [
        "prompted.json",
        "soft_prompt.safetensors",
        "training.json",
    ]
    again, _ = train_or_load(
        tmp_path / "a", build_prompted(backbone, "mini_films", n_prompt=4, seed=1), data, TUNE
    )
    assert torch.equal(again.soft_prompt, prompted.soft_prompt)
    assert evaluate(again, data["test"]) == evaluate(prompted, data["test"])


def test_a_killed_tuning_goes_on_to_the_same_soft_prompt(tmp_path, monkeypatch):
    data = small(n=32)
    whole = build_prompted("mini-roberta", "mini_films", n_prompt=4)
    train(whole, data, TUNE, progress=False)
    from mvp_skill import training

    steps = []
    step = training.training_step

    def killed(*given):
        steps.append(1)
        if len(steps) == 6:
            raise KeyboardInterrupt
        return step(*given)

    with monkeypatch.context() as patch:
        patch.setattr(training, "training_step", killed)
        with pytest.raises(KeyboardInterrupt):
            train(
                build_prompted("mini-roberta", "mini_films", n_prompt=4),
                data,
                TUNE,
                tmp_path,
                progress=False,
                state_every_seconds=0,
            )
    resumed = build_prompted("mini-roberta", "mini_films", n_prompt=4)
    train(resumed, data, TUNE, tmp_path, progress=False)
    assert torch.equal(resumed.soft_prompt, whole.soft_prompt)


def test_the_rate_is_constant_and_gradients_are_not_clipped_in_prompt_tuning():
    assert [TUNE.rate_at(done) for done in (0.0, 0.5, 0.99)] == [0.01] * 3
    assert TrainConfig(learning_rate=0.01).rate_at(0.75) == pytest.approx(0.0025)
    with pytest.raises(BadInput, match="schedule"):
        TrainConfig(schedule="cosine")


def test_another_soft_prompt_can_be_put_in_its_place():
    films = build_prompted("mini-roberta", "mini_films", n_prompt=4, seed=1)
    other = build_prompted("mini-roberta", "mini_restaurants", n_prompt=4, seed=2)
    before = films(["a good film"])
    use_soft_prompt(films, soft_prompt_of(other))
    assert torch.equal(films.soft_prompt, other.soft_prompt)
    assert not torch.equal(films(["a good film"]), before)
    with pytest.raises(BadInput, match="cannot start"):
        use_soft_prompt(
            films, soft_prompt_of(build_prompted("mini-roberta", "mini_films", n_prompt=5))
        )


@pytest.mark.parametrize("init", ["normal", "vocabulary"])
def test_the_start_depends_on_seed_and_task_alone(init):
    other = build_prompted("mini-roberta", "mini_acts", n_prompt=6, init=init, seed=1)
    made = [
        build_prompted("mini-roberta", "mini_films", n_prompt=6, init=init, seed=s)
        for s in (1, 1, 2)
    ]
    tables = [one.soft_prompt for one in made]
    assert torch.equal(tables[0], tables[1]) and not torch.equal(tables[0], tables[2])
    assert not torch.equal(tables[0], other.soft_prompt)  # P8: prompts of one seed
    words = made[0].backbone.get_input_embeddings().weight
    found = [(row == words).all(dim=1).any().item() for row in tables[0]]
    assert found == [init == "vocabulary"] * 6


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"backbone": "mini-bert"}, "type 'bert'; use one of type roberta, t5"),
        ({"n_prompt": 1}, "n_prompt must be"),
        ({"n_prompt": 300}, "max_text"),
        ({"init": "zeros"}, "Unknown init 'zeros'"),
        ({"dropout": 1.0}, "DROPOUT must be"),
        ({"dropout": "off"}, "DROPOUT must be"),
        ({"task": "ag_news"}, "ag_news"),
    ],
)
def test_bad_input_is_refused(given, said):
    settings = {"backbone": "mini-roberta", "task": "mini_films"} | given
    with pytest.raises(BadInput, match=said):
        build_prompted(settings.pop("backbone"), settings.pop("task"), **settings)
