"""TextAttack's constraints, decided by words where words are enough, so before a text is written.

Every check here says what the constraint it stands for says; a candidate that is not one word for
one word, and a constraint that has no check, go to TextAttack itself.
"""

import math
from collections.abc import Callable, Generator
from functools import lru_cache
from typing import Any, NamedTuple

import torch

from mvp_skill.attack_constraints import EncoderSimilarity, LexiconPartOfSpeech
from mvp_skill.attack_texts import Candidate, PlacedText
from mvp_skill.tagging import tag_of
from mvp_skill.textattack_import import textattack

ta = textattack()
NEAR = 1e-5  # two ways to compute a cosine differ by less

Check = Callable[[Candidate, PlacedText], bool]
"""(candidate, text to compare with) -> whether the constraint holds."""


class Ask(NamedTuple):
    """What a search wants to know before it goes on."""

    of: str
    """"victim", "encoder" or "masked_lm"."""
    items: list
    """Each once."""


def checks_of(constraints: list) -> list[tuple[Any, Check | None]]:
    """The constraints in their order, each with its check by words if there is one for it."""
    return [
        (c, MAKERS[type(c)](c) if type(c) in MAKERS and _covered(c) else None) for c in constraints
    ]


def _covered(constraint: Any) -> bool:
    """Whether the check of its class is written for the settings of a constraint."""
    if isinstance(constraint, ta.constraints.semantics.WordEmbeddingDistance):
        return bool(constraint.min_cos_sim) and isinstance(
            constraint.embedding, ta.shared.WordEmbedding
        )
    if isinstance(constraint, ta.constraints.grammaticality.PartOfSpeech):
        settings = constraint.tagger_type, constraint.tagset, constraint.language_nltk
        return settings == ("nltk", "universal", "eng")
    return True


def kept(
    checks: list[tuple[Any, Check | None]],
    candidates: list[Candidate],
    current: PlacedText,
    original: PlacedText,
) -> Generator[Ask, Any, list[Candidate]]:
    """The candidates that satisfy all constraints, sorted by text as TextAttack sorts them."""
    for constraint, check in checks:
        if not candidates:
            break
        reference = original if constraint.compare_against_original else current
        if isinstance(constraint, EncoderSimilarity):
            candidates = yield from _similar(constraint, candidates, reference)
        else:
            candidates = [c for c in candidates if _holds(constraint, check, c, reference)]
    return sorted(candidates, key=lambda candidate: candidate.text)


def _holds(
    constraint: Any, check: Check | None, candidate: Candidate, reference: PlacedText
) -> bool:
    if check is not None and candidate.plain:
        return check(candidate, reference)
    return bool(constraint.call_many([candidate.attacked], reference.attacked))


def _limit(constraint: Any) -> Check:
    """MaxWordsPerturbed: as many words differ, by number, as are allowed."""

    @lru_cache(maxsize=1)
    def others(current: PlacedText, reference: PlacedText) -> tuple[set[int], float]:
        n_words = min(len(current.words), len(reference.words))
        different = {i for i in range(n_words) if current.words[i] != reference.words[i]}
        limits = [constraint.max_num_words] if constraint.max_num_words else []
        if constraint.max_percent:
            limits.append(math.ceil(n_words * constraint.max_percent))
        return different, min(limits, default=math.inf)

    def check(candidate: Candidate, reference: PlacedText) -> bool:
        different, limit = others(candidate.before, reference)
        index, words = candidate.index, reference.words
        changed = index < len(words) and candidate.word != words[index]
        return len(different - {index}) + changed <= limit

    return check


