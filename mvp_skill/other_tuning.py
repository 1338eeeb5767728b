"""Two other ways to train few parameters: BitFit (the biases) and adapters (small new layers).

    bare = without_prompt(prompted)            # the same backbone, reading, label words
    tuned = bitfit(bare)                       # only biases train
    tuned = with_adapters(bare, seed=0)        # only adapters train
    train(tuned, data, config)                 # by the same loop as soft prompts

Both models are copies; the backbone that soft prompts share is never changed. They read the text
as a prompt-tuned model does, without the soft prompt, and are read by the same label words:

    RoBERTa   <mask> <s> text </s>    at position 0
    T5        text                    at the decoder's first step

So what trains is the only difference. (Wang et al.'s code reads BitFit and adapter models at `<s>`,
also without any prompt; `<s>` has never been a gap in pretraining.)

Source: BitFit, Ben Zaken et al. 2022; adapters, Pfeiffer et al. 2021; both beside prompts, Wang et
al. 2022.
"""

import copy
from dataclasses import asdict, fields, replace
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from mvp_skill import __version__
from mvp_skill.backbones import load_backbone
from mvp_skill.checks import check_count
from mvp_skill.errors import BadInput
from mvp_skill.files import read_json, write_json
from mvp_skill.prompt_tuning import BACKBONE_KINDS, kind_of
from mvp_skill.prompted import Prompted, PromptSettings
from mvp_skill.seeding import derived_seed
from mvp_skill.weights import read_tensors, set_weights, weights_of, write_tensors

METHODS = {"roberta": ("bitfit", "adapter"), "t5": ("adapter",)}
"""Kind to what it can be tuned by. T5 has no biases to train."""
REDUCTION = 16
"""How many times narrower than the model an adapter is (Pfeiffer et al.: 768 / 16 = 48)."""
NO_PROMPT = {"roberta": 1, "t5": 0}
"""Positions before the text: RoBERTa's mask, which the class is read from, stays."""
ADAPTER_SD = 0.02
TUNED_FILE, WEIGHTS_FILE = "tuned.json", "tuned.safetensors"


class Adapter(nn.Module):
    """x + up(relu(down(x))), d_model -> bottleneck -> d_model; the identity before it is trained.

    The way up starts at 0, so that training starts from the pretrained model.
    """

    def __init__(self, d_model: int, bottleneck: int, seed: int) -> None:
        super().__init__()
        with torch.random.fork_rng(devices=[]):  # what is drawn here is thrown away
            self.down, self.up = nn.Linear(d_model, bottleneck), nn.Linear(bottleneck, d_model)
        generator = torch.Generator().manual_seed(seed)
        with torch.no_grad():
            self.down.weight.normal_(0, ADAPTER_SD, generator=generator)
            for zero in (self.down.bias, self.up.weight, self.up.bias):
                zero.zero_()

    def forward(self, states: Tensor) -> Tensor:
        """[batch, position, d_model] -> the same."""
        return states + self.up(F.relu(self.down(states)))


def own_copy(prompted: Prompted) -> Prompted:
    """The same model with weights of its own; it shares the tokenizer, which never changes."""
    tokenizer = prompted.tokenizer
    return copy.deepcopy(prompted, {id(tokenizer): tokenizer})


def without_prompt(prompted: Prompted) -> Prompted:
    """The untuned model without a soft prompt; it shares the backbone, and nothing trains."""
    settings = replace(
        prompted.settings, method="untuned", n_prompt=NO_PROMPT[prompted.config.model_type]
    )
    bare = _bare(prompted.backbone, prompted.tokenizer, settings)
    return bare.to(prompted.word_ids.device).eval()


def bitfit(prompted: Prompted) -> Prompted:
    """A copy whose biases train, and nothing else: all of the language model's, its head's too.

    raises   BadInput for a model without biases (T5), or with a soft prompt that trains
    """
    if prompted.config.model_type not in [kind for kind in METHODS if "bitfit" in METHODS[kind]]:
        raise BadInput("BitFit trains biases, and T5 has none; use adapters for it.")
    tuned = _frozen_copy(prompted, "bitfit")
    for name, weights in tuned.backbone.named_parameters():
        weights.requires_grad_(name.endswith("bias"))
    return tuned


