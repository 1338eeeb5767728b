"""Names, colours and markers of the two kinds of backbones in figures of soft prompts."""

KIND_NAMES = {"roberta": "RoBERTa", "t5": "T5"}
# Of Okabe and Ito's palette two that no type of task has: `type_legends`.
KIND_COLOURS = {"roberta": "#56B4E9", "t5": "#E69F00"}
KIND_MARKERS = {"roberta": "o", "t5": "s"}
