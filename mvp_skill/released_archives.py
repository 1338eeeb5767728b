"""PyTorch archives from elsewhere, read without running anything that is in them.

    found = read_archive("seed_33/SST2PromptRoberta/task_prompt")
    found.table           # [prompt, d_model]
    found.epoch           # None for a bare table, known for a training checkpoint

A `.pkl` or `.pt` file is a zip with a small pickle program, which may call any function it names,
and with the numbers. `torch.load(weights_only=True)` refuses most programs. Before it is asked, we
list the program (`pickletools` only reads) and allow the four names that the released soft prompts
need, and no other. It is then given an archive that we wrote from the checked bytes, so that a zip
which two readers understand differently gains nothing.

Ackermann & Ohmer 2023 released two kinds of files: a bare table, and a dictionary with the table in
`model`, the optimiser's state, `trained_epoch` and `global_step`.
"""

import hashlib
import io
import pickletools
import re
import zipfile
from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch import Tensor

from mvp_skill.errors import BadInput

MOST_BYTES = 8_000_000
MOST_MEMBERS = 20
MOST_PROGRAM_BYTES = 20_000
N_PROMPT = 100
WIDEST = 8_192
GLOBALS = {
    "collections OrderedDict",
    "torch FloatStorage",
    "torch HalfStorage",
    "torch._utils _rebuild_tensor_v2",
}
# Those that build tensors, numbers, texts, tuples, lists and dictionaries. Without BUILD, NEWOBJ,
# INST, OBJ, EXT*, STACK_GLOBAL: state of objects, and names that are put together while it runs.
OPCODES = set(
    "PROTO MARK STOP GLOBAL REDUCE BINPERSID BINPUT LONG_BINPUT BINGET LONG_BINGET BINUNICODE "
    "NONE NEWTRUE NEWFALSE BININT BININT1 BININT2 LONG1 BINFLOAT EMPTY_TUPLE TUPLE TUPLE1 TUPLE2 "
    "TUPLE3 EMPTY_LIST APPEND APPENDS EMPTY_DICT SETITEM SETITEMS".split()
)
PROGRAM, NUMBERS = "data.pkl", "data/"
MEMBER = re.compile(
    r"\w[\w .-]*/(data\.pkl|data/\d{1,3}|version|byteorder|\.format_version|\.storage_alignment"
    r"|\.data/serialization_id)",
    re.ASCII,
)
AGAIN = "download or copy it again"


class Archive(NamedTuple):
    """What a released file holds."""

    table: Tensor
    """[prompt, d_model], float32, on the CPU."""
    epoch: int | None
    """`trained_epoch` as it stands in a checkpoint; None in a bare table."""
    steps: int | None
    """`global_step` of a checkpoint."""
    sha256: str
    """Of the file."""


def read_archive(path: str | Path, d_model: int | None = None) -> Archive:
    """The soft prompt in a released file of either kind.

    d_model   width of the backbone that the file should be for; None for any
    raises    BadInput for a file that is missing, too large, truncated or no PyTorch archive; whose
              program does anything but rebuild tensors; whose table is not [100, d_model], not of
              floating-point numbers or not finite
    """
    path = Path(path)
    content = _content(path)
    members = _members(content, path)
    _check_program(members[PROGRAM], path)
    table, epoch, steps = _parts(_loaded(members, path), path)
    _check_storage(table, members, path)
    table = _checked(table, d_model, path)
    return Archive(table, epoch, steps, hashlib.sha256(content).hexdigest())


def _content(path: Path) -> bytes:
    if not path.is_file():
        raise BadInput(f"{path} does not exist; check the path.")
    size = path.stat().st_size
    if size > MOST_BYTES:
        raise BadInput(
            f"{path} has {size:,} bytes; a released soft prompt has {MOST_BYTES:,} at most."
        )
    return path.read_bytes()


def _members(content: bytes, path: Path) -> dict[str, bytes]:
    """Name, without the archive's folder, to bytes."""
    try:
        archive = zipfile.ZipFile(io.BytesIO(content))
    except Exception as error:  # a crafted file makes it raise anything
        if content.startswith(b"PK\x03\x04"):
            raise BadInput(f"{path} is a truncated or damaged zip archive; {AGAIN}.") from error
        raise BadInput(
            f"{path} is no PyTorch archive (a zip file), and other pickles are never loaded; "
            f"{AGAIN}."
        ) from error
    with archive:
        _check_members(archive.infolist(), path)
        try:
            return {
                info.filename.split("/", 1)[1]: archive.read(info) for info in archive.infolist()
            }
        except Exception as error:
            raise BadInput(f"{path} is a damaged zip archive ({error}); {AGAIN}.") from error


