"""Soft prompts and archives made here, for the tests of what reads them."""

import io
import zipfile
from pathlib import Path

import torch

from mvp_skill.soft_prompts import PromptFacts, SoftPrompt


def soft_prompt(
    task: str = "sst2",
    seed: int | None = 33,
    kind: str = "roberta",
    size: tuple[int, int] = (5, 7),
    table: torch.Tensor | None = None,
    **facts: object,
) -> SoftPrompt:
    """A soft prompt of random numbers, another one for each task and seed."""
    if table is None:
        generator = torch.Generator().manual_seed(sum(f"{task}{seed}{kind}".encode()))
        table = torch.randn(size, generator=generator)
    given = {"backbone": f"tiny-{kind}", "source": "ackermann"} | facts
    known = PromptFacts(task=task, kind=kind, n_prompt=len(table), seed=seed, **given)
    return SoftPrompt(table, known)


def released_table(number: float = 0.0, d_model: int = 768) -> torch.Tensor:
    """A table as large as the released ones, [100, d_model]."""
    generator = torch.Generator().manual_seed(3)
    return torch.randn(100, d_model, generator=generator) + number


def checkpoint(table: torch.Tensor, epoch: int, steps: int) -> dict:
    """What a released EPOCH_task_prompt.pkl holds."""
    moments = {"step": steps, "exp_avg": table * 0.1, "exp_avg_sq": table**2}
    groups = [{"lr": 1e-3, "betas": (0.9, 0.999), "eps": 1e-6, "params": [0], "correct": True}]
    optimizer = {"state": {0: moments}, "param_groups": groups}
    return {
        "model": table,
        "optimizer_name": "adamw",
        "optimizer": optimizer,
        "trained_epoch": epoch,
        "global_step": steps,
    }


def rewritten(path: Path, **changed: bytes | None) -> Path:
    """Write an archive again with members replaced (by "data.pkl" as data_pkl), or left out."""
    new = {name.replace("_", ".", 1): content for name, content in changed.items()}
    with zipfile.ZipFile(path) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    folder = next(iter(members)).split("/")[0]
    members |= {f"{folder}/{name}": content for name, content in new.items()}
    copy = io.BytesIO()
    with zipfile.ZipFile(copy, "w") as archive:
        for name, content in members.items():
            if content is not None:
                archive.writestr(name, content)
    path.write_bytes(copy.getvalue())
    return path
