"""Pretrains a mini language model; a killed run continues from its last checkpoint.

Everything random depends on the seed and the number of the step, so a resumed run is the run that
was not interrupted.
"""

import copy
import json
import math
import time
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import asdict
from pathlib import Path

import torch
from torch import nn
from tqdm.auto import tqdm
from transformers import AutoTokenizer, PreTrainedTokenizerBase

from mvp_skill.backbones import DROPOUTS, backbone_folder, load_backbone
from mvp_skill.errors import BadInput
from mvp_skill.files import write_atomically
from mvp_skill.mini.curriculum import CURRICULA
from mvp_skill.mini.language_models import PretrainConfig, build_model, build_tokenizer
from mvp_skill.mini.objectives import OBJECTIVES
from mvp_skill.mini.reading import MiniCorpus, Reader, TextFiles
from mvp_skill.seeding import derived_seed
from mvp_skill.train_config import has_bf16
from mvp_skill.weights import read_tensors, set_weights, weights_of, write_tensors

CHECKPOINT = "pretraining.safetensors"
REPORT_EVERY = 250  # steps
BACKBONE_KINDS = {
    "roberta": "masked_lm",
    "bert": "masked_lm",
    "gpt2": "causal_lm",
    "t5": "seq2seq",
}
STOCK_DROPOUT = 0.1

# (model, tokenizer) -> named numbers, asked for at every checkpoint
Measure = Callable[[nn.Module, PreTrainedTokenizerBase], dict[str, float]]


def learning_rate_share(step: int, config: PretrainConfig) -> float:
    """Linear warm-up, the full rate up to step `held_until`, then a cosine to zero."""
    warmup = max(1, int(config.warmup_share * config.steps))
    if step < warmup:
        return (step + 1) / warmup
    start = max(warmup, config.held_until)
    return 0.5 * (1 + math.cos(math.pi * max(0, step - start) / max(1, config.steps - start)))


def step_sizes(model: nn.Module, config: PretrainConfig) -> dict[str, float]:
    """Largest learning rate of each parameter.

    T5's weights start at very different sizes, its embeddings at one: they are made for steps that
    are relative to the size (Adafactor's, with which it was pretrained), at least a thousandth.
    """
    if config.kind != "t5":
        return {name: config.learning_rate for name, _ in model.named_parameters()}
    sizes = {n: p.detach().square().mean().sqrt().item() for n, p in model.named_parameters()}
    return {name: config.learning_rate * max(size, 1e-3) for name, size in sizes.items()}


def optimiser_for(model: nn.Module, config: PretrainConfig) -> torch.optim.AdamW:
    """AdamW; biases and layer norms do not decay. Each group keeps its largest rate as `peak`."""
    sizes = step_sizes(model, config)
    groups: dict[tuple[float, float], list[nn.Parameter]] = {}
    for name, parameter in model.named_parameters():
        decay = config.weight_decay if parameter.ndim > 1 else 0.0
        groups.setdefault((sizes[name], decay), []).append(parameter)
    return torch.optim.AdamW(
        [{"params": p, "lr": lr, "peak": lr, "weight_decay": d} for (lr, d), p in groups.items()],
        betas=(0.9, 0.98),
        fused=True,
    )


def half_precision(device: torch.device, wanted: bool) -> AbstractContextManager:
    """bfloat16 autocast if it is wanted and the hardware has it, else nothing."""
    able = wanted and has_bf16(device)
    return torch.autocast(device.type, torch.bfloat16) if able else nullcontext()


def first_model(config: PretrainConfig, vocabulary: int) -> nn.Module:
    """The model at step 0: fresh, or with the weights of the model in `config.start`.

    raises   BadInput if that is no complete checkpoint, or of another kind or size
    """
    model = build_model(config, vocabulary)
    if config.start:
        before, _ = load_backbone(config.start, BACKBONE_KINDS[config.kind])
        with torch.no_grad():
            set_weights(model, weights_of(before), config.start)
    return model


