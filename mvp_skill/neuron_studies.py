"""Neuron scores of an experiment: each is computed once, stored, and found again.

    neurons = NeuronStudy(PromptStudy(run.parameters))
    scores = neurons.scores("roberta", "mini_films", seed=0)              # on the ranking half
    pred = neurons.predictivity("roberta", "mini_films")                  # [layer, neuron]
    pred = neurons.predictivity("roberta", "mini_films", on="mini_adv_films", part="all")

The test split of a task is cut in halves: neurons are ranked on one and suppressed on the other.
(The released code does both on the same examples, on which epochs were chosen, too.) Where an
adversarial set says what its texts were made from, they are cut as their originals are. Scores lie
in `OUT/neurons`, whatever notebook asked for them first.
"""

import hashlib
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

import torch
from filelock import FileLock
from torch import Tensor, nn

from mvp_skill.checks import check_choice
from mvp_skill.decoder_neurons import DecoderNeurons
from mvp_skill.errors import BadInput
from mvp_skill.evaluation import Split, is_right, split_digest
from mvp_skill.neuron_counts import BaselineActivation, baseline_activation, count_firings
from mvp_skill.neuron_scores import (
    FORMAT,
    NeuronScores,
    load_scores,
    load_thresholds,
    neuron_scores,
    save_scores,
    save_thresholds,
)
from mvp_skill.neurons import aggregate_scores
from mvp_skill.originals import originals
from mvp_skill.prompt_studies import PromptStudy
from mvp_skill.prompted import Prompted
from mvp_skill.subsamples import halves, part_of
from mvp_skill.subtasks import Subtask, counts_of
from mvp_skill.task_types import clean_task

PARTS = ("ranking", "measuring", "all", "apart")
"""Of a test split: the half that neurons are ranked on, the half to test them on, both, and what
has nothing to do with the clean half that neurons are ranked on."""
STACKS = ("encoder", "decoder")
OWN = "own"


class _Asked(NamedTuple):
    """What scores are of: all but the records of the split."""

    kind: str
    task: str
    seed: int | str
    data: str
    source: str
    positions: str
    stack: str
    subtask: Subtask | None


