"""The attacks at mini scale: against TextAttack itself, put together here from its own classes.

The same resources and the same victim; everything else is written anew, from the descriptions of
the attacks. The victim is a linear probe on the mean embedding of a text's pieces: quick, sensitive
to words and to their spelling, and wrong now and then.
"""

import itertools
import random
import string
from collections import OrderedDict
from dataclasses import replace
from functools import cache

import numpy as np
import pytest
import torch
from transformers import AutoTokenizer

from mvp_skill.attack_recipes import RECIPES, recipe_named
from mvp_skill.attack_resources import resources_for
from mvp_skill.attacks import attack
from mvp_skill.backbones import SHIPPED, load_backbone
from mvp_skill.look_alikes import LOOK_ALIKES
from mvp_skill.seeding import derived_seed
from mvp_skill.stop_words import nltk_stop_words, textfooler_stop_words
from mvp_skill.tasks import load_task, task_named
from mvp_skill.textattack_import import textattack

N = 100
N_PAIRS = 20
TASK = "mini_films"


class Probe(torch.nn.Module):
    """Logits [batch, class] from the mean input embedding of a text's pieces."""

    def __init__(self, rows):
        from sklearn.linear_model import LogisticRegression

        super().__init__()
        model, self.tokenizer = load_backbone("mini-roberta")
        self.embeddings = model.get_input_embeddings().weight.detach()  # [token, d_model]
        features = self.features([texts[0] for texts in rows["texts"][:]])
        fitted = LogisticRegression(C=100.0, max_iter=2000).fit(features, rows["label"][:])
        self.weight, self.bias = torch.tensor(fitted.coef_[0]), float(fitted.intercept_[0])

    def features(self, texts):
        ids = self.tokenizer([" " + text for text in texts], add_special_tokens=False)["input_ids"]
        starts = [0, *itertools.accumulate(len(row) for row in ids[:-1])]
        pieces = torch.tensor(list(itertools.chain.from_iterable(ids)))
        bags = torch.nn.functional.embedding_bag(pieces, self.embeddings, torch.tensor(starts))
        return bags.double()  # [batch, d_model]

    def forward(self, texts):
        score = 0.5 * (self.features(texts) @ self.weight + self.bias)  # [batch]
        return torch.stack([-score, score], dim=1)


@pytest.fixture(scope="module")
def data():
    return load_task(TASK, n_train=600, n_validation=1, n_test=N)


@pytest.fixture(scope="module")
def victim(data):
    return Probe(data["train"])


@cache
def resources():
    """All there are; each attack takes what it needs."""
    found = [resources_for("mini", name, device="cpu") for name in ("textfooler", "bert_attack")]
    return replace(found[0], masked_lm=found[1].masked_lm)


class PairProbe(torch.nn.Module):
    """Logits [batch, class] of pairs, from whether the second text's words are in the first."""

    def forward(self, pairs):
        shared = [[word in first.split() for word in second.split()] for first, second in pairs]
        score = torch.tensor([3 * np.mean(found) - 1 for found in shared], dtype=torch.double)
        return torch.stack([-score, score], dim=1)


class Wrapper:
    """Made TextAttack's by `direct_attack`."""

    def __init__(self, model):
        self.model = model

    def __call__(self, texts):
        return self.model(texts)


def encoder_constraint(**settings):
    """TextAttack's class with our encoder, in the place of the Universal Sentence Encoder."""
    ta = textattack()

    class Encoded(ta.constraints.semantics.sentence_encoders.SentenceEncoder):
        def encode(self, sentences):
            return resources().encoder.encode(list(sentences))

    return Encoded(**settings)


def window():
    return encoder_constraint(
        threshold=resources().encoder.least_similarity,
        metric="angular",
        compare_against_original=False,
        window_size=15,
        skip_text_shorter_than_window=True,
    )


def stock_look_alikes():
    """TextAttack's class without its constructor, which reads a file that its wheel lacks."""
    kind = textattack().transformations.WordSwapHomoglyphSwap
    swap = kind.__new__(kind)
    swap.homos, swap.random_one = LOOK_ALIKES, False
    return swap


