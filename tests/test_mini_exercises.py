"""Exercise sheets and the curriculum: every answer is checked by reading text and task again."""

import math
import re
from collections import Counter

import pytest

from mvp_skill.mini import corpus, exercises, facts, lexicon
from mvp_skill.mini.author import Author, OutOfWords, split_of
from mvp_skill.mini.curriculum import CHUNK, CURRICULA, Stage
from mvp_skill.mini.dice import Dice
from mvp_skill.mini.grammar import sets_of
from mvp_skill.mini.oracle import words_of
from mvp_skill.mini.tasks import WRITERS, example
from mvp_skill.mini.tokenizers import LONGEST_TEXT

CLASSES = {
    "n": f"{facts.PEOPLE},object,keepable,fixture,place",
    "a": facts.LOOKS,
    "v": "do.object,do.solid,do.person",
}
FACT_SETS = {s.name for pos, names in CLASSES.items() for s in sets_of(lexicon.load(), pos, names)}


def sheets(kind: str, n: int, easy: float, split: str = "fit") -> list[exercises.Sheet]:
    """`n` sheets of a kind, those without a wording in the split left out."""
    found = []
    for number in range(n):
        try:
            author = Author(f"{kind}/{easy}/{number}", split, rare_words=True)
            found.append(exercises.SHEETS[kind][1](author, easy))
        except OutOfWords:
            continue
    assert len(found) > 0.8 * n
    return found


def senses(word: str, part: str = "navm") -> set[str]:
    """Names of the sets of facts that a word may belong to."""
    found = lexicon.load().readings.get(word, ())
    return {entry.name for entry, _, _ in found if entry.pos in part} & FACT_SETS


def told(sentence: str) -> list[set[str]]:
    """The senses of each word of a sentence that says something."""
    return [found for word in words_of(sentence) if (found := senses(word))]


def sentences(text: str) -> list[str]:
    """Sentences without their end stops."""
    return [part.strip() for part in text.split(".") if part.strip()]


def denied(sentence: str) -> bool:
    """Whether the sentence says that something was not so."""
    return bool({"not", "never"} & set(words_of(sentence)))


def about(task: str, sentence: str) -> bool:
    """Whether everything that the task names is named by the sentence."""
    return all(any(one & other for other in told(sentence)) for one in told(task))


EASINESS = pytest.mark.parametrize("easy", [0.0, 0.75])


@EASINESS
@pytest.mark.parametrize("kind", ["phrase_sheet", "paraphrase_sheet", "duplicate_sheet"])
def test_wordings_are_similar_if_every_word_has_a_synonym_in_the_text(kind, easy):
    for text, tasks in sheets(kind, 150, easy):
        for said, label in tasks:
            same = about(said, text) and about(text, said)
            assert same == bool(label), (text, said)


@EASINESS
def test_words_are_similar_if_one_set_has_both_in_one_form(easy):
    known = lexicon.load()
    for _, tasks in sheets("word_sheet", 150, easy):
        for said, label in tasks:
            first, second = said.split(" and ")
            same = first == second or second in known.synonyms(first)
            # a word of several sets may happen to be a synonym where other sets were drawn
            several = max(len(known.readings[first]), len(known.readings[second])) > 1
            assert same == bool(label) or (same and several), said


@EASINESS
@pytest.mark.parametrize("kind", ["short_question_sheet", "question_sheet"])
def test_yes_answers_what_one_sentence_of_the_passage_states(kind, easy):
    for text, tasks in sheets(kind, 150, easy):
        for said, label in tasks:
            stated = any(about(said, s) and not denied(s) for s in sentences(text))
            assert stated == bool(label), (text, said)


@EASINESS
@pytest.mark.parametrize("kind", ["short_nli_sheet", "nli_sheet"])
def test_hypotheses_follow_contradict_or_do_neither(kind, easy):
    for text, tasks in sheets(kind, 150, easy):
        for said, label in tasks:
            found = [s for s in sentences(text) if about(said, s)]
            expected = 1 if not found else 0 if denied(found[0]) == denied(said) else 2
            assert expected == label, (text, said)


