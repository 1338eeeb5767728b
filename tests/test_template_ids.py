"""Templates for a model that reads from left to right. (Those with a mask: test_insertion.py.)"""

import pytest
from transformers import AutoTokenizer

from mvp_skill.errors import BadInput
from mvp_skill.prompts import Template, prompts_for
from mvp_skill.template_ids import check_appended, template_ids


@pytest.fixture(scope="module")
def gpt2(tiny_gpt2):
    return AutoTokenizer.from_pretrained(tiny_gpt2)


@pytest.mark.parametrize(
    ("pattern", "tokens"),
    [
        ("{text} overall it was [MASK]", ["Ġoverall", "Ġit", "Ġwas"]),
        ("{text}it was [MASK] ", ["Ġit", "Ġwas"]),  # it must not run into the text
        ("{text}overall it was[MASK]", ["Ġoverall", "Ġit", "Ġwas"]),
        ("{text}[MASK]", []),
        ("{text} [MASK] ", []),  # the space belongs to the word that is read
    ],
)
def test_pitfall_12_a_template_ends_where_the_mask_would_be(gpt2, pattern, tokens):
    found = template_ids(Template(pattern), gpt2)
    assert gpt2.convert_ids_to_tokens(found.ids) == tokens
    assert found.ids.dtype == "int64"
    assert (found.front, found.spaced, found.mask_offset) == (False, False, len(tokens) - 1)


def test_pitfall_24_a_special_token_in_a_template_is_plain_text(gpt2):
    found = template_ids(Template("{text} <|endoftext|> it was [MASK]"), gpt2)
    assert gpt2.eos_token_id not in found.ids
    assert gpt2.decode(found.ids) == " <|endoftext|> it was"


@pytest.mark.parametrize(
    "pattern", ["it was [MASK] {text}", "{text} it was [MASK].", "{text}[MASK] film"]
)
def test_templates_in_front_or_with_words_after_the_mask_are_refused(gpt2, pattern):
    for refuse in (check_appended, lambda template: template_ids(template, gpt2)):
        with pytest.raises(BadInput, match="does not suit a backbone without a mask.*another temp"):
            refuse(Template(pattern))


@pytest.mark.parametrize("task", ["ag_news", "boolq"])
def test_the_papers_templates_for_gpt2_suit_it(gpt2, task):
    templates, _ = prompts_for(task, "gpt2")
    assert [template_ids(t, gpt2).mask_offset >= -1 for t in templates] == [True] * 4
