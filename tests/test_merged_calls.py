"""What searches ask models together: batches, caches, and a memory that is too small."""

import pytest
import torch
from attack_cases import BagOfWords, CountingEncoder
from victim_cases import tiny_victim

from mvp_skill import merged_calls
from mvp_skill.merged_calls import EncoderCalls, MaskedLMCalls, VictimCalls
from mvp_skill.mlp_ft import MLPFT
from mvp_skill.token_budgets import TokenBudget

TEXTS = [
    *("a gripping film", "tedious", "the plot was good and the cast was better than that", "bad"),
    *("good " * n for n in (3, 7, 19)),
]


def test_logits_of_a_plain_function_in_parts_and_in_the_order_asked(monkeypatch):
    monkeypatch.setattr(merged_calls, "TEXTS_AT_ONCE", 3)
    victim, texts = BagOfWords(), [f"good {'bad ' * i}" for i in range(7)]
    logits = VictimCalls(victim)(texts)
    wanted = BagOfWords()(texts)
    assert torch.equal(logits, wanted - wanted.amax(dim=1, keepdim=True))
    assert victim.asked == texts


@pytest.mark.parametrize("method", ["mlp_ft", "mvp"])
@pytest.mark.parametrize("n_tokens", [1, 70, 4096])
def test_logits_of_a_victim_of_ours_do_not_depend_on_the_batches(tiny_backbone, method, n_tokens):
    victim = tiny_victim(method, tiny_backbone)
    calls = VictimCalls(victim)
    calls.budget = TokenBudget((n_tokens,))
    wanted = torch.cat([victim([text]) for text in TEXTS])
    torch.testing.assert_close(
        calls(TEXTS), wanted - wanted.amax(dim=1, keepdim=True), atol=1e-5, rtol=0
    )


def test_a_batch_that_does_not_fit_is_halved_until_it_does(tiny_backbone, monkeypatch):
    victim = tiny_victim("mlp_ft", tiny_backbone)
    calls, logits, tried = VictimCalls(victim), victim.logits, []
    wanted = calls(TEXTS)
    calls.budget = TokenBudget((64, 4096))

    def small(rows):
        tried.append(rows.input_ids.numel())
        if tried[-1] > 40:
            raise torch.OutOfMemoryError("no room")
        return logits(rows)

    monkeypatch.setattr(victim, "logits", small)
    torch.testing.assert_close(calls(TEXTS), wanted, atol=1e-5, rtol=0)
    assert max(tried) > 40 and calls.budget.chosen <= 64
    monkeypatch.setattr(
        victim, "logits", lambda rows: (_ for _ in ()).throw(torch.OutOfMemoryError)
    )
    with pytest.raises(torch.OutOfMemoryError):
        calls(TEXTS)


def test_a_victim_with_a_forward_of_its_own_is_called(tiny_backbone):
    class Turned(MLPFT):
        def forward(self, texts):
            return -super().forward(texts)

    plain = tiny_victim("mlp_ft", tiny_backbone)
    wanted = VictimCalls(lambda texts: -plain(texts))(TEXTS)
    turned = tiny_victim("mlp_ft", tiny_backbone)
    turned.__class__ = Turned
    assert torch.equal(VictimCalls(turned)(TEXTS), wanted)
    handle = plain.register_forward_hook(lambda module, given, logits: -logits)
    assert torch.equal(VictimCalls(plain)(TEXTS), wanted)
    handle.remove()


def test_vectors_that_are_kept_do_not_keep_the_others():
    calls = EncoderCalls(CountingEncoder())
    calls([str(i) for i in range(100)])
    assert {v.untyped_storage().nbytes() for v in calls.vectors.values()} == {2 * 4}


def test_sentences_are_encoded_once_and_the_latest_are_kept(monkeypatch):
    monkeypatch.setattr(merged_calls, "SENTENCES", 3)
    encoder = CountingEncoder(far=("b",))
    calls = EncoderCalls(encoder)
    assert calls(["a", "b"]).tolist() == [[1, 0], [0, 1]]
    assert calls(["b", "c", "a"]).tolist() == [[0, 1], [1, 0], [1, 0]]
    assert encoder.asked == ["a", "b", "c"]
    assert calls(["d", "b"]).tolist() == [[1, 0], [0, 1]]  # c is the oldest now
    assert calls(["a", "c"]).tolist() == [[1, 0], [1, 0]]
    assert encoder.asked == ["a", "b", "c", "d", "c"]
    assert len(calls.vectors) == 3
    assert calls([str(i) for i in range(9)]).shape == (9, 2)  # more than are kept
    assert len(calls.vectors) == 3


def test_a_masked_language_model_reads_together():
    class Reader:
        def read(self, texts, k):
            self.asked = texts, k

    reader = Reader()
    found = MaskedLMCalls(reader, 8)(["a film", "a plot"])
    assert reader.asked == (["a film", "a plot"], 8) and found[[1]].shape == (1, 0)
