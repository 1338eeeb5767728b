"""Label words of prompt tuning: the file, the tokens, and the ids of the second paper."""

import copy

import pandas
import pytest
import yaml
from transformers import AutoTokenizer, T5TokenizerFast

from mvp_skill import soft_verbalizers
from mvp_skill.backbones import SHIPPED
from mvp_skill.errors import BadInput
from mvp_skill.mini.corpus import LABEL_WORDS
from mvp_skill.released_prompts import KNOWN
from mvp_skill.soft_verbalizers import (
    LabelWord,
    SoftVerbalizer,
    all_soft_verbalizers,
    soft_verbalizer,
)
from mvp_skill.task_types import MINI_TASKS, PAPER_TASKS
from mvp_skill.tasks import ADVERSARIAL, TASKS

KINDS = ("masked_lm", "seq2seq")

# Class 0 and class 1, from the code of Ackermann and Ohmer 2023 and of Su et al. 2022.
ROBERTA = {
    ("sst2", "imdb", "movie_rationales"): (33407, 22173),
    ("qnli", "rte"): (2362, 10932),
    ("qqp", "mrpc"): (22303, 29225),
    ("ethics_deontology", "ethics_justice"): (879, 32047),
    ("mnli_binary",): (2362, 10932),
}
ROBERTA_RELEASED = ROBERTA | {
    ("ethics_deontology", "ethics_justice"): (897, 32047),
    ("mnli_binary",): (2362, 12516),
}
T5 = {
    ("sst2", "imdb", "movie_rationales"): (2841, 1465),
    ("qqp", "mrpc"): (6136, 1176),
    ("qnli", "rte", "mnli_binary"): (27252, 3),
    ("ethics_deontology", "ethics_justice"): (29452, 9961),
}


# --- the file ----------------------------------------------------------------------------------


def test_every_task_of_the_paper_and_of_the_mini_world_has_words():
    mini = {name for name, task in TASKS.items() if task.generated}
    assert {*PAPER_TASKS, *MINI_TASKS, *mini, "mnli_binary", "rte"} <= set(all_soft_verbalizers())


def test_classes_are_those_of_the_task_and_fields_are_known():
    for task, kinds in all_soft_verbalizers().items():
        assert tuple(kinds) == KINDS
        for found in kinds.values():
            sets = {name: words for name, words in found.items() if name != "leading_space"}
            assert isinstance(found["leading_space"], bool) and "default" in sets
            assert set(sets) <= {"default", "released", "words"}
            for words in sets.values():
                assert tuple(words) == TASKS[task].label_names
                for word in words.values():
                    spec = {"word": word} if isinstance(word, str) else word
                    assert isinstance(spec["word"], str)  # not YAML's no and yes
                    assert set(spec) <= {"word", "leading_space", "first_piece"}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("task", [name for name, task in TASKS.items() if task.generated])
def test_mini_words_are_those_of_the_corpus(task, kind):
    expected = [words[0] for words in LABEL_WORDS.get(task, LABEL_WORDS["mini_nli"])]
    if task == "mini_nli_binary":
        expected = [expected[2], expected[0]]  # contradiction, entailment
    found = soft_verbalizer(task, kind).label_words
    assert found == tuple(LabelWord(word, leading_space=True) for word in expected)


def test_an_adversarial_set_has_the_words_of_its_clean_task():
    for name, task in ADVERSARIAL.items():
        for kind in KINDS:
            assert soft_verbalizer(name, kind) == soft_verbalizer(task.clean, kind)


def test_sets_that_a_task_lacks():
    assert soft_verbalizer("qnli", "masked_lm", "released") == soft_verbalizer("qnli", "masked_lm")
    for arguments, said in (
        (("ag_news", "masked_lm"), "Unknown task for prompt tuning 'ag_news'; use sst2, imdb"),
        (("sst3", "masked_lm"), "Unknown task 'sst3'"),
        (("sst2", "causal_lm"), "Unknown kind .* 'causal_lm'; use masked_lm, seq2seq"),
        (("sst2", "masked_lm", "many"), "Unknown set of label words of sst2 'many'; use default"),
    ):
        with pytest.raises(BadInput, match=said):
            soft_verbalizer(*arguments)


# --- tokens ------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def tokenizer(tiny_backbone):
    return AutoTokenizer.from_pretrained(tiny_backbone)


def test_a_space_before_a_word_makes_another_token(tokenizer):
    spaced = LabelWord("great", leading_space=True).token_id(tokenizer)
    assert tokenizer.convert_ids_to_tokens(spaced) == "Ġgreat"
    with pytest.raises(BadInput, match="'great', without a space before it, must be a single tok"):
        LabelWord("great").token_id(tokenizer)


def test_several_tokens_are_refused_unless_the_first_is_to_stand_for_them(tokenizer):
    word = LabelWord("zebra", leading_space=True)
    pieces = tokenizer.encode(" zebra", add_special_tokens=False)
    assert len(pieces) > 1
    with pytest.raises(BadInput, match=r"'zebra', with a space .* it is Ġ.* \+ .*; choose another"):
        word.token_id(tokenizer)
    first = LabelWord("zebra", leading_space=True, first_piece=True)
    assert first.token_id(tokenizer) == pieces[0]
    with pytest.raises(BadInput, match="it is nothing"):
        LabelWord("").token_id(tokenizer)


def test_words_unknown_to_a_tokenizer_are_refused(tiny_bert):
    words = AutoTokenizer.from_pretrained(tiny_bert)
    assert LabelWord("great").token_id(words) == words.convert_tokens_to_ids("great")
    for word in (LabelWord("\u4e00"), LabelWord("\u4e00", first_piece=True)):
        with pytest.raises(BadInput, match=r"it is \[UNK\]"):
            word.token_id(words)


