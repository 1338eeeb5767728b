"""Small victims, data and trainings for the tests of insertion, victims and training."""

import random

from datasets import ClassLabel, Dataset, DatasetDict, Features, Sequence, Value

from mvp_skill.train_config import TrainConfig
from mvp_skill.training import train
from mvp_skill.victims import build_victim

FILLERS = "the film story movie actor team market player door house river city".split()
GOOD = "wonderful excellent love best".split()
BAD = "horrible awful hate worst".split()

# 41 examples: batches of 8, 8, 8, 8, 8 and 1, so evaluations are not at the ends of epochs.
CONFIG = TrainConfig(
    learning_rate=5e-3, batch_size=8, epochs=3, eval_every_examples=16, patience=100, seed=7
)


def sentiment_data(n_train=41, n_validation=19, seed=0) -> DatasetDict:
    """Sentences of odd lengths whose label follows from one word."""
    generator = random.Random(seed)
    features = Features(
        {
            "texts": Sequence(Value("string")),
            "label": ClassLabel(names=["negative", "positive"]),
        }
    )

    def split(n):
        rows = [_sentence(generator, label=index % 2) for index in range(n)]
        return Dataset.from_list(rows, features=features)

    return DatasetDict({"train": split(n_train), "validation": split(n_validation)})


def _sentence(generator, label):
    words = generator.choices(FILLERS, k=generator.randint(1, 9))
    words.insert(generator.randint(0, len(words)), generator.choice(GOOD if label else BAD))
    return {"texts": [" ".join(words)], "label": label}


def tiny_victim(method, folder, task="mini_films", **options):
    """A victim on the tiny backbone in `folder`."""
    return build_victim(method, str(folder), task, **options)


def quiet(victim, data, config=CONFIG, *arguments, **options):
    return train(victim, data, config, *arguments, progress=False, **options)
