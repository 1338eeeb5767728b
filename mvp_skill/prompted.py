"""Prompt tuning: a frozen language model reads trainable vectors before the text.

    prompted = build_prompted("mini-roberta", "mini_films", n_prompt=16)   # prompt_tuning
    prompted(["a gripping film", "tedious"])         # logits [batch, class]

A prompt-tuned model has the parts of a victim (`victims`), so it is trained, evaluated and attacked
by the same code. Only `soft_prompt` [prompt, d_model] trains; the backbone never changes.

Source: Su et al. 2022 (NAACL), whose code Ackermann and Ohmer 2023 tuned their prompts with.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from mvp_skill.masked_lm import only_at, word_scores
from mvp_skill.prediction import predict
from mvp_skill.prompt_formats import PromptFormat, PromptRecord


@dataclass(frozen=True)
class PromptSettings:
    """Everything that a prompt-tuned model is, beside its weights; stored with the soft prompt."""

    backbone: str
    task: str
    label_names: tuple[str, ...]
    n_columns: int
    label_words: tuple[str, ...]
    """One per class."""
    word_ids: tuple[int, ...]
    """The token that stands for each label word."""
    n_prompt: int
    """Positions before the text. RoBERTa's first is the mask, so one vector fewer is trained."""
    max_text: int
    """Tokens of text that a row has room for, beside special tokens."""
    init: str = "normal"
    dropout: float | None = None
    """Of the backbone in training; None: what its files say."""
    seed: int = 0
    method: str = "prompt_tuning"
    templates: tuple[str, ...] = ()
    """None: this is what tells a soft prompt from a template."""


class PromptRows(NamedTuple):
    """What the encoder reads after the soft prompt, right-padded; both tensors are integers."""

    input_ids: Tensor
    """[batch, token]"""
    attention_mask: Tensor
    """[batch, position]: 1 for the soft prompt and tokens, 0 for padding"""

    def to(self, device: torch.device | str) -> "PromptRows":
        """The same rows on another device."""
        return PromptRows(*(tensor.to(device, non_blocking=True) for tensor in self))


def format_of(tokenizer: Any, settings: PromptSettings, kind: str) -> PromptFormat:
    """How the texts of a model's task become token ids."""
    return PromptFormat(
        tokenizer, kind, settings.task, settings.max_text, n_prompt=settings.n_prompt
    )


def padded_rows(records: Sequence[PromptRecord], n_prompt: int, pad_id: int) -> PromptRows:
    """Records as rows of one length, the longest."""
    lengths = np.array([record.length for record in records])
    filled = np.arange(lengths.max()) < lengths[:, None]  # [batch, token]
    input_ids = np.full(filled.shape, pad_id)
    input_ids[filled] = np.concatenate([record.ids for record in records])
    prompt = np.ones((len(records), n_prompt), dtype=np.int64)
    attention = np.concatenate([prompt, filled.astype(np.int64)], axis=1)  # [batch, position]
    return PromptRows(torch.from_numpy(input_ids), torch.from_numpy(attention))


class PromptedRoberta(nn.Module):
    """RoBERTa behind a soft prompt, read by its own head at position 0.

        position 0            the embedding of <mask>; row 0 of the table is never read
        position 1 … P-1      rows 1 … P-1 of `soft_prompt`, without position embeddings
        position P …          <s> text </s>, with the position embeddings after the prompt's: the
                              first P ids are counted but not used, so <s> has P + 2
        logits                scores of the label words at position 0

    Dropout, where there is any, works inside the layers in training, but not on the embeddings.
    """

    def __init__(
        self, backbone: nn.Module, tokenizer: Any, settings: PromptSettings, initial: Tensor
    ) -> None:
        super().__init__()
        self.settings, self.tokenizer, self.config = settings, tokenizer, backbone.config
        self.insertion = format_of(tokenizer, settings, "masked_lm")
        self.backbone = backbone.requires_grad_(False)
        self.backbone.roberta.embeddings.dropout.p = 0.0
        self.soft_prompt = nn.Parameter(initial)
        self.register_buffer("word_ids", torch.tensor(settings.word_ids), persistent=False)

    @property
    def ffn(self) -> list[nn.Module]:
        """Of each layer the module that reads the neurons, [batch, position, neuron]."""
        return [layer.output.dense for layer in self.backbone.roberta.encoder.layer]

    @property
    def last_reader(self) -> nn.Module:
        """Behind it every position, up to the last neurons, depends on itself alone."""
        return self.backbone.roberta.encoder.layer[-1].attention.output

    def up_to_neurons(self, layer: int) -> list[nn.Module]:
        """Modules whose outputs depend on no neuron of that layer (from 0) or of those after it."""
        layers = self.backbone.roberta.encoder.layer
        return [*layers[:layer], layers[layer].attention, layers[layer].intermediate]

    def encode(self, texts: Sequence[str] | Sequence[tuple[str, str]]) -> list[PromptRecord]:
        """Token ids of texts or pairs."""
        return self.insertion.encode(texts)

    def collate(
        self, records: Sequence[PromptRecord], generator: np.random.Generator | None = None
    ) -> PromptRows:
        """Rows [batch, token]; nothing about them is random."""
        return padded_rows(records, self.settings.n_prompt, self.tokenizer.pad_token_id)

    def embedded(self, rows: PromptRows) -> dict[str, Tensor]:
        """What the encoder is given: vectors [batch, position, d_model] and their positions."""
        embeddings = self.backbone.roberta.embeddings
        n_prompt, first = self.settings.n_prompt, embeddings.padding_idx + 1
        places = torch.arange(rows.attention_mask.shape[1], device=rows.input_ids.device) + first
        unused = embeddings.position_embeddings(places[:n_prompt])  # [prompt, d_model]
        mask = embeddings.word_embeddings.weight[[self.tokenizer.mask_token_id]]
        prompt = torch.cat([mask, self.soft_prompt[1:]]) - unused  # [prompt, d_model]
        text = embeddings.word_embeddings(rows.input_ids)  # [batch, token, d_model]
        return {
            "inputs_embeds": torch.cat([prompt.expand(len(text), -1, -1), text], dim=1),
            "position_ids": places.expand(len(text), -1),
            "attention_mask": rows.attention_mask,
        }

    def logits(self, rows: PromptRows) -> Tensor:
        """Logits [batch, class]; the last FFN is computed at position 0 only, unless looked at."""
        last = self.backbone.roberta.encoder.layer[-1]
        if any(module._forward_hooks or module._forward_pre_hooks for module in last.modules()):
            states = self.backbone.roberta(**self.embedded(rows)).last_hidden_state
            return word_scores(self.backbone, states[:, 0], self.word_ids)
        return self.label_logits(rows)

    def label_logits(self, rows: PromptRows) -> Tensor:
        """The same, and whoever looks at the last FFN sees position 0 only."""
        row = torch.arange(len(rows.input_ids), device=rows.input_ids.device)
        with only_at(self.last_reader, row, torch.zeros_like(row)):
            states = self.backbone.roberta(**self.embedded(rows)).last_hidden_state
        return word_scores(self.backbone, states[:, 0], self.word_ids)  # [batch, class]

    def forward(self, texts: Sequence[str] | Sequence[tuple[str, str]]) -> Tensor:
        """Logits of texts, [batch, class]; see `predict`."""
        return predict(self, texts)