def test_people_turned_round_are_different():
    def first_to_second(sentence: str) -> list[set[str]]:
        people = {s.name for s in sets_of(lexicon.load(), "n", facts.PEOPLE)}
        found = [senses(w, "n") & people for w in words_of(sentence) if senses(w, "n") & people]
        assert len(found) == 2
        return found[::-1] if "was" in words_of(sentence) else found

    for text, tasks in sheets("people_sheet", 150, 0.0):
        for said, label in tasks:
            pairs = zip(first_to_second(text), first_to_second(said), strict=True)
            assert all(a & b for a, b in pairs) == bool(label), (text, said)


@EASINESS
def test_an_answer_tells_the_place_or_time_or_person_asked_for(easy):
    for text, tasks in sheets("answer_sheet", 150, easy):
        for said, label in tasks:
            where = text.startswith(("where", "in which place"))
            when = text.startswith(("when", "at what time"))
            words = words_of(said)
            timed = "after" in words or "at" in words
            fits = timed if when else not timed if where else True
            assert (fits and about(text, said)) == bool(label), (text, said)


def test_an_excuse_holds_if_the_hurt_part_is_needed():
    known = lexicon.load()
    verbs = {
        "hands": "task.hands task.garden".split(),
        "legs": "task.legs go".split(),
        "voice": ["task.voice"],
        "eyes": ["task.eyes"],
    }
    for text, tasks in sheets("excuse_sheet", 150, 0.0):
        for said, label in tasks:
            parts = {m for w in words_of(said) for m in known.meanings(w) if m.startswith("body.")}
            (part,) = (name.removeprefix("body.") for name in parts)
            deeds = {m for w in words_of(text) for m in known.meanings(w)}
            assert bool(deeds & set(verbs[part])) == bool(label), (text, said)


@pytest.mark.parametrize("kind", list(exercises.SHEETS))
def test_no_answer_can_be_guessed_from_how_often_it_is_right(kind):
    labels = Counter(label for _, tasks in sheets(kind, 200, 0.5) for _, label in tasks)
    n = sum(labels.values())
    assert max(labels.values()) / n < (0.45 if "NLI" in kind else 0.72), labels


@pytest.mark.parametrize("kind", [k for k in exercises.SHEETS if k != "word_sheet"])
def test_every_sentence_of_a_sheet_belongs_to_its_split(kind):
    for split in ("fit", "validation"):
        for text, tasks in sheets(kind, 40, 0.5, split):
            said = [f"{s}." for s in sentences(text)] if "?" not in text else [text]
            assert {split_of(s) for s in [*said, *(task for task, _ in tasks)]} == {split}


def test_easy_sheets_differ_altogether_and_hard_ones_in_one_thing():
    def shared(easy: float) -> list[int]:
        return [
            sum(any(a & b for b in told(text)) for a in told(said))
            for text, tasks in sheets("phrase_sheet", 150, easy)
            for said, label in tasks
            if not label
        ]

    assert max(shared(1.0)) == 0
    assert min(shared(0.0)) >= 3


# --- the curriculum ---


@pytest.mark.parametrize("name", list(CURRICULA))
def test_stages_follow_each_other_and_the_last_has_no_end(name):
    ends = [stage.end for stage in CURRICULA[name]]
    assert ends == sorted(set(ends))
    assert ends[-1] == math.inf
    if name == "comparing":
        assert all(end % CHUNK == 0 for end in ends[:-1])  # no batch mixes two stages
    known = {*corpus.UNLABELLED, *exercises.SHEETS, *corpus.tasks.WRITERS}
    for stage in CURRICULA[name]:
        assert set(stage.kinds) <= known
        assert 0.0 <= stage.easy <= 1.0


def test_a_document_is_of_a_kind_of_its_stage():
    stages = (Stage(20, {"vocabulary": 1}), Stage(math.inf, {"mini_news": 1}))
    texts = list(corpus.documents(40, stages=stages))
    assert all(text.startswith("in pairs: ") for text in texts[:20])
    assert not any(text.startswith("in pairs: ") for text in texts[20:])


