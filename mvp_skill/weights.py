"""Named weights of a module: as safetensors on disk, as a fingerprint, back into a module."""

import hashlib
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor, nn

from mvp_skill.errors import BadInput
from mvp_skill.files import write_atomically


def weights_of(module: nn.Module) -> dict[str, Tensor]:
    """All parameters that train, by name, detached but not copied; tied ones are there once."""
    named = module.named_parameters()
    return {name: parameter.detach() for name, parameter in named if parameter.requires_grad}


def frozen_weights(module: nn.Module) -> dict[str, Tensor]:
    """The other parameters: those of the backbone of a prompt-tuned model."""
    named = module.named_parameters()
    return {name: parameter.detach() for name, parameter in named if not parameter.requires_grad}


def copy_of(tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    """The same tensors in memory of their own."""
    return {name: tensor.clone() for name, tensor in tensors.items()}


def set_weights(module: nn.Module, tensors: dict[str, Tensor], source: str) -> None:
    """Copy tensors into the parameters of the same names; ties between parameters stay.

    raises   BadInput naming `source` unless names and shapes are exactly those of the module
    """
    weights = weights_of(module)
    shapes = {name: tuple(tensor.shape) for name, tensor in tensors.items()}
    different = {name: tuple(w.shape) for name, w in weights.items()}.items() ^ shapes.items()
    if different:
        raise BadInput(
            f"{source} does not hold the weights of this model (different: "
            f"{sorted({name for name, _ in different})[:3]}); it is damaged or belongs to another "
            "model: delete it and train again."
        )
    for name, weight in weights.items():
        weight.copy_(tensors[name])


def write_tensors(path: Path, tensors: dict[str, Tensor], metadata: dict[str, str]) -> None:
    """Write a safetensors file atomically; `metadata` goes into its header."""
    on_cpu = {name: tensor.cpu().contiguous() for name, tensor in tensors.items()}
    write_atomically(path, save(on_cpu, metadata={"format": "pt"} | metadata))


def read_tensors(path: Path) -> tuple[dict[str, Tensor], dict[str, str]]:
    """Tensors and header of a safetensors file; BadInput if it is missing or damaged."""
    try:
        with safe_open(path, framework="pt") as file:
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
            return tensors, file.metadata() or {}
    except (OSError, SafetensorError) as error:
        raise BadInput(
            f"{path} is not a complete safetensors file ({error}); delete its folder and run again."
        ) from error


def fingerprint(tensors: dict[str, Tensor]) -> str:
    """sha256 over names, types, shapes and values, in the order of the names."""
    digest = hashlib.sha256()
    for name in sorted(tensors):
        tensor = tensors[name].detach().cpu().contiguous()
        digest.update(f"{name} {tensor.dtype} {tuple(tensor.shape)}\n".encode())
        digest.update(tensor.reshape(-1).view(torch.uint8).numpy())
    return digest.hexdigest()