class NeuronStudy:
    """Thresholds, scores and halves for the soft prompts of a study."""

    def __init__(self, prompts: PromptStudy):
        self.prompts = prompts
        self.scale = prompts.scale
        self.folder = Path(prompts.parameters["OUT"]) / "neurons"
        self._thresholds: dict[tuple, BaselineActivation] = {}
        self._parts: dict[tuple[str, str, str], Split] = {}

    def part(self, prompted: Prompted, data: str, part: str = "measuring") -> Split:
        """A part of the test split of a task or adversarial set, as a model reads it.

        An adversarial text is in the half that its original is in; if the set does not say what it
        was made from, halves are random, and "apart" is all of it.

        raises   BadInput for a part that is not one of PARTS, or a set without texts apart
        """
        check_choice("part", part, PARTS)
        key = prompted.config.model_type, data, part
        whole = self.prompts.split(prompted, data)  # encoded once; refuses another task's model
        if key not in self._parts:
            named = zip(PARTS, self._cut(prompted, data, whole), strict=True)
            self._parts |= {(*key[:2], name): found for name, found in named}
        return self._parts[key]

    def from_ranking(self, prompted: Prompted, data: str) -> Tensor:
        """Which texts of an adversarial set were made from texts that rank neurons, bool [batch].

        None of them where the set does not say what it was made from.

        raises   BadInput if all were
        """
        texts = originals(data, self.prompts.data(data)["test"]["texts"][:])
        if texts is None:
            return torch.zeros(len(self.prompts.split(prompted, data).labels), dtype=torch.bool)
        ranking = self.part(prompted, clean_task(data), "ranking").records
        ranked = {record.ids.tobytes() for record in ranking}
        found = [record.ids.tobytes() in ranked for record in prompted.encode(texts)]
        if all(found):
            raise BadInput(f"All of {data} was made from texts that rank neurons; raise N_TEST.")
        return torch.tensor(found)

    def _cut(self, prompted: Prompted, data: str, whole: Split) -> tuple[Split, ...]:
        """The PARTS of a split."""
        is_clean = clean_task(data) == data
        if not is_clean and (ranked := self.from_ranking(prompted, data)).any():
            ranking, measuring = part_of(whole, ranked), part_of(whole, ~ranked)
            return ranking, measuring, whole, measuring
        ranking, measuring = halves(whole, seed=0)
        return ranking, measuring, whole, measuring if is_clean else whole

    def right(self, prompted: Prompted, data: str, part: str = "measuring") -> Tensor:
        """Whether a model has each example of a part right, bool [batch]."""
        return is_right(prompted, self.part(prompted, data, part))

    def right_of(
        self,
        kind: str,
        task: str,
        seed: int | str,
        data: str | None = None,
        part: str = "measuring",
    ) -> Tensor:
        """The same of the model behind a soft prompt, from `PromptStudy.right_of`: stored."""
        prompted = self.prompts.start(kind, task)
        records = self.prompts.split(prompted, data or task).records
        place = {id(record): number for number, record in enumerate(records)}
        chosen = [place[id(record)] for record in self.part(prompted, data or task, part).records]
        return self.prompts.right_of(kind, task, seed, data)[chosen]

    def thresholds(
        self,
        kind: str,
        task: str,
        seed: int | str,
        positions: str = "prompt",
        stack: str = "encoder",
    ) -> BaselineActivation:
        """Baseline activations on the first N_THRESHOLD training examples."""
        key = kind, task, seed, positions, stack
        if key not in self._thresholds:
            read = split_digest(self._threshold_split(kind, task))
            made_of = self.prompts.key(kind, task, seed), read, positions, stack, FORMAT
            path = self.folder / f"{kind}-{task}-s{seed}-thresholds-{_digest(*made_of)}.safetensors"
            self.folder.mkdir(parents=True, exist_ok=True)
            with FileLock(path.with_suffix(".lock")):
                if not path.exists():
                    save_thresholds(path, self._new_thresholds(*key))
            self._thresholds[key] = load_thresholds(path)
        return self._thresholds[key]

    def _new_thresholds(
        self, kind: str, task: str, seed: int | str, positions: str, stack: str
    ) -> BaselineActivation:
        model = self.prompts.prompted(kind, task, seed)
        records = self._threshold_split(kind, task).records
        return baseline_activation(_stack_of(model, stack), records, positions=positions)

    def _threshold_split(self, kind: str, task: str) -> Split:
        whole = self.prompts.split(self.prompts.start(kind, task), task, "train")
        return Split(*(part[: self.scale.n_threshold] for part in whole))

    def scores(
        self,
        kind: str,
        task: str,
        seed: int | str,
        *,
        on: str | None = None,
        part: str = "ranking",
        source: str = "clean-train",
        positions: str = "prompt",
        stack: str = "encoder",
        subtask: Subtask | None = None,
    ) -> NeuronScores:
        """Scores of the neurons behind one soft prompt.

        on          data to score on: the task itself, or its adversarial set
        part        one of PARTS
        source      of the thresholds: "clean-train", or "own", the data that is scored
        positions   one of `activations.POSITIONS`
        stack       "encoder", or of T5 also "decoder", which has one position
        subtask     two sides of a task of several classes; needed for three or more
        raises      BadInput for positions of a text in the decoder, or three classes and no subtask
        """
        if stack == "decoder" and positions != "prompt":
            raise BadInput(f"The decoder reads no text, so it has no positions {positions!r}.")
        split = self.part(self.prompts.prompted(kind, task, seed), on or task, part)
        data = f"{on or task}-{part}"
        asked = _Asked(kind, task, seed, data, source, positions, stack, subtask)
        path = self._path(asked, split)
        self.folder.mkdir(parents=True, exist_ok=True)
        with FileLock(path.with_suffix(".lock")):  # another notebook may want the same
            if not path.exists():
                record = {"kind": kind, "task": task, "seed": seed, "data": data, "stack": stack}
                save_scores(path, self._made(asked, split), record)
        return load_scores(path)[0]

    def predictivity(self, kind: str, task: str, *, balanced: bool = False, **which) -> Tensor:
        """Pred(l, f): at the best prompt position of each seed, mean over seeds, [layer, neuron].

        balanced   by balanced accuracy
        which      `on`, `part`, `source`, `positions`, `stack` and `subtask` of `scores`
        """
        field = "balanced" if balanced else "predictivity"
        return aggregate_scores(getattr(scores, field) for scores in self._all(kind, task, which))

    def null(self, kind: str, task: str, *, balanced: bool = False, **which) -> Tensor:
        """The same for permuted labels: mean over seeds, [permutation, layer, neuron]."""
        field = "null_balanced" if balanced else "null"
        return aggregate_scores(getattr(scores, field) for scores in self._all(kind, task, which))

    def _all(self, kind: str, task: str, which: dict) -> Iterable[NeuronScores]:
        return (self.scores(kind, task, seed, **which) for seed in self.scale.seeds)

    def _path(self, asked: _Asked, split: Split) -> Path:
        """A name of all that the scores depend on."""
        kind, task, seed, data, source, positions, stack, subtask = asked
        made_of = (self.prompts.key(kind, task, seed), source, positions, stack)
        made_of += (split_digest(split), self.scale.n_threshold, self.scale.n_permutations)
        name = f"{kind}-{task}-s{seed}-{data}-{_digest(*made_of, subtask, FORMAT)}.safetensors"
        return self.folder / name

    def _made(self, asked: _Asked, split: Split) -> NeuronScores:
        kind, task, seed, _, source, positions, stack, subtask = asked
        model = _stack_of(self.prompts.prompted(kind, task, seed), stack)
        if source == OWN:
            least = baseline_activation(model, split.records, positions=positions, source=OWN)
        else:
            least = self.thresholds(kind, task, seed, positions, stack)
        counts = count_firings(model, split, least, n_permutations=self.scale.n_permutations)
        return neuron_scores(counts if subtask is None else counts_of(counts, subtask))


def _digest(*made_of: object) -> str:
    return hashlib.sha256(repr(made_of).encode()).hexdigest()[:8]


def _stack_of(prompted: Prompted, stack: str) -> nn.Module:
    check_choice("stack", stack, STACKS)
    return prompted if stack == "encoder" else DecoderNeurons(prompted)