class Pretraining:
    """A model, its optimiser and its loss curve on the way from step to step."""

    def __init__(self, config: PretrainConfig, folder: Path, files: list[Path]):
        self.config, self.folder = config, folder
        self.source = (
            TextFiles(files) if files else MiniCorpus(config.seed, CURRICULA[config.curriculum])
        )
        self.tokenizer = self.stored_tokenizer()
        self.device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
        self.model = first_model(config, len(self.tokenizer)).to(self.device)
        self.optimiser = optimiser_for(self.model, config)
        self.objective = OBJECTIVES[config.kind](self.tokenizer)
        self.reader = Reader(self.source, self.tokenizer, config.batch_size, config.seed)
        self.step, self.seconds = 0, 0.0
        self.curve: list[dict[str, float]] = []
        self.resume()

    def stored_tokenizer(self) -> PreTrainedTokenizerBase:
        """The tokenizer in the folder if it was made with this config, else a new one, stored.

        A model that goes on from another keeps its tokenizer.
        """
        record = self.folder / "pretraining.json"
        wanted = json.dumps(asdict(self.config), sort_keys=True)
        if record.exists():
            if record.read_text(encoding="utf-8") != wanted:
                raise BadInput(
                    f"{self.folder} holds a pretraining with other settings; "
                    "give another folder or delete it."
                )
            return AutoTokenizer.from_pretrained(self.folder)
        self.folder.mkdir(parents=True, exist_ok=True)
        if self.config.start:
            tokenizer = AutoTokenizer.from_pretrained(backbone_folder(self.config.start))
        else:
            lines = self.source.documents(0, self.config.tokenizer_documents)
            tokenizer = build_tokenizer(self.config, lines)
        tokenizer.save_pretrained(self.folder)
        write_atomically(record, wanted)
        return tokenizer

    def train_step(self) -> torch.Tensor:
        """One step; the loss stays on the device."""
        share = learning_rate_share(self.step, self.config)
        for group in self.optimiser.param_groups:
            group["lr"] = group["peak"] * share
        torch.manual_seed(derived_seed(self.config.seed, "dropout", self.step))
        with half_precision(self.device, self.config.bfloat16):
            rows = self.reader.batch(self.step)
            hidden = derived_seed(self.config.seed, "hidden tokens", self.step)
            loss = self.objective(self.model, rows, hidden)
        loss.backward()
        nn.utils.clip_grad_norm_(self.model.parameters(), self.config.clip)
        self.optimiser.step()
        self.optimiser.zero_grad(set_to_none=True)
        self.step += 1
        return loss.detach()

    def write_checkpoint(self) -> None:
        """Store everything that a restart needs, atomically."""
        tensors = {f"weights/{name}": value for name, value in weights_of(self.model).items()}
        for index, moments in self.optimiser.state_dict()["state"].items():
            tensors |= {f"optimiser/{index}/{name}": value for name, value in moments.items()}
        position = {"step": self.step, "seconds": self.seconds, "curve": self.curve}
        write_tensors(self.folder / CHECKPOINT, tensors, {"position": json.dumps(position)})

    def resume(self) -> None:
        """Continue from the checkpoint in the folder, if there is one."""
        path = self.folder / CHECKPOINT
        if not path.exists():
            return
        tensors, header = read_tensors(path)
        weights = {n[len("weights/") :]: t for n, t in tensors.items() if n.startswith("weights/")}
        with torch.no_grad():
            set_weights(self.model, weights, str(path))
        state: dict[int, dict] = {}
        for name, value in tensors.items():
            kind, _, rest = name.partition("/")
            if kind == "optimiser":
                index, _, moment = rest.partition("/")
                state.setdefault(int(index), {})[moment] = value
        self.optimiser.load_state_dict(self.optimiser.state_dict() | {"state": state})
        for name, value in json.loads(header["position"]).items():
            setattr(self, name, value)

    def report(self, loss: torch.Tensor, measure: Measure | None) -> None:
        """Add a row to the loss curve; with `measure`, its numbers too."""
        row = {"step": self.step, "loss": loss.item(), "seconds": self.seconds}
        if measure:
            self.model.eval()
            row |= measure(self.model, self.tokenizer)
            self.model.train()
        self.curve.append(row)


def pretrain(
    config: PretrainConfig,
    folder: Path,
    *,
    files: list[Path] | None = None,
    measure: Measure | None = None,
    measure_every: int = 1000,
    progress: bool = True,
) -> Pretraining:
    """Pretrain a mini model in `folder`, or go on with the pretraining that stands there.

    files          plain text to read in place of the mini world's corpus, a text a line
    measure        computed every `measure_every` steps, its numbers join the loss curve
    returns        the finished pretraining: .model, .tokenizer, .curve
    raises         BadInput for a folder with other settings or unreadable files
    """
    run = Pretraining(config, Path(folder), [Path(file) for file in files or []])
    run.model.train()
    bar = tqdm(total=config.steps, initial=run.step, disable=not progress, desc=config.kind)
    started, before = time.monotonic(), run.seconds
    total, n_losses = torch.zeros((), device=run.device), 0
    while run.step < config.steps:
        total, n_losses = total + run.train_step(), n_losses + 1
        bar.update()
        due = run.step % measure_every == 0 or run.step == config.steps
        if run.step % REPORT_EVERY == 0 or due:
            run.seconds = before + time.monotonic() - started
            run.report(total / n_losses, measure if due else None)
            bar.set_postfix({name: f"{value:.3f}" for name, value in run.curve[-1].items()
                             if name not in ("step", "seconds")})  # fmt: skip
            total, n_losses = torch.zeros((), device=run.device), 0
        if due:
            run.write_checkpoint()
    bar.close()
    run.model.eval()
    return run


def save_model(run: Pretraining, folder: Path) -> None:
    """Store model (half precision, safetensors) and tokenizer as transformers reads them.

    The stored config has the stock dropout: a model pretrained without it is fine-tuned with it.
    """
    stored = copy.deepcopy(run.model).half()
    for name in DROPOUTS[run.config.kind]:
        setattr(stored.config, name, STOCK_DROPOUT)
    stored.save_pretrained(folder)
    run.tokenizer.save_pretrained(folder)
