"""The published data sets: files, hub copies with the rows they must have, and how they are cut.

Splits of SST-2, AG News and BoolQ are those of the code of Raman et al. 2023. It has none for the
others; what we chose is said at each. Commits and file names of the hub's copies were read in code
that uses them, and row counts in the data sets' descriptions: whatever comes from the hub is
counted, and refused if a class has more or fewer rows than here.

Reviews other than SST-2 are in `reviews`, other pairs of GLUE in `glue`, ETHICS in `ethics`.
"""

from mvp_skill.hub import HubSource
from mvp_skill.layouts import Layout
from mvp_skill.published import Published
from mvp_skill.readers import read_ag_news, read_boolq, read_dbpedia, read_mrpc, read_sst2
from mvp_skill.splits import cut_held_out, cut_train, four_fifths_train

# Of 560,000 and 3.6 million training rows: as many as AG News has, so that an epoch takes as long.
TRAIN_CAP = 120_000
CUT_FROM_TEST = (
    "there are test rows only, so train, validation and test are cut from them with a fixed seed; "
    "the test is not the published one"
)

SST2 = Published(
    (
        Layout(
            {
                "train": ("train.tsv", "train_sample.tsv", "glue_train_sample.tsv"),
                "held_out": ("dev.tsv", "glue_dev.tsv"),
            },
            read_sst2,
        ),
    ),
    HubSource(
        "nyu-mll/glue",
        "bcdcba79d07bc864c1c254ccfcedcce55bcc9a8c",
        {
            "train": ("sst2/train-00000-of-00001.parquet",),
            "held_out": ("sst2/validation-00000-of-00001.parquet",),
        },
        ("sentence",),
        "label",
        {"train": (29780, 37569), "held_out": (428, 444)},
    ),
    cut_train,
    needs_letter=True,
    folders=("SST-2",),
)

AG_NEWS = Published(
    (
        Layout(
            {"train": ("train.csv", "train_sample.csv"), "held_out": ("test.csv",)}, read_ag_news
        ),
    ),
    HubSource(
        "fancyzhx/ag_news",
        "eb185aade064a813bc0b7f42de02595523103ca4",
        {
            "train": ("data/train-00000-of-00001.parquet",),
            "held_out": ("data/test-00000-of-00001.parquet",),
        },
        ("text",),
        "label",
        {"train": (30000,) * 4, "held_out": (1900,) * 4},
    ),
    cut_train,
)

# The passages of google/boolq lack the page title with which SuperGLUE's files begin them.
BOOLQ = Published(
    (
        Layout(
            {
                "train": ("train.jsonl", "train_sample.jsonl"),
                "held_out": ("val.jsonl", "dev.jsonl"),
            },
            read_boolq,
        ),
    ),
    HubSource(
        "google/boolq",
        "35b264d03638db9f4ce671b711558bf7ff0f80d5",
        {
            "train": ("data/train-00000-of-00001.parquet",),
            "held_out": ("data/validation-00000-of-00001.parquet",),
        },
        ("passage", "question"),
        "answer",
        {"train": (3553, 5874), "held_out": (1237, 2033)},
    ),
    cut_held_out,
)

# The test is the official one with 1,725 rows, whose labels are public; GLUE's 408 validation rows
# are not used. Microsoft's training file holds them beside GLUE's 3,668 training rows.
MRPC = Published(
    (
        Layout(
            {
                "train": ("train.tsv", "msr_paraphrase_train.txt"),
                "held_out": ("msr_paraphrase_test.txt",),
            },
            read_mrpc,
        ),
    ),
    HubSource(
        "nyu-mll/glue",
        "bcdcba79d07bc864c1c254ccfcedcce55bcc9a8c",
        {
            "train": ("mrpc/train-00000-of-00001.parquet",),
            "held_out": ("mrpc/test-00000-of-00001.parquet",),
        },
        ("sentence1", "sentence2"),
        "label",
        # Of the training rows: Microsoft's 1,323 and 2,753 less GLUE's validation, 129 and 279.
        {"train": (1194, 2474), "held_out": (578, 1147)},
    ),
    cut_train,
    folders=("MRPC",),
)

# Cut as AG News is, after the cap.
DBPEDIA = Published(
    (
        Layout(
            {
                "train": ("train.csv", "train_sample.csv"),
                "held_out": ("test.csv", "test_sample.csv"),
            },
            read_dbpedia,
        ),
        Layout(
            {"held_out": ("test.csv", "test_sample.csv")},
            read_dbpedia,
            four_fifths_train,
            CUT_FROM_TEST,
        ),
    ),
    HubSource(
        "fancyzhx/dbpedia_14",
        "9abd46cf7fc8b4c64290f26993c540b92aa145ac",
        {
            "train": ("dbpedia_14/train-00000-of-00001.parquet",),
            "held_out": ("dbpedia_14/test-00000-of-00001.parquet",),
        },
        ("content",),
        "label",
        {"train": (40000,) * 14, "held_out": (5000,) * 14},
    ),
    cut_train,
    train_cap=TRAIN_CAP,
)