class PromptedT5(nn.Module):
    """T5 behind a soft prompt on its encoder; the class is read at the decoder's first step.

        position 0 … P-1      rows 0 … P-1 of `soft_prompt`
        position P …          the text
        logits                scores of the label words' first pieces at the first decoder step

    Padding is never attended to. (The authors' training attends to it, their evaluation does not.)
    """

    def __init__(
        self, backbone: nn.Module, tokenizer: Any, settings: PromptSettings, initial: Tensor
    ) -> None:
        super().__init__()
        self.settings, self.tokenizer, self.config = settings, tokenizer, backbone.config
        self.insertion = format_of(tokenizer, settings, "seq2seq")
        self.backbone = backbone.requires_grad_(False)
        self.soft_prompt = nn.Parameter(initial)
        self.register_buffer("word_ids", torch.tensor(settings.word_ids), persistent=False)

    @property
    def ffn(self) -> list[nn.Module]:
        """Of each encoder layer the module that reads the neurons, [batch, position, neuron]."""
        return [block.layer[-1].DenseReluDense.wo for block in self.backbone.encoder.block]

    @property
    def last_reader(self) -> nn.Module:
        """Behind it every position, up to the last neurons, depends on itself alone."""
        return self.backbone.encoder.block[-1].layer[-1]

    def up_to_neurons(self, layer: int) -> list[nn.Module]:
        """Modules whose outputs depend on no neuron of that layer (from 0) or of those after it."""
        blocks = self.backbone.encoder.block
        attention, reading = blocks[layer].layer[0], blocks[layer].layer[-1].DenseReluDense
        into = [module for name, module in reading.named_children() if name.startswith("wi")]
        return [*blocks[:layer], attention, *into]

    @property
    def decoder_ffn(self) -> list[nn.Module]:
        """The same of the decoder, whose only position is its first."""
        return [block.layer[-1].DenseReluDense.wo for block in self.backbone.decoder.block]

    def encode(self, texts: Sequence[str] | Sequence[tuple[str, str]]) -> list[PromptRecord]:
        """Token ids of texts or pairs."""
        return self.insertion.encode(texts)

    def collate(
        self, records: Sequence[PromptRecord], generator: np.random.Generator | None = None
    ) -> PromptRows:
        """Rows [batch, token]; nothing about them is random."""
        return padded_rows(records, self.settings.n_prompt, self.tokenizer.pad_token_id)

    def first_step(self, rows: PromptRows) -> Tensor:
        """The decoder's first state, ready for the output embeddings, [batch, d_model]."""
        model = self.backbone
        text = model.get_input_embeddings()(rows.input_ids)  # [batch, token, d_model]
        read = model.encoder(
            inputs_embeds=torch.cat([self.soft_prompt.expand(len(text), -1, -1), text], dim=1),
            attention_mask=rows.attention_mask,
        ).last_hidden_state  # [batch, position, d_model]
        start = rows.input_ids.new_full((len(text), 1), self.config.decoder_start_token_id)
        states = model.decoder(
            input_ids=start,
            encoder_hidden_states=read,
            encoder_attention_mask=rows.attention_mask,
            use_cache=False,
        ).last_hidden_state[:, 0]
        return states * self.config.d_model**-0.5 if self.config.tie_word_embeddings else states

    def logits(self, rows: PromptRows) -> Tensor:
        """Logits [batch, class]."""
        words = F.embedding(self.word_ids, self.backbone.lm_head.weight)  # [class, d_model]
        return F.linear(self.first_step(rows), words)  # [batch, class]

    label_logits = logits  # the decoder reads every position of the last layer

    def vocabulary_logits(self, rows: PromptRows) -> Tensor:
        """Scores of all words, [batch, vocab]: what the authors' loss compares."""
        return self.backbone.lm_head(self.first_step(rows))

    def forward(self, texts: Sequence[str] | Sequence[tuple[str, str]]) -> Tensor:
        """Logits of texts, [batch, class]; see `predict`."""
        return predict(self, texts)


Prompted = PromptedRoberta | PromptedT5
