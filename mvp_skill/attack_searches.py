"""TextAttack's searches as generators: they stop where an answer of a model is needed.

So many of them can wait at once, and one place answers all of them together (`engine`). A search
asks in the order of TextAttack, counts queries as TextAttack does, and ends with the same text.
"""

from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from mvp_skill.attack_candidates import LookAlikeSwap, MaskedLMSwap
from mvp_skill.attack_filters import Ask, kept
from mvp_skill.attack_texts import Candidate, PlacedText, candidates, parts_of
from mvp_skill.errors import BadInput
from mvp_skill.textattack_import import textattack

if TYPE_CHECKING:
    from textattack import Attack
    from textattack.shared import AttackedText
    from torch import Tensor

ta = textattack()


class Answer(NamedTuple):
    """What the victim says of a text."""

    prediction: int
    score: float
    """1 - probability of the label, in 32 bits: what the search wants to be large."""
    wrong: bool


class Found(NamedTuple):
    """Where a search ended."""

    original: "AttackedText"
    attacked: "AttackedText"
    first: Answer
    last: Answer
    n_queries: int


@dataclass
class Search:
    """The search for one example.

    made     the attack as TextAttack has it
    checks   its constraints, see `attack_filters.checks_of`; one list for all examples
    """

    made: "Attack"
    checks: list
    attacked: "AttackedText"
    label: int
    n_queries: int = 0
    known: dict[Any, Answer] = field(default_factory=dict)

    @cached_property
    def original(self) -> PlacedText:
        """The text before the attack."""
        return PlacedText(self.attacked)

    def steps(self) -> Generator[Ask, Any, Found]:
        """The whole search; each `Ask` is to be answered by `send`."""
        (first,), _ = yield from self.answers([self.original.input])
        last, text = first, self.attacked
        if not first.wrong:
            last, chosen = yield from SEARCHES[type(self.made.search_method)](self, first)
            text = chosen.attacked
        return Found(self.attacked, text, first, last, self.n_queries)

    def answers(self, inputs: Sequence[Any]) -> Generator[Ask, Any, tuple[list[Answer], bool]]:
        """The victim's answers, as far as the query budget goes, and whether it is used up.

        Every text is a query, also one that was asked about before.
        """
        budget = self.made.goal_function.query_budget
        if budget < float("inf"):
            inputs = inputs[: budget - self.n_queries]
        self.n_queries += len(inputs)
        new = [text for text in dict.fromkeys(inputs) if text not in self.known]
        if new:
            logits = yield Ask("victim", new)  # [batch, class]
            self.known.update(zip(new, self._read(new, logits), strict=True))
        return [self.known[text] for text in inputs], self.n_queries == budget

    def candidates(
        self, current: PlacedText, indices: Sequence[int]
    ) -> Generator[Ask, Any, list[Candidate]]:
        """The texts with one of some words exchanged that satisfy all constraints."""
        if indices and isinstance(self.made.transformation, MaskedLMSwap):
            yield Ask("masked_lm", [current.text])
        found = candidates(self.made.transformation, current, indices)
        return (yield from kept(self.checks, found, current, self.original))

    def words_to_change(self, text: PlacedText) -> list[int]:
        """Numbers of the words that no constraint forbids to change, in TextAttack's order."""
        return self.made.get_indices_to_order(text.attacked)[1]

    def _read(self, texts: list, logits: "Tensor") -> list[Answer]:
        probabilities = self.made.goal_function._process_model_outputs(texts, logits)
        predictions = [int(row.argmax()) for row in probabilities]
        scores = (1 - probabilities[:, self.label]).tolist()
        return [Answer(p, s, p != self.label) for p, s in zip(predictions, scores, strict=True)]


def ranked(search: Search, first: Answer) -> Generator[Ask, Any, tuple[Answer, Any]]:
    """GreedyWordSwapWIR: words in the order of their importance, each with its best exchange."""
    order, over = yield from _ranking(search)
    current, best = search.original, first
    allowed = set(search.words_to_change(current))
    for index in order:
        if over:
            break
        if index not in allowed:
            continue
        found = yield from search.candidates(current, [index])
        if not found:
            continue
        answers, over = yield from search.answers([candidate.input for candidate in found])
        tried = sorted(zip(answers, found, strict=False), key=lambda pair: -pair[0].score)
        if tried[0][0].score <= best.score:
            continue
        if tried[0][0].wrong:
            return _most_similar(tried)
        best, chosen = tried[0]
        current = PlacedText(chosen.attacked)
        allowed = set(search.words_to_change(current))
    return best, current