@pytest.mark.parametrize("kind", sorted(corpus.LABEL_WORDS))
def test_a_texts_label_and_its_words_fall_by_different_dice(kind, monkeypatch):
    """With one dice for both the label could be read off the first choice of words."""
    seeds, made = [], Dice.__init__
    monkeypatch.setattr(Dice, "__init__", lambda dice, seed: seeds.append(seed) or made(dice, seed))
    for number in range(20):
        seeds.clear()
        corpus.document(number, stages=(Stage(math.inf, {kind: 1}),))
        assert len(seeds) >= 3  # of the kind, of the label, of the text
        assert len(set(seeds)) == len(seeds)


@pytest.mark.parametrize("stage", CURRICULA["comparing"], ids=lambda stage: str(stage.end))
def test_every_document_of_every_stage_is_written_and_short_enough(stage):
    alone = (Stage(math.inf, stage.shares, stage.easy),)
    texts = list(corpus.documents(400, seed=5, stages=alone))
    assert all(text and len(text.split()) < LONGEST_TEXT // 2 for text in texts)
    assert len(set(texts)) > 300


def test_pages_of_vocabulary_pair_synonyms():
    known = lexicon.load()
    for number in range(60):
        page = corpus.vocabulary(Author(f"page {number}", "fit", rare_words=True))
        pairs = page.removeprefix("in pairs: ").rstrip(".").split(", ")
        assert len(pairs) == corpus.WORD_PAIRS
        for pair in pairs:
            first, second = pair.split()
            assert first == second or second in known.synonyms(first)


def test_a_rephrased_phrase_says_the_same():
    for number in range(100):
        try:
            text = corpus.rephrased(Author(f"phrase {number}", "fit", rare_words=True))
        except OutOfWords:
            continue
        first, rest = text.split(corpus.BETWEEN_TEXTS)
        again = sentences(rest)
        assert len(again) == corpus.N_REPHRASED - 1
        for other in again:
            assert about(first, other), text
            assert about(other, first), text


@pytest.mark.parametrize("kind", corpus.LABEL_WORDS)
def test_a_judgement_can_stand_ahead_of_what_it_judges(kind):
    every = {word for words in corpus.LABEL_WORDS[kind] for word in words}
    for number in range(20):
        seed = f"{kind}/{number}"
        text = corpus.labelled(kind, Author(seed, "fit", rare_words=True), seed, ahead=1.0)
        label = int(Author(seed, "fit", rare_words=True).dice.random() * WRITERS[kind][0])
        row = example(kind, label, seed, "fit", rare_words=True)
        assert text.endswith(row["texts"][-1]), "nothing is concluded behind it"
        said = set(words_of(text[: text.index(row["texts"][0])]))
        assert said & set(corpus.LABEL_WORDS[kind][label])
        assert not said & (every - set(corpus.LABEL_WORDS[kind][label]))


@pytest.mark.parametrize("kind", corpus.LABEL_WORDS)
def test_a_heading_begins_with_the_label_word(kind):
    for number in range(20):
        seed = f"heading/{number}"
        text = corpus.labelled(kind, Author(seed, "fit"), seed, headed=1.0)
        label = int(Author(seed, "fit").dice.random() * WRITERS[kind][0])
        texts = example(kind, label, seed, "fit", rare_words=True)["texts"]
        heading, _ = text.split(": ", 1)
        assert heading.split(" ")[1].strip(",") in corpus.LABEL_WORDS[kind][label]
        assert heading[0] == " ", "else its token is another one"
        assert text.endswith(texts[-1])


def test_the_answers_of_a_sheet_can_stand_ahead_of_its_tasks():
    for number in range(20):
        behind, ahead = (
            corpus.sheet("duplicate_sheet", Author(f"s/{number}", "fit"), 0.5, share)
            for share in (0, 1)
        )
        _, tasks_ahead = ahead.split(corpus.BETWEEN_TEXTS)
        answers = re.findall(r"(similar|different): ([^?]*\?)", tasks_ahead)
        assert len(answers) == exercises.N_TASKS
        assert behind.split(corpus.BETWEEN_TEXTS)[0] == ahead.split(corpus.BETWEEN_TEXTS)[0]