def masked_lm_swap():
    """One forward pass per word, and every combination of the eight best pieces."""
    ta = textattack()
    model, tokenizer = load_backbone("mini-roberta")

    class Swap(ta.transformations.WordSwap):
        def _get_transformations(self, text, indices):
            return [
                text.replace_word_at_index(i, word)
                for i in indices
                for word in self.words(text.text, text._text_index_of_word_index(i), text.words[i])
            ]

        def words(self, text, start, word):
            encoded = tokenizer(" " + text, return_offsets_mapping=True)
            with torch.no_grad():
                logits = model(torch.tensor([encoded["input_ids"]])).logits[0]
            scores = logits.log_softmax(dim=1)  # [position, token]
            inside = range(start + 1, start + 1 + len(word))
            offsets = enumerate(encoded["offset_mapping"])
            places = [p for p, (a, b) in offsets if a < b and (a in inside or b - 1 in inside)]
            options = [self.options(scores[p], p == places[0]) for p in places]
            ranked = sorted(itertools.product(*options), key=lambda ids: -self.sum(ids))[:8]
            spelt = [tokenizer.decode([i for i, _ in ids]).strip() for ids in ranked]
            fits = [w for w in spelt if ta.shared.utils.words_from_text(w) == [w]]
            return [w for w in dict.fromkeys(w.lower() for w in fits) if w != word]

        def options(self, scores, is_first):
            best = scores.argsort(descending=True)[:8].tolist()
            tokens = [(i, tokenizer.convert_ids_to_tokens(i)) for i in best]
            plain = [(i, t) for i, t in tokens if i not in tokenizer.all_special_ids]
            return [(i, scores[i].item()) for i, t in plain if t.startswith("Ġ") == is_first]

        def sum(self, ids):
            return sum(score for _, score in ids)

    return Swap()


def direct_attack(name, victim, share=0.1, columns=(), frozen=()):
    """The attack of that name, from TextAttack's classes.

    share   of the words that TextFooler may change
    """
    from mvp_skill.attack_constraints import quiet

    ta = textattack()
    t, c = ta.transformations, ta.constraints
    stop = textfooler_stop_words() if name == "textfooler" else nltk_stop_words()
    constraints = [
        c.pre_transformation.RepeatModification(),
        c.pre_transformation.StopwordModification(stopwords=stop),
        *([c.pre_transformation.InputColumnModification(columns, frozen)] if frozen else []),
    ]
    search = ta.search_methods.GreedyWordSwapWIR(wir_method="delete")
    inner = {"skip_first_char": True, "skip_last_char": True}
    if name == "textfooler":
        embedding = resources().neighbours.embedding()
        swap = t.WordSwapEmbedding(max_candidates=50, embedding=embedding)
        constraints += [
            c.overlap.MaxWordsPerturbed(max_percent=share),
            c.semantics.WordEmbeddingDistance(embedding=embedding, min_cos_sim=0.5),
            resources().tagger.constraint(),
            window(),
        ]
    if name == "textbugger":
        embedding = resources().neighbours.embedding()
        swap = t.WordSwapEmbedding(max_candidates=5, embedding=embedding)
        constraints += [window()]
    if name == "textbugger_stock":
        embedding = resources().neighbours.embedding()
        swap = t.CompositeTransformation(
            [
                t.WordSwapRandomCharacterInsertion(random_one=True, letters_to_insert=" ", **inner),
                t.WordSwapRandomCharacterDeletion(random_one=True, **inner),
                t.WordSwapNeighboringCharacterSwap(random_one=True, **inner),
                stock_look_alikes(),
                t.WordSwapEmbedding(max_candidates=5, embedding=embedding),
            ]
        )
        constraints += [encoder_constraint(threshold=0.8, metric="angular")]
    if name == "bert_attack":
        swap = masked_lm_swap()
        search = ta.search_methods.GreedyWordSwapWIR(wir_method="unk")
        constraints += [
            c.overlap.MaxWordsPerturbed(max_percent=0.4),
            encoder_constraint(threshold=0.2, metric="cosine"),
        ]
    if name == "misspelling":
        swap = t.CompositeTransformation(
            [
                t.WordSwapNeighboringCharacterSwap(random_one=False, **inner),
                t.WordSwapRandomCharacterDeletion(random_one=False, **inner),
                t.WordSwapRandomCharacterInsertion(
                    random_one=False, letters_to_insert=string.ascii_lowercase, **inner
                ),
                t.WordSwapQWERTY(random_one=False, **inner),
            ]
        )
        search = ta.search_methods.GreedySearch()
        constraints += [
            c.pre_transformation.MinWordLength(min_length=4),
            c.overlap.MaxWordsPerturbed(max_num_words=1),
        ]
    kind = type("Wrapped", (Wrapper, ta.models.wrappers.ModelWrapper), {})
    with quiet():
        goal = ta.goal_functions.UntargetedClassification(kind(victim))
    return ta.Attack(goal, constraints, swap, search)


def directly(name, made, rows, columns):
    """Outcome, attacked texts and queries of each row, by TextAttack alone."""
    for row in rows:
        seed = derived_seed(0, name, *row["texts"])
        random.seed(seed)
        np.random.seed(seed % 2**32)
        texts = OrderedDict(zip(columns, row["texts"], strict=True))
        try:
            result = made.attack(texts, row["label"])
        except RuntimeError:
            made.clear_cache()
            yield "error", row["texts"], None
            continue
        kind = type(result).__name__.removesuffix("AttackResult").lower()
        kind = {"successful": "succeeded"}.get(kind, kind)
        yield (
            kind,
            list(result.perturbed_result.attacked_text._text_input.values()),
            result.num_queries,
        )