def with_adapters(prompted: Prompted, reduction: int = REDUCTION, seed: int = 0) -> Prompted:
    """A copy with an adapter after each feed-forward network (of T5's encoder and decoder).

    It reads what the network gives out, before the residual connection and the layer norm.
    (Pfeiffer et al. let it add to the sum of both; there are a dozen such variants.) Nothing but
    the adapters trains, and before training they change nothing.

        reduction   how many times narrower than the model they are
        seed        of their first weights
        raises      BadInput for no width left, or a soft prompt that trains
    """
    check_count("reduction", reduction, 1)
    d_model = prompted.config.hidden_size
    if reduction > d_model:
        raise BadInput(f"reduction must be at most the model's width {d_model}, not {reduction}.")
    tuned = _frozen_copy(prompted, "adapter")
    for number, network in enumerate(_ffn_layers(tuned)):
        adapter = Adapter(d_model, d_model // reduction, derived_seed(seed, "adapter", number))
        network.dropout = nn.Sequential(network.dropout, adapter.to(tuned.word_ids.device))
    return tuned.train(prompted.training)


def save_tuned(tuned: Prompted, folder: str | Path) -> None:
    """Write what was trained, and settings; `tuned.json` is written last."""
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / TUNED_FILE).unlink(missing_ok=True)
    write_tensors(folder / WEIGHTS_FILE, weights_of(tuned), {})
    write_json(folder / TUNED_FILE, {"version": __version__, "settings": asdict(tuned.settings)})


def load_tuned(folder: str | Path) -> Prompted:
    """The model that `save_tuned` wrote; its backbone is loaded by the name it had then.

    raises   BadInput if the folder holds no complete one, or its backbone is not to be had
    """
    path = Path(folder) / TUNED_FILE
    if not path.exists():
        raise BadInput(f"{folder} holds no tuned model ({TUNED_FILE} is missing); train it.")
    stored = read_json(path).get("settings", {})
    if set(stored) != {field.name for field in fields(PromptSettings)}:
        raise BadInput(
            f"{path} was not written by this version of mvp_skill; delete {folder} and train again."
        )
    lists = {name: tuple(value) for name, value in stored.items() if isinstance(value, list)}
    settings = PromptSettings(**stored | lists)
    kind = BACKBONE_KINDS[kind_of(settings.backbone)][0]
    bare = _bare(*load_backbone(settings.backbone, kind), settings)
    tensors, _ = read_tensors(Path(folder) / WEIGHTS_FILE)
    tuned = bitfit(bare) if settings.method == "bitfit" else _like(bare, tensors)
    set_weights(tuned, tensors, str(Path(folder) / WEIGHTS_FILE))
    return tuned.to("cuda" if torch.cuda.is_available() else "cpu").eval()


def _like(bare: Prompted, tensors: dict[str, Tensor]) -> Prompted:
    """With adapters as narrow as stored ones."""
    widths = [len(weights) for name, weights in tensors.items() if name.endswith("down.weight")]
    reduction = bare.config.hidden_size // min(widths, default=1)
    return with_adapters(bare, reduction)


def _bare(backbone: nn.Module, tokenizer: Any, settings: PromptSettings) -> Prompted:
    kind = backbone.config.model_type
    table = torch.zeros(settings.n_prompt, backbone.config.hidden_size)
    bare = BACKBONE_KINDS[kind][1](backbone.float(), tokenizer, settings, table)
    bare.soft_prompt.requires_grad_(False)  # RoBERTa's row 0 is never read, T5 has none
    return bare


def _frozen_copy(prompted: Prompted, method: str) -> Prompted:
    if prompted.soft_prompt.requires_grad:
        raise BadInput(
            f"{method} is to train without a soft prompt; give without_prompt(prompted)."
        )
    tuned = own_copy(prompted)
    tuned.settings = replace(prompted.settings, method=method)
    return tuned


def _ffn_layers(prompted: Prompted) -> list[nn.Module]:
    """The modules whose `dropout` is the last thing before the residual connection."""
    model = prompted.backbone
    if prompted.config.model_type == "roberta":
        return [layer.output for layer in model.roberta.encoder.layer]
    return [block.layer[-1] for stack in (model.encoder, model.decoder) for block in stack.block]
