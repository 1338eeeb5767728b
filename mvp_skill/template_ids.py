"""Templates as token ids, computed once per victim.

A masked language model reads the label word at the template's mask. One that reads from left to
right (GPT-2) has no mask token: its template ends where the mask would be, and the word is read as
the next one, at the last token. So its templates are appended, and nothing follows their mask.
"""

from typing import Any, NamedTuple

import numpy as np

from mvp_skill.errors import BadInput
from mvp_skill.prompts import MASK, TEXT, Template

EMPTY = np.empty(0, dtype=np.int64)


class TemplateIds(NamedTuple):
    """One template as token ids; the bare text of MLP-FT is the template without ids."""

    ids: np.ndarray
    front: bool
    spaced: bool
    """Whether a space stands between a front template and the text."""
    mask_offset: int
    """Index in `ids` where the label word is read: the mask, or the last token if there is none."""


NO_TEMPLATE = TemplateIds(EMPTY, False, False, -1)


def template_ids(template: Template, tokenizer: Any) -> TemplateIds:
    """A template as token ids; BadInput if the tokenizer cannot express it."""
    if tokenizer.mask_token_id is None:
        return _ids_before_the_mask(template, tokenizer)
    ids = template.token_ids(tokenizer)
    spaced = template.front and template.body[-1:].isspace()
    space = tokenizer.encode(" ", add_special_tokens=False)
    if template.front and ids[:1] == space:
        ids = ids[1:]  # nothing stands before it that it could run into
    if spaced and ids[-1:] == space:
        ids = ids[:-1]  # the space goes to the first word of the text
    offset = ids.index(tokenizer.mask_token_id)
    return TemplateIds(np.array(ids, dtype=np.int64), template.front, spaced, offset)


def check_appended(template: Template) -> None:
    """BadInput unless a template stands after the text and ends with its mask."""
    if template.front or template.body.partition(MASK)[2].strip():
        raise BadInput(
            f"Template {template.pattern!r} does not suit a backbone without a mask token (GPT-2): "
            f"{TEXT} has to come first and {MASK} last; choose another template variant."
        )


def _ids_before_the_mask(template: Template, tokenizer: Any) -> TemplateIds:
    """The words up to the mask, the first one with a space before it; none at all for "[MASK]"."""
    check_appended(template)
    words = template.body.partition(MASK)[0].strip()
    text = f" {words}" if words else ""
    ids = tokenizer.encode(text, add_special_tokens=False, split_special_tokens=True)
    return TemplateIds(np.array(ids, dtype=np.int64), False, False, len(ids) - 1)