def by_us(name, victim, rows, task, **options):
    """The same by `attack`."""
    options |= {"task": task_named(task), "resources": resources(), "progress": False}
    records = attack(victim, rows, name, **options).records
    return [(r["outcome"], r["attacked_texts"], r["n_queries"]) for r in records]


class Failing(torch.nn.Module):
    """A victim that raises when a text holds one of some words."""

    def __init__(self, victim, words):
        super().__init__()
        self.victim, self.words = victim, words

    def forward(self, texts):
        if any(set(text.split()) & self.words for text in texts):
            raise RuntimeError("a word that it cannot read")
        return self.victim(texts)


@pytest.mark.slow
@pytest.mark.parametrize("name", list(RECIPES))
def test_outcomes_texts_and_query_counts_are_textattacks(name, data, victim):
    """Whatever is under way at once."""
    direct = list(directly(name, direct_attack(name, victim), data["test"], ["text"]))
    assert len(direct) == N and len({outcome for outcome, _, _ in direct}) > 1
    for concurrency in (7, 64):
        assert by_us(name, victim, data["test"], TASK, concurrency=concurrency) == direct


@pytest.mark.slow
@pytest.mark.parametrize("name", list(RECIPES))
def test_where_the_victim_raises_the_same_examples_are_errors(name, data, victim):
    """Only those of which TextAttack, too, asks about a text that the victim cannot read."""
    checked = {word for texts in data["test"]["texts"][:2] for word in texts[0].split()}
    words = {word for (text,) in data["test"]["texts"][2:] for word in text.split()} - checked
    failing = Failing(victim, set(sorted(words)[::9]))
    direct = list(directly(name, direct_attack(name, failing), data["test"], ["text"]))
    assert 5 < sum(outcome == "error" for outcome, _, _ in direct) < N - 5
    for concurrency in (7, 64):
        assert by_us(name, failing, data["test"], TASK, concurrency=concurrency) == direct


@pytest.mark.slow
@pytest.mark.parametrize("name", list(RECIPES))
@pytest.mark.parametrize("budget", [2, 11, 40])
def test_a_query_budget_ends_a_search_where_textattack_ends_it(name, budget, data, victim):
    rows = data["test"].select(range(25))
    made = direct_attack(name, victim)
    made.goal_function.query_budget = budget
    direct = list(directly(name, made, rows, ["text"]))
    assert by_us(name, victim, rows, TASK, query_budget=budget) == direct
    assert max(n_queries for _, _, n_queries in direct) == budget


@pytest.mark.slow
@pytest.mark.parametrize(
    ("task", "frozen"), [("mini_questions", {"question"}), ("mini_paraphrases", set())]
)
def test_attacks_on_pairs_are_textattacks(task, frozen):
    """The frozen text stays as it is, and its words count for the share that may change."""
    rows = load_task(task, n_train=1, n_validation=1, n_test=N_PAIRS)["test"]
    columns, share = list(task_named(task).columns), task_named(task).max_perturbed_fraction
    made = direct_attack("textfooler", PairProbe(), share, columns, frozen)
    direct = list(directly("textfooler", made, rows, columns))
    assert by_us("textfooler", PairProbe(), rows, task) == direct
    assert len({outcome for outcome, _, _ in direct}) > 1
    if frozen:
        assert [texts[1] for _, texts, _ in direct] == [texts[1] for texts in rows["texts"]]


@pytest.mark.parametrize("name", ["misspelling", "textbugger_stock"])
def test_edits_of_letters_become_pieces_of_the_mini_tokenizer(name, data):
    """A typo must not be an unknown token, and hardly ever the token of another word."""
    tokenizer = AutoTokenizer.from_pretrained(SHIPPED["mini-roberta"])
    made = recipe_named(name)(lambda texts: None, task_named(TASK), resources())
    edits = [t for t in made.transformation.transformations if "Embedding" not in type(t).__name__]
    words = textattack().shared.AttackedText(" ".join(sum(data["test"]["texts"][:], []))).words
    whole = [w for w in sorted(set(words)) if len(w) > 3 and len(tokenizer.tokenize(f" {w}")) == 1]
    assert len(whole) > 100
    random.seed(0)
    np.random.seed(0)
    edited = [(w, new) for w in whole for e in edits for new in e._get_replacement_words(w)]
    written = [new for w, new in edited if new != w]  # two like letters that change places
    pieces = [tokenizer.tokenize(f" {new}") for new in written]
    assert [tokenizer.convert_tokens_to_string(p) for p in pieces] == [f" {w}" for w in written]
    assert tokenizer.unk_token not in sum(pieces, [])
    assert sum(len(p) == 1 for p in pieces) < 0.01 * len(written)  # a typo that is another word
