"""The published sets of reviews, for transfer to other domains: files, hub copies and cuts.

The code of Raman et al. 2023 has none of them. Where validation rows are published they are used,
elsewhere 5 % of the training rows are cut as for SST-2. Sources and counts as in `catalogue`.
"""

from mvp_skill.catalogue import CUT_FROM_TEST, TRAIN_CAP
from mvp_skill.hub import HubSource
from mvp_skill.layouts import Layout
from mvp_skill.published import Published
from mvp_skill.readers import read_amazon_polarity
from mvp_skill.review_readers import (
    read_polarity,
    read_rationales,
    read_reviews,
    read_rotten_tomatoes,
)
from mvp_skill.splits import (
    as_published,
    by_fold,
    cut_train,
    four_fifths_train,
    tenths_of_each_class,
)

IMDB = Published(
    (
        Layout(
            {
                "train": ("train/", "train.jsonl", "train.part*.jsonl"),
                "held_out": ("test/", "test.jsonl", "test_sample.jsonl"),
            },
            read_reviews,
        ),
    ),
    HubSource(
        "stanfordnlp/imdb",
        "e6281661ce1c48d982bc483cf8a173c1bbeb5d31",
        {
            "train": ("plain_text/train-00000-of-00001.parquet",),
            "held_out": ("plain_text/test-00000-of-00001.parquet",),
        },
        ("text",),
        "label",
        {"train": (12500,) * 2, "held_out": (12500,) * 2},
    ),
    cut_train,
)

ROTTEN_TOMATOES = Published(
    (
        Layout(
            {"positive": ("rt-polarity.pos",), "negative": ("rt-polarity.neg",)},
            read_rotten_tomatoes,
            tenths_of_each_class,
        ),
    ),
    HubSource(
        "cornell-movie-review-data/rotten_tomatoes",
        "aa13bc287fa6fcab6daf52f0dfb9994269ffea28",
        {
            "train": ("train.parquet",),
            "validation": ("validation.parquet",),
            "test": ("test.parquet",),
        },
        ("text",),
        "label",
        {"train": (4265,) * 2, "validation": (533,) * 2, "test": (533,) * 2},
    ),
    as_published,
)

AMAZON_POLARITY = Published(
    (
        Layout({"train": ("train.csv",), "held_out": ("test.csv",)}, read_amazon_polarity),
        Layout({"held_out": ("test.csv",)}, read_amazon_polarity, four_fifths_train, CUT_FROM_TEST),
    ),
    HubSource(
        "fancyzhx/amazon_polarity",
        "9d9c45c18f8c3cf1b23a3c27917b60cbf28f3289",
        {
            "train": tuple(f"amazon_polarity/train-0000{i}-of-00004.parquet" for i in range(4)),
            "held_out": ("amazon_polarity/test-00000-of-00001.parquet",),
        },
        ("content",),
        "label",
        {"train": (1_800_000,) * 2, "held_out": (200_000,) * 2},
    ),
    cut_train,
    train_cap=TRAIN_CAP,
)

# The hub's repository is a loading script, which today's libraries refuse; the branch is the hub's
# own conversion of it to Parquet. ERASER's test split has 199 reviews, one class one less than 100.
MOVIE_RATIONALES = Published(
    (
        Layout(
            {
                "train": ("train.jsonl",),
                "validation": ("val.jsonl",),
                "test": ("test.jsonl",),
            },
            read_rationales,
        ),
        Layout(
            {"all": ("polarity_v2.jsonl", "txt_sentoken/")},
            read_polarity,
            by_fold,
            "the reviews are those of polarity dataset v2.0, split by its folds as ERASER's ids "
            "suggest; ERASER's own files have one test review less",
        ),
    ),
    HubSource(
        "eraser-benchmark/movie_rationales",
        "refs/convert/parquet",
        {
            "train": ("default/train/0000.parquet",),
            "validation": ("default/validation/0000.parquet",),
            "test": ("default/test/0000.parquet",),
        },
        ("review",),
        "label",
        {"train": (800,) * 2, "validation": (100,) * 2},
    ),
    as_published,
    folders=("movie_reviews", "movies"),
)