def greedy(search: Search, first: Answer) -> Generator[Ask, Any, tuple[Answer, Any]]:
    """GreedySearch: of all exchanges of all words the best, again and again."""
    current, best, chosen = search.original, first, search.original
    while not best.wrong:
        found = yield from search.candidates(current, search.words_to_change(current))
        if not found:
            break
        answers, over = yield from search.answers([candidate.input for candidate in found])
        scores = np.array([answer.score for answer in answers], dtype=np.float32)
        best, chosen = answers[scores.argmax()], found[scores.argmax()]
        if over:
            break
        # Of equal ones TextAttack goes on with another than the one it keeps.
        current = PlacedText(found[(-scores).argsort()[0]].attacked)
    return best, chosen


SEARCHES: dict[type, Callable[[Search, Answer], Generator[Ask, Any, tuple[Answer, Any]]]] = {
    ta.search_methods.GreedyWordSwapWIR: ranked,
    ta.search_methods.GreedySearch: greedy,
}
STEADY = (LookAlikeSwap, MaskedLMSwap, ta.transformations.WordSwapEmbedding)
"""Transformations that draw nothing."""
HIDDEN = {"delete": lambda method: "", "unk": lambda method: method.unk_token}
"""What stands in the place of a word when its importance is asked about."""


def check_made(made: "Attack") -> None:
    """BadInput if an attack has parts, or settings of them, that are not written as generators."""
    method, goal = made.search_method, made.goal_function
    ranks = getattr(method, "wir_method", "delete") in HIDDEN
    ranks = ranks and getattr(method, "truncate_words_to", None) is None
    wrong_label = type(goal) is ta.goal_functions.UntargetedClassification
    parts = parts_of(made.transformation)
    swaps = [part for part in parts if hasattr(part, "words_for") or _exchanges_words(part)]
    if not (type(method) in SEARCHES and ranks and swaps == parts) or not (
        wrong_label and goal.target_max_score is None
    ):
        raise BadInput(
            "The engine runs attacks with GreedyWordSwapWIR (delete or unk, all words) or "
            "GreedySearch, on UntargetedClassification, that exchange one word at a time, not "
            f"{made!r}; run this one with TextAttack's own Attacker."
        )


def _exchanges_words(part: Any) -> bool:
    """Whether a transformation is nothing but new words for a word."""
    plain = ta.transformations.WordSwap
    return isinstance(part, plain) and type(part)._get_transformations is plain._get_transformations


def draws(transformation: Any) -> bool:
    """Whether a transformation draws anything, so that a search needs random states of its own."""
    return not all(isinstance(part, STEADY) for part in parts_of(transformation))


def _ranking(search: Search) -> Generator[Ask, Any, tuple[list[int], bool]]:
    """Words in the order of their importance, as far as the query budget goes."""
    method, indices = search.made.search_method, search.words_to_change(search.original)
    word = HIDDEN[method.wir_method](method)
    hidden = [search.original.with_word(index, word) for index in indices]
    inputs = [columns[0] if len(columns) == 1 else columns for columns in hidden]
    answers, over = yield from search.answers(inputs)
    scores = np.array([answer.score for answer in answers], dtype=np.float32)
    # Not a stable sort, but of the same numbers in the same type: TextAttack's order to the last.
    return np.array(indices, dtype=int)[(-scores).argsort()].tolist(), over


def _most_similar(tried: list[tuple[Answer, Candidate]]) -> tuple[Answer, Candidate]:
    """Of the leading candidates that fool the victim, the one that the encoder finds nearest."""
    best, similarity = tried[0], -float("inf")
    for answer, candidate in tried:
        if not answer.wrong or candidate.similarity is None:
            break
        if candidate.similarity > similarity:
            best, similarity = (answer, candidate), candidate.similarity
    return best