def _check_members(members: list[zipfile.ZipInfo], path: Path) -> None:
    names = [member.filename for member in members]
    odd = [name for name in names if not MEMBER.fullmatch(name)]
    if odd or len(set(names)) < len(names) or len({name.split("/")[0] for name in names}) != 1:
        raise BadInput(
            f"{path} holds {ascii(odd[0]) if odd else 'a member twice, or two archives'}, which no "
            "archive of a soft prompt does; it is not loaded."
        )
    if any(member.compress_type != zipfile.ZIP_STORED for member in members):
        raise BadInput(f"{path} has compressed members, which PyTorch does not write; not loaded.")
    if len(members) > MOST_MEMBERS or sum(member.file_size for member in members) > MOST_BYTES:
        raise BadInput(f"{path} holds more than a soft prompt needs; it is not loaded.")
    programs = [member for member in members if member.filename.split("/", 1)[1] == PROGRAM]
    if not programs or programs[0].file_size > MOST_PROGRAM_BYTES:
        raise BadInput(f"{path} has no {PROGRAM}, or one that is too long; it is not loaded.")


def _check_program(program: bytes, path: Path) -> None:
    """BadInput unless the pickle program only names GLOBALS and only has OPCODES."""
    try:
        listed = [(opcode.name, argument) for opcode, argument, _ in pickletools.genops(program)]
    except Exception as error:
        raise BadInput(f"{path} has a damaged {PROGRAM} ({error}); {AGAIN}.") from error
    allowed = ", ".join(name.replace(" ", ".") for name in sorted(GLOBALS))
    for name, argument in listed:
        if name == "GLOBAL" and argument not in GLOBALS:
            raise BadInput(
                f"{path} asks for {ascii(argument.replace(' ', '.'))}, which a soft prompt "
                f"does not need; it is not loaded (allowed: {allowed})."
            )
        if name not in OPCODES:
            raise BadInput(
                f"{path} has the pickle opcode {name}, which no tensor needs; not loaded."
            )


def _loaded(members: dict[str, bytes], path: Path) -> Any:
    if members.get("byteorder", b"little") != b"little":
        raise BadInput(
            f"{path} has numbers in another byte order; save it again on a usual machine."
        )
    copy = io.BytesIO()
    with zipfile.ZipFile(copy, "w", zipfile.ZIP_STORED) as archive:
        for name, content in members.items():
            archive.writestr(f"archive/{name}", content)
    copy.seek(0)
    try:
        return torch.load(copy, map_location="cpu", weights_only=True)
    except Exception as error:
        cause = str(error).strip().split("\n")[0]
        raise BadInput(f"{path} cannot be read as tensors ({cause}); {AGAIN}.") from error


def _parts(loaded: Any, path: Path) -> tuple[Tensor, int | None, int | None]:
    if isinstance(loaded, Tensor):
        return loaded, None, None
    if isinstance(loaded, dict) and isinstance(loaded.get("model"), Tensor):
        counts = [loaded.get(name) for name in ("trained_epoch", "global_step")]
        if all(isinstance(count, int) and count >= 0 for count in counts):
            return loaded["model"], *counts
    raise BadInput(
        f"{path} is neither a table nor a checkpoint with model, trained_epoch and global_step; "
        "give a file named task_prompt or EPOCH_task_prompt.pkl."
    )


def _check_storage(table: Tensor, members: dict[str, bytes], path: Path) -> None:
    """BadInput unless the tensor's memory is as long as the bytes that it was made from.

    A version of torch that believes the length in the program would read on behind shorter numbers.
    """
    lengths = {len(content) for name, content in members.items() if name.startswith(NUMBERS)}
    if lengths != {table.untyped_storage().nbytes()}:
        raise BadInput(f"{path} has other numbers than its {PROGRAM} says; {AGAIN}.")


def _checked(table: Tensor, d_model: int | None, path: Path) -> Tensor:
    if table.ndim == 3 and len(table) == 1:  # T5-XXL's
        table = table[0]
    shape = list(table.shape)
    width = shape[-1] if d_model is None and shape and 1 <= shape[-1] <= WIDEST else d_model
    if shape != [N_PROMPT, width]:
        wanted = "d_model" if d_model is None else d_model
        raise BadInput(
            f"{path} has a table {shape}, not [{N_PROMPT}, {wanted}]; take another file."
        )
    if table.dtype not in (torch.float32, torch.float16):
        raise BadInput(f"{path} has numbers of type {table.dtype}, not float32 or float16.")
    table = table.detach().float().contiguous().clone()
    if not torch.isfinite(table).all():
        raise BadInput(f"{path} has numbers that are not finite; {AGAIN}.")
    return table