def test_two_classes_with_one_token_are_refused(tokenizer):
    same = SoftVerbalizer((LabelWord("good", True), LabelWord("good", True, True)))
    with pytest.raises(BadInput, match=r"\['good', 'good'\] are one and the same token"):
        same.token_ids(tokenizer)
    other = SoftVerbalizer((LabelWord("good", True), LabelWord("bad", True)))
    expected = tokenizer.convert_tokens_to_ids(["Ġgood", "Ġbad"])
    assert other.token_ids(tokenizer) == expected


@pytest.mark.parametrize(("backbone", "kind"), [("mini-roberta", KINDS[0]), ("mini-t5", KINDS[1])])
def test_mini_models_know_every_mini_word_as_one_token(backbone, kind):
    tokenizer = AutoTokenizer.from_pretrained(SHIPPED[backbone])
    for task in (name for name, task in TASKS.items() if task.generated):
        found = soft_verbalizer(task, kind)
        tokens = tokenizer.convert_ids_to_tokens(found.token_ids(tokenizer))
        assert tokens == [f"Ġ{word.word}" for word in found.label_words]


def test_mini_bert_has_the_words_too():
    tokenizer = AutoTokenizer.from_pretrained(SHIPPED["mini-bert"])
    for task in MINI_TASKS:
        assert len(set(soft_verbalizer(task, "masked_lm").token_ids(tokenizer))) == 2


# --- the paper's ids ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("label_words", "table"), [("default", ROBERTA), ("released", ROBERTA_RELEASED)]
)
def test_ids_of_roberta_base(roberta_base_tokenizer, label_words, table):
    for tasks, expected in table.items():
        for task in tasks:
            found = soft_verbalizer(task, "masked_lm", label_words)
            assert tuple(found.token_ids(roberta_base_tokenizer)) == expected, task


def test_ids_of_t5_base(t5_base_tokenizer):
    for tasks, expected in T5.items():
        for task in tasks:
            for label_words in ("default", "released"):
                found = soft_verbalizer(task, "seq2seq", label_words)
                assert tuple(found.token_ids(t5_base_tokenizer)) == expected, task
    assert t5_base_tokenizer.encode("entailment", add_special_tokens=False) == [3, 35, 5756, 297]
    words = soft_verbalizer("ethics_justice", "seq2seq", "words").token_ids(t5_base_tokenizer)
    assert len(set(words)) == 2


@pytest.mark.parametrize(("kind", "table"), [("roberta", ROBERTA_RELEASED), ("t5", T5)])
def test_b19_released_prompts_are_known_by_the_ids_of_released_words(kind, table):
    """They are compared before a released prompt is read."""
    of_task = {task: ids for tasks, ids in table.items() for task in tasks}
    known = pandas.read_csv(KNOWN)
    known = known[(known["kind"] == kind) & (known["source"] != "su")]
    for row in known.itertuples():
        assert of_task[row.task] == tuple(map(int, row.label_ids.split("/"))), row.task
    assert len(known) == 9


def test_b3_a_binary_task_has_two_words_and_released_prompts_their_own(roberta_base_tokenizer):
    """Trained on labels 0 and 1 with no, neutral, yes, "neutral" came to mean entailment."""
    tuned, released = (
        soft_verbalizer("mnli_binary", "masked_lm", name).token_ids(roberta_base_tokenizer)
        for name in ("default", "released")
    )
    assert len(tuned) == len(released) == len(TASKS["mnli_binary"].label_names) == 2
    assert roberta_base_tokenizer.convert_ids_to_tokens(released) == ["no", "neutral"]
    assert tuned[0] == released[0] and tuned[1] != released[1]


def test_b19_the_token_by_mistake_is_for_released_prompts_only(roberta_base_tokenizer):
    """897 is " la"; the first piece of "unacceptable", which is meant, is 879."""
    for task in ("ethics_deontology", "ethics_justice"):
        for name, expected in (("default", "un"), ("released", "Ġla"), ("words", "wrong")):
            token = soft_verbalizer(task, "masked_lm", name).token_ids(roberta_base_tokenizer)[0]
            assert roberta_base_tokenizer.convert_ids_to_tokens(token) == expected


def test_first_pieces_of_a_tokenizer_like_t5s():
    """The bare mark of a word is the first piece of a word that the vocabulary lacks."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers

    pieces = ["<pad>", "</s>", "<unk>", "▁", "▁contradiction", "en", "tail", "ment"]
    vocabulary = [(piece, -1.0 - i / 10) for i, piece in enumerate(pieces)]
    inner = Tokenizer(models.Unigram(vocabulary, unk_id=2))
    inner.pre_tokenizer = pre_tokenizers.Metaspace()
    inner.decoder = decoders.Metaspace()
    tokenizer = T5TokenizerFast(tokenizer_object=inner, extra_ids=2)
    assert soft_verbalizer("qnli", "seq2seq").token_ids(tokenizer) == [4, 3]
    with pytest.raises(BadInput, match=r"▁ \+ en \+ tail \+ ment; choose another word"):
        LabelWord("entailment").token_id(tokenizer)


def test_a_change_of_the_file_is_seen(monkeypatch):
    edited = copy.deepcopy(yaml.safe_load(soft_verbalizers.VERBALIZERS_FILE.read_text("utf-8")))
    edited["mini_acts"]["masked_lm"]["default"]["wrong"] = "bad"
    monkeypatch.setattr(soft_verbalizers, "all_soft_verbalizers", lambda: edited)
    first, _ = soft_verbalizer("mini_acts", "masked_lm").label_words
    assert first == LabelWord("bad", leading_space=True)
