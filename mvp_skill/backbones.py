"""Backbones: pretrained models by shipped name, local folder or hub id, checked before loading.

Checkpoints from elsewhere are not trusted: safetensors, or PyTorch files read with weights only,
never a plain pickle; and a truncated file is found from its header, before a model is built.
"""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from mvp_skill.errors import BadInput
from mvp_skill.hub import hub_folder, is_hub_id

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

_WEIGHTS = Path(__file__).parent / "mini" / "weights"
SHIPPED = {f"mini-{kind}": _WEIGHTS / kind for kind in ("roberta", "bert", "gpt2", "t5")}
KINDS = {
    "masked_lm": "AutoModelForMaskedLM",
    "seq2seq": "AutoModelForSeq2SeqLM",
    "causal_lm": "AutoModelForCausalLM",
}
DROPOUTS = {  # architecture: settings of its config.json that are probabilities
    "roberta": ("hidden_dropout_prob", "attention_probs_dropout_prob"),
    "bert": ("hidden_dropout_prob", "attention_probs_dropout_prob"),
    "gpt2": ("resid_pdrop", "embd_pdrop", "attn_pdrop"),
    "t5": ("dropout_rate",),
}
_LOCAL = {"local_files_only": True, "trust_remote_code": False}
_TOKENIZER_FILES = ("tokenizer.json", "vocab.json", "vocab.txt", "spiece.model")


def load_backbone(
    name_or_folder: str | Path, kind: str = "masked_lm", dropout: float | None = None
) -> "tuple[PreTrainedModel, PreTrainedTokenizerBase]":
    """A pretrained model, in float32 and evaluation mode, and its tokenizer.

    model, tokenizer = load_backbone("mini-roberta", "masked_lm")
    model, tokenizer = load_backbone("/data/t5-base", "seq2seq")

    kind      one of KINDS
    dropout   its probability in training; None for what config.json says
    raises    BadInput for an unknown kind, a missing, truncated or unsuitable checkpoint, a
              hub out of reach
    """
    folder = _folder_for(name_or_folder, kind)
    import transformers  # after the checks, because it takes seconds

    with _said_as_bad_input(folder, kind):
        tokenizer = transformers.AutoTokenizer.from_pretrained(folder, **_LOCAL)
        model, loading = getattr(transformers, KINDS[kind]).from_pretrained(
            folder,
            use_safetensors=bool(_weight_files(folder)),
            dtype="float32",  # transformers 5 would otherwise take the file's own precision
            output_loading_info=True,
            **_attention(name_or_folder),
            **_dropout(name_or_folder, dropout),
            **_LOCAL,
        )
    _check_nothing_is_random(folder, kind, loading)
    return model.eval(), tokenizer


def untrained_backbone(
    name_or_folder: str | Path, kind: str, seed: int
) -> "tuple[PreTrainedModel, PreTrainedTokenizerBase]":
    """A model with the backbone's configuration and random weights, and the backbone's tokenizer.

    The weights are drawn as the library does before pretraining; the seed alone decides them.

        kind      one of KINDS
        raises    BadInput as `load_backbone`
    """
    folder = _folder_for(name_or_folder, kind)
    import torch
    import transformers

    with _said_as_bad_input(folder, kind), torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        tokenizer = transformers.AutoTokenizer.from_pretrained(folder, **_LOCAL)
        config = transformers.AutoConfig.from_pretrained(folder, **_LOCAL)
        model = getattr(transformers, KINDS[kind]).from_config(
            config, dtype=torch.float32, **_attention(name_or_folder)
        )
    return model.eval(), tokenizer


def _attention(name_or_folder: str | Path) -> dict[str, str]:
    """Fused attention, unless the model is so small that it slows training down on a CPU."""
    return {"attn_implementation": "eager"} if str(name_or_folder) in SHIPPED else {}


def _dropout(name_or_folder: str | Path, probability: float | None) -> dict[str, float]:
    if probability is None:
        return {}
    return dict.fromkeys(DROPOUTS[model_type_of(name_or_folder)], probability)


def model_type_of(name_or_folder: str | Path) -> str:
    """The library's name for the architecture of a backbone, such as "roberta".

    raises   BadInput as `backbone_folder`, or if config.json does not say it
    """
    path = backbone_folder(name_or_folder) / "config.json"
    try:
        return str(json.loads(path.read_text(encoding="utf-8"))["model_type"])
    except (ValueError, KeyError, TypeError) as error:
        raise BadInput(
            f"{path} does not say which model_type it is of ({error}); copy or download it again."
        ) from error


def backbone_folder(name_or_folder: str | Path) -> Path:
    """The folder of a backbone, its files checked: shipped, local, or fetched from the hub.

    A hub id may name a commit or branch: "roberta-base@main".

    raises   BadInput if it does not exist, is incomplete, or a weight file is truncated
    """
    name = str(name_or_folder)
    if name in SHIPPED:
        folder = SHIPPED[name]
    elif name and Path(name).expanduser().is_dir():
        folder = Path(name).expanduser()
    else:
        folder = _from_hub(name)
    if missing := _missing(folder):
        remedy = "install the package again" if name in SHIPPED else "copy all of its files"
        raise BadInput(f"Backbone {name!r} is incomplete: {folder} has no {missing}; {remedy}.")
    for path in _weight_files(folder):
        check_safetensors(path)
    return folder


