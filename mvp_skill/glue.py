"""Pairs of GLUE, for the second paper: files, hub copies, cuts and which class is 1.

GLUE keeps the labels of its test rows to itself. So its validation rows are the test here, as for
SST-2, and 5 % of the training rows validate: nothing is selected on what is measured. (The code of
Ackermann and Ohmer 2023 selects prompts, ranks neurons and measures on the validation rows.)

Classes are theirs: QNLI's are flipped, 1 is entailed; of MNLI the neutral rows are left out, 1 is
entailment, and the hypothesis comes before the premise. RTE, which they have no results of, is
arranged like MNLI and labelled like QNLI.
"""

from mvp_skill.catalogue import CUT_FROM_TEST, SST2
from mvp_skill.glue_readers import read_mnli_binary, read_qnli, read_qqp, read_rte, read_rte_json
from mvp_skill.hub import HubSource
from mvp_skill.layouts import Layout
from mvp_skill.published import Published
from mvp_skill.splits import cut_train, four_fifths_train

REPOSITORY, REVISION = SST2.hub.repository, SST2.hub.revision

QNLI = Published(
    (
        Layout({"train": ("train.tsv",), "held_out": ("dev.tsv",)}, read_qnli),
        Layout({"held_out": ("dev.tsv",)}, read_qnli, four_fifths_train, CUT_FROM_TEST),
    ),
    HubSource(
        REPOSITORY,
        REVISION,
        {
            "train": ("qnli/train-00000-of-00001.parquet",),
            "held_out": ("qnli/validation-00000-of-00001.parquet",),
        },
        ("question", "sentence"),
        "label",
        {"train": 104_743, "held_out": (2702, 2761)},  # classes of the training rows: not known
        classes=(1, 0),
    ),
    cut_train,
    folders=("QNLI",),
)

QQP = Published(
    (
        Layout(
            {
                "train": ("train.tsv", "train_sample.tsv"),
                "held_out": ("dev.tsv", "dev_sample.tsv"),
            },
            read_qqp,
        ),
    ),
    HubSource(
        REPOSITORY,
        REVISION,
        {
            "train": ("qqp/train-00000-of-00001.parquet",),
            "held_out": ("qqp/validation-00000-of-00001.parquet",),
        },
        ("question1", "question2"),
        "label",
        {"train": (229_468, 134_378), "held_out": (25_545, 14_885)},
    ),
    cut_train,
    folders=("QQP",),
)

# The matched validation rows are the test.
MNLI_BINARY = Published(
    (
        Layout(
            {
                "train": ("train.tsv", "train_sample.tsv"),
                "held_out": ("dev_matched.tsv", "dev_sample.tsv"),
            },
            read_mnli_binary,
        ),
    ),
    HubSource(
        REPOSITORY,
        REVISION,
        {
            "train": ("mnli/train-00000-of-00001.parquet",),
            "held_out": ("mnli/validation_matched-00000-of-00001.parquet",),
        },
        ("hypothesis", "premise"),
        "label",
        {"train": (130_899, 130_900, 130_903), "held_out": (3479, 3123, 3213)},
        classes=(1, None, 0),
    ),
    cut_train,
    folders=("MNLI", "mnli"),
)

RTE = Published(
    (
        Layout({"train": ("train.tsv",), "held_out": ("dev.tsv", "glue_dev.tsv")}, read_rte),
        Layout({"train": ("train.jsonl",), "held_out": ("val.jsonl",)}, read_rte_json),
    ),
    HubSource(
        REPOSITORY,
        REVISION,
        {
            "train": ("rte/train-00000-of-00001.parquet",),
            "held_out": ("rte/validation-00000-of-00001.parquet",),
        },
        ("sentence2", "sentence1"),
        "label",
        {"train": (1249, 1241), "held_out": (146, 131)},
        classes=(1, 0),
    ),
    cut_train,
    folders=("RTE",),
)
