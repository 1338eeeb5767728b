"""Where a soft prompt starts from: random numbers, words of the vocabulary, or another prompt.

A seed alone decides what is drawn. The soft prompts of two tasks that start from the same table may
stay alike for that reason alone, so `build_prompted` parts them with `derived_seed(seed, task)`.
"""

from collections.abc import Sequence

import torch
from torch import Tensor

from mvp_skill.errors import BadInput
from mvp_skill.seeding import derived_seed
from mvp_skill.soft_prompts import SoftPrompt

# RoBERTa's own initializer_range, and the default of an embedding table: Su et al. 2022's code.
STANDARD_DEVIATION = {"roberta": 0.02, "t5": 1.0}


def normal_start(kind: str, n_prompt: int, d_model: int, seed: int) -> Tensor:
    """Independent normal numbers around 0 with STANDARD_DEVIATION[kind], [prompt, d_model].

    raises   BadInput for a kind that has none
    """
    if kind not in STANDARD_DEVIATION:
        raise BadInput(f"Unknown kind {kind!r}; use {', '.join(STANDARD_DEVIATION)}.")
    return STANDARD_DEVIATION[kind] * torch.randn(n_prompt, d_model, generator=_generator(seed))


def vocabulary_start(
    embeddings: Tensor, word_ids: Sequence[int], n_prompt: int, seed: int
) -> Tensor:
    """Embeddings of words drawn without replacement, [prompt, d_model] (Lester et al. 2021).

    embeddings   of the backbone's words, [vocab, d_model]
    word_ids     those that may be drawn: no special tokens
    raises       BadInput for fewer words than rows, or an id outside the vocabulary
    """
    ids = torch.as_tensor(list(word_ids), dtype=torch.long)
    if len(ids) < n_prompt or len(ids.unique()) < len(ids):
        raise BadInput(
            f"{n_prompt} rows need as many different words to start from, not {len(ids.unique())}."
        )
    if ids.min() < 0 or ids.max() >= len(embeddings):
        raise BadInput(f"Word ids must lie in 0 to {len(embeddings) - 1}.")
    order = torch.randperm(len(ids), generator=_generator(seed))[:n_prompt]  # [prompt]
    return embeddings.detach()[ids[order].to(embeddings.device)].float().cpu()  # [prompt, d_model]


def prompt_start(prompt: SoftPrompt, kind: str, n_prompt: int, d_model: int) -> Tensor:
    """The table of another soft prompt, in memory of its own, [prompt, d_model].

    raises   BadInput if it is of another kind or size
    """
    found = (prompt.facts.kind, *prompt.table.shape)
    if found != (kind, n_prompt, d_model):
        raise BadInput(
            f"The soft prompt {prompt.facts.name} (kind, prompt, d_model: {found}) cannot start "
            f"one that is {(kind, n_prompt, d_model)}; take one tuned for the same backbone."
        )
    return prompt.table.detach().clone()


def _generator(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(derived_seed(seed, "soft prompt"))