def check_safetensors(path: str | Path) -> None:
    """Compare the length of a safetensors file with what its header announces.

    The layout is: header length (8 bytes, little-endian), header (JSON, offsets of every tensor),
    tensors. Source: safetensors format description.

    raises   BadInput if the file is missing, truncated, too long, or something else
    """
    path = Path(path)
    if not path.is_file():
        raise BadInput(f"{path} does not exist; the checkpoint is incomplete, copy it again.")
    found = path.stat().st_size
    with path.open("rb") as file:
        start = file.read(8)
        if start.startswith(b"version "):
            raise BadInput(f"{path} is a Git LFS pointer, not the weights; run git lfs pull.")
        header_length = int.from_bytes(start, "little")
        if len(start) < 8 or header_length > 100_000_000:  # the format's own limit
            raise BadInput(
                f"{path} ({found} bytes) is not a safetensors file; copy or download it again."
            )
        if found < 8 + header_length:
            raise BadInput(
                f"{path} is truncated inside its header, at {found} bytes; copy or download it "
                "again."
            )
        expected = 8 + header_length + _tensor_bytes(path, file.read(header_length))
    if found != expected:
        state = "truncated" if found < expected else "damaged"
        raise BadInput(
            f"{path} is {state}: {found} bytes instead of {expected}; copy or download it again."
        )


def _tensor_bytes(path: Path, header: bytes) -> int:
    try:
        tensors = json.loads(header).items()
        ends = [tensor["data_offsets"][1] for name, tensor in tensors if name != "__metadata__"]
        return max(ends, default=0)
    except (ValueError, KeyError, TypeError, IndexError, AttributeError) as error:
        raise BadInput(
            f"{path} has a damaged safetensors header ({error}); copy or download it again."
        ) from error


def _folder_for(name_or_folder: str | Path, kind: str) -> Path:
    if kind not in KINDS:
        raise BadInput(f"Unknown kind of backbone {kind!r}; use {', '.join(KINDS)}.")
    return backbone_folder(name_or_folder)


@contextmanager
def _said_as_bad_input(folder: Path, kind: str) -> Iterator[None]:
    """Whatever goes wrong in loading is said in one sentence: the first line of the cause."""
    try:
        yield
    except Exception as error:  # the libraries raise anything from OSError to AttributeError
        cause = str(error).strip().split("\n")[0]
        raise BadInput(f"Backbone {folder} cannot be loaded as {kind} ({cause}).") from error


def _from_hub(name: str) -> Path:
    if not is_hub_id(name) or name.startswith("mini-"):
        raise BadInput(
            f"Unknown backbone {name!r}: no such folder; use {', '.join(SHIPPED)}, a folder with "
            "a checkpoint, or a hub id such as roberta-base."
        )
    repository, _, revision = name.partition("@")
    patterns = ["*.json", "*.txt", "*.model", "*.safetensors"]
    folder = hub_folder(repository, revision or None, patterns, _is_complete)
    if _is_complete(folder):
        return folder
    return hub_folder(repository, revision or None, [*patterns[:3], "*.bin"], _is_complete)


def _missing(folder: Path) -> str | None:
    """What a folder lacks to be a checkpoint, in words."""
    if not (folder / "config.json").is_file():
        return "config.json"
    if not (_weight_files(folder) or (folder / "pytorch_model.bin").is_file()):
        return "model.safetensors"
    if not any((folder / name).is_file() for name in _TOKENIZER_FILES):
        return f"tokenizer ({' or '.join(_TOKENIZER_FILES)})"
    return None


def _is_complete(folder: Path) -> bool:
    return _missing(folder) is None


def _weight_files(folder: Path) -> list[Path]:
    """The safetensors files of a checkpoint: one, or the shards that its index names."""
    index = folder / "model.safetensors.index.json"
    if not index.is_file():
        return [path for path in (folder / "model.safetensors",) if path.is_file()]
    try:
        shards = sorted(set(json.loads(index.read_text(encoding="utf-8"))["weight_map"].values()))
    except (ValueError, KeyError, AttributeError) as error:
        raise BadInput(f"{index} is damaged ({error}); copy or download it again.") from error
    return [folder / shard for shard in shards]


def _check_nothing_is_random(folder: Path, kind: str, loading: dict) -> None:
    """Refuse a model with weights that the checkpoint does not have: the library invents them."""
    invented = sorted(map(str, [*loading["missing_keys"], *loading["mismatched_keys"]]))
    if invented:
        raise BadInput(
            f"Backbone {folder} has no weights for {invented[0]} ({len(invented)} missing in all), "
            f"so it cannot be used as {kind}; choose a checkpoint pretrained for that."
        )