def _cosine(constraint: Any) -> Check:
    """WordEmbeddingDistance: the cosine of the new word and the one it stands for."""
    embedding = constraint.embedding
    known = embedding._word2index

    @lru_cache(maxsize=2**12)
    def neighbours(word_id: int) -> dict[int, float]:
        ids = embedding.nn_matrix[word_id]
        vectors = torch.as_tensor(embedding.embedding_matrix[ids])
        own = torch.as_tensor(embedding.embedding_matrix[word_id])[None]
        return dict(zip(ids.tolist(), torch.cosine_similarity(own, vectors).tolist(), strict=True))

    def check(candidate: Candidate, reference: PlacedText) -> bool:
        if candidate.index >= len(reference.words):
            return False
        pair = reference.words[candidate.index], candidate.word
        pair = pair if constraint.cased else tuple(word.lower() for word in pair)
        if not all(word in known for word in pair):
            return constraint.include_unknown_words
        old, new = (known[word] for word in pair)
        cosine = neighbours(old).get(new)
        if cosine is None or abs(cosine - constraint.min_cos_sim) < NEAR:
            cosine = embedding.get_cos_sim(old, new)  # to the last bit
        return cosine >= constraint.min_cos_sim

    return check


def _lexicon(constraint: Any) -> Check:
    """LexiconPartOfSpeech: both words have a tag in common."""
    fit = lru_cache(maxsize=2**16)(constraint._fit)
    return lambda candidate, reference: fit(reference.words[candidate.index], candidate.word)


def _tagged(constraint: Any) -> Check:
    """PartOfSpeech with NLTK's tagger: the tags of both words among the words around them."""

    def check(candidate: Candidate, reference: PlacedText) -> bool:
        words, index = reference.words, candidate.index
        before, after = tuple(words[max(index - 4, 0) : index]), tuple(words[index + 1 : index + 4])
        old, new = (tag_of(before, word, after) for word in (words[index], candidate.word))
        return constraint._can_replace_pos(old, new)

    return check


MAKERS: dict[type, Callable[[Any], Check]] = {
    ta.constraints.overlap.MaxWordsPerturbed: _limit,
    ta.constraints.semantics.WordEmbeddingDistance: _cosine,
    ta.constraints.grammaticality.PartOfSpeech: _tagged,
    LexiconPartOfSpeech: _lexicon,
}


def _similar(
    constraint: EncoderSimilarity, candidates: list[Candidate], reference: PlacedText
) -> Generator[Ask, Any, list[Candidate]]:
    """The candidates that mean what the reference means; texts below the window pass unread."""
    size, found = constraint.window_size, []
    for candidate in candidates:
        candidate.similarity = 1.0
        if not (constraint.skip_text_shorter_than_window and n_words(candidate) < size):
            found.append((candidate, *windows(candidate, reference, size)))
    if not found:
        return candidates
    sentences = list(dict.fromkeys(window for _, *pair in found for window in pair))
    vectors = yield Ask("encoder", sentences)  # [sentence, d]
    row = {sentence: i for i, sentence in enumerate(sentences)}
    before, after = (vectors[[row[entry[side]] for entry in found]] for side in (1, 2))
    scores = constraint.sim_metric(before, after)  # [candidate]
    held = (scores >= constraint.threshold).tolist()
    for (candidate, *_), score in zip(found, scores.tolist(), strict=True):
        candidate.similarity = score
    rejected = {id(entry[0]) for entry, holds in zip(found, held, strict=True) if not holds}
    return [candidate for candidate in candidates if id(candidate) not in rejected]


def n_words(candidate: Candidate) -> int:
    """Words of a candidate."""
    return len(candidate.before.words) if candidate.plain else len(candidate.attacked.words)


def windows(candidate: Candidate, reference: PlacedText, size: float) -> tuple[str, str]:
    """The words around the change, in the reference and in the candidate."""
    if candidate.plain:
        own = candidate.before.window(candidate.index, size, candidate.word)
        return reference.window(candidate.index, size), own
    index = next(iter(candidate.attacked.attack_attrs["newly_modified_indices"]))
    own = candidate.attacked.text_window_around_index(index, size)
    return reference.window(index, size), own
