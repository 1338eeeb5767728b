"""Reading words at the masks: equal to the whole model's logits there, and to the victim's own."""

import pytest
import torch

from mvp_skill.errors import BadInput
from mvp_skill.prompts import Verbalizer, pool_templates, pool_words
from mvp_skill.victims import build_victim
from mvp_skill.zero_shot import (
    TEXTS_AT_ONCE,
    random_verbalizers,
    read_words,
    readable,
    share_right,
)

TEXTS = [f"the film was {word} and not {word}" for word in ("great", "bad", "just so odd")]


@pytest.fixture(scope="module")
def victim(tiny_backbone):
    return build_victim("mvp", tiny_backbone, "sst2")  # four templates


def test_words_read_at_the_masks_are_the_whole_models_logits_there(victim):
    ids = [9, 300, 17, 40, 5]
    scores = read_words(victim, TEXTS, ids)
    assert scores.shape == (3, 4, 5) and not scores.requires_grad
    for index, text in enumerate(TEXTS):  # one row at a time, so without padding
        rows = victim.collate(victim.encode([text]))
        for template in range(4):
            length = int(rows.attention_mask[template].sum())
            row = rows.input_ids[template : template + 1, :length]
            with torch.no_grad():
                logits = victim.backbone(row.to(victim.backbone.device)).logits[0].cpu()
            expected = logits[rows.mask_position[0, template], ids]
            torch.testing.assert_close(scores[index, template], expected, atol=1e-4, rtol=1e-4)


def test_pooled_they_are_the_logits_of_the_victim(victim):
    texts = [f"a {'very ' * (n % 7)}good film" for n in range(TEXTS_AT_ONCE + 3)]
    victim.train()  # dropout must not reach the answer
    scores = read_words(victim, texts, victim.word_ids)
    pooled = pool_templates(pool_words(scores, victim.word_class))
    assert victim.training
    victim.eval()
    torch.testing.assert_close(pooled, victim(texts), atol=1e-4, rtol=1e-4)


def test_share_right_is_accuracy():
    scores = torch.tensor([[0.1, 0.9, 0.0], [0.2, 0.1, 0.3], [5.0, 4.0, 3.0]])
    assert share_right(scores, [1, 0, 0]) == pytest.approx(2 / 3)


def test_random_verbalizers_have_one_known_word_per_class_and_repeat_with_their_seed(victim):
    texts = ["great film , unputdownable story", "the door is not very right 42"]
    drawn = random_verbalizers(victim.tokenizer, texts, 3, 50, seed=1)
    words = {word for verbalizer in drawn for word in verbalizer.words}
    assert words == set("great film story the door is not very right".split())
    assert all(len(verbalizer.token_ids(victim.tokenizer)) == 3 for verbalizer in drawn)
    assert drawn == random_verbalizers(victim.tokenizer, texts, 3, 50, seed=1)
    assert drawn != random_verbalizers(victim.tokenizer, texts, 3, 50, seed=2)
    with pytest.raises(BadInput, match="Only 2 words .* 3 classes"):
        random_verbalizers(victim.tokenizer, ["great film unputdownable"], 3, 1, seed=1)


def test_readable_leaves_out_lists_with_words_of_several_tokens(victim):
    lists = {
        "default": Verbalizer((("bad",), ("great",))),
        "several": Verbalizer((("bad", "unputdownable"), ("great",))),
        "other": Verbalizer((("no",), ("yes", "true"))),
    }
    assert list(readable(lists, victim.tokenizer)) == ["default", "other"]
