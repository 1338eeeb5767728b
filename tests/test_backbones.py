"""Backbones: what is accepted, and that damaged or hostile files are found before loading."""

import json
import pickle
import shutil
import struct
from pathlib import Path

import pytest
import torch
from huggingface_hub import constants
from safetensors.torch import load_file, save_file

from mvp_skill import backbones
from mvp_skill.backbones import SHIPPED, backbone_folder, check_safetensors, load_backbone
from mvp_skill.errors import BadInput


@pytest.fixture
def checkpoint(tiny_backbone, tmp_path):
    """A copy of the tiny backbone that a test may damage."""
    return Path(shutil.copytree(tiny_backbone, tmp_path / "checkpoint"))


@pytest.fixture
def no_model_is_built(monkeypatch):
    import transformers

    def refuse(*_, **__):
        pytest.fail("a model was built")

    monkeypatch.setattr(transformers.AutoModelForMaskedLM, "from_pretrained", refuse)


def change_weights(folder, change):
    weights = load_file(folder / "model.safetensors")
    save_file(change(weights), folder / "model.safetensors", metadata={"format": "pt"})


# --- good checkpoints --------------------------------------------------------------------------


def test_a_local_folder(tiny_backbone):
    model, tokenizer = load_backbone(str(tiny_backbone), "masked_lm")
    assert type(model).__name__ == "RobertaForMaskedLM" and not model.training
    stored = load_file(tiny_backbone / "model.safetensors")
    for name, parameter in model.named_parameters():
        if name in stored:  # tied ones are stored once
            assert torch.equal(parameter, stored[name]), name
    assert tokenizer.is_fast and tokenizer.mask_token == "<mask>"


def test_half_precision_is_read_as_float32(checkpoint):
    change_weights(checkpoint, lambda weights: {k: v.half() for k, v in weights.items()})
    config = json.loads((checkpoint / "config.json").read_text())
    (checkpoint / "config.json").write_text(json.dumps(config | {"dtype": "float16"}))
    model, _ = load_backbone(checkpoint)
    assert {parameter.dtype for parameter in model.parameters()} == {torch.float32}


def test_shards_and_pytorch_files_give_the_same_model(checkpoint, tmp_path):
    model, tokenizer = load_backbone(checkpoint)
    shards = tmp_path / "shards"
    model.save_pretrained(shards, max_shard_size="30KB")
    tokenizer.save_pretrained(shards)
    assert (shards / "model.safetensors.index.json").is_file()
    torch.save(model.state_dict(), checkpoint / "pytorch_model.bin")
    (checkpoint / "model.safetensors").unlink()
    for folder in (shards, checkpoint):
        again, _ = load_backbone(folder)
        for (name, old), new in zip(model.named_parameters(), again.parameters(), strict=True):
            assert torch.equal(old, new), (folder, name)
    shard = next(shards.glob("model-00002-*.safetensors"))
    shard.unlink()
    with pytest.raises(BadInput, match=f"{shard.name} does not exist"):
        load_backbone(shards)


def test_shipped_names_lead_into_the_package(monkeypatch, tiny_backbone):
    package = Path(backbones.__file__).parent
    assert SHIPPED["mini-roberta"] == package / "mini" / "weights" / "roberta"
    assert SHIPPED["mini-t5"] == package / "mini" / "weights" / "t5"
    monkeypatch.setitem(SHIPPED, "mini-roberta", tiny_backbone)
    assert backbone_folder("mini-roberta") == tiny_backbone


def test_a_hub_id_from_the_cache(tiny_backbone, tmp_path, monkeypatch):
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path))
    commit = "0123456789abcdef0123456789abcdef01234567"
    repository = tmp_path / "models--someone--tiny"
    (repository / "refs").mkdir(parents=True)
    (repository / "refs" / "main").write_text(commit)
    snapshot = repository / "snapshots" / commit
    shutil.copytree(tiny_backbone, snapshot)
    assert backbone_folder("someone/tiny") == backbone_folder(f"someone/tiny@{commit}") == snapshot
    with pytest.raises(BadInput, match="'someone/tiny' is no local folder.*HF_HUB_OFFLINE"):
        backbone_folder("someone/tiny@elsewhere")
    (snapshot / "model.safetensors").unlink()  # an interrupted download
    with pytest.raises(BadInput, match="not cached.*give a local checkpoint folder as BACKBONE"):
        backbone_folder("someone/tiny")


# --- unknown and incomplete ones ---------------------------------------------------------------


@pytest.mark.parametrize(
    "name", ["mini-robreta", "/nowhere/model", "./model", "~/no model", "a/b/c", "roberta base", ""]
)
def test_unknown_names_are_refused_with_the_allowed_ones(name, no_model_is_built):
    with pytest.raises(
        BadInput, match="mini-roberta, mini-bert, mini-gpt2, mini-t5, a folder with a checkpoint, "
    ):
        load_backbone(name)


def test_an_unknown_kind_is_refused(tiny_backbone):
    with pytest.raises(BadInput, match="'classifier'; use masked_lm, seq2seq"):
        load_backbone(tiny_backbone, "classifier")


@pytest.mark.parametrize(
    ("missing", "named"),
    [
        (("config.json",), "has no config.json"),
        (("model.safetensors",), "has no model.safetensors"),
        (("tokenizer.json", "vocab.json"), "has no tokenizer"),
    ],
)
def test_incomplete_folders_are_refused(checkpoint, missing, named, no_model_is_built):
    for name in missing:
        (checkpoint / name).unlink()
    with pytest.raises(BadInput, match=f"{checkpoint}.*{named}"):
        load_backbone(checkpoint)


def test_a_checkpoint_without_the_head_is_refused(checkpoint):
    """The library would invent the head and only warn."""
    change_weights(
        checkpoint,
        lambda weights: {k: v for k, v in weights.items() if not k.startswith("lm_head.dense")},
    )
    with pytest.raises(BadInput, match=r"no weights for lm_head\.dense\.bias \(2 missing"):
        load_backbone(checkpoint)


def test_weights_of_another_shape_are_refused(checkpoint):
    change_weights(checkpoint, lambda weights: {k: v[:1].clone() for k, v in weights.items()})
    with pytest.raises(BadInput, match=f"{checkpoint}.*cannot be"):
        load_backbone(checkpoint)


def test_a_model_of_another_kind_is_refused(tiny_backbone):
    with pytest.raises(BadInput, match="cannot be loaded as seq2seq"):
        load_backbone(tiny_backbone, "seq2seq")


# --- damaged and hostile files -----------------------------------------------------------------


@pytest.mark.parametrize("kept", [-1, -1000, 0.5, 5000, 9, 7, 0])
def test_truncated_safetensors_are_found_before_loading(checkpoint, kept, no_model_is_built):
    path = checkpoint / "model.safetensors"
    content = path.read_bytes()
    check_safetensors(path)
    path.write_bytes(content[: int(kept * len(content)) if isinstance(kept, float) else kept])
    with pytest.raises(BadInput, match=r"model\.safetensors.*copy or download it again") as error:
        load_backbone(checkpoint)
    assert "truncated" in str(error.value) or path.stat().st_size < 8


DAMAGED = {
    "longer": (lambda content: content + b"\0", "is damaged: [0-9]+ bytes instead of"),
    "web page": (lambda _: b"<!doctype html><html>Not found</html>", "not a safetensors file"),
    "LFS pointer": (lambda _: b"version https://git-lfs.github.com/spec/v1\n", "Git LFS pointer"),
    "no JSON": (lambda _: struct.pack("<Q", 4) + b"nope", "damaged safetensors header"),
    "list": (lambda _: struct.pack("<Q", 2) + b"[]", "damaged safetensors header"),
    "no offsets": (lambda _: struct.pack("<Q", 8) + b'{"a":{}}', "damaged safetensors header"),
}


@pytest.mark.parametrize("damage", DAMAGED)
def test_damaged_safetensors_are_found_before_loading(checkpoint, damage, no_model_is_built):
    change, said = DAMAGED[damage]
    path = checkpoint / "model.safetensors"
    path.write_bytes(change(path.read_bytes()))
    with pytest.raises(BadInput, match=f"{path}.*{said}"):
        load_backbone(checkpoint)


def test_a_damaged_index_is_named(checkpoint):
    (checkpoint / "model.safetensors.index.json").write_text("{}")
    with pytest.raises(BadInput, match=r"index\.json is damaged"):
        load_backbone(checkpoint)


class Bomb:
    """Unpickling it writes a file: what a plain pickle load would allow anybody to do."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return Path.write_text, (self.path, "boom")


@pytest.mark.parametrize("as_zip", [True, False])
def test_pickled_code_is_not_run(checkpoint, tmp_path, as_zip):
    (checkpoint / "model.safetensors").unlink()
    path, traces = checkpoint / "pytorch_model.bin", tmp_path / "boom"
    torch.save({"weight": Bomb(traces)}, path, _use_new_zipfile_serialization=as_zip)
    torch.load(path, weights_only=False)
    assert traces.exists(), "the bomb works"
    traces.unlink()
    with pytest.raises(BadInput, match="cannot be loaded"):
        load_backbone(checkpoint)
    assert not traces.exists()


def test_a_truncated_pytorch_file_is_one_sentence(checkpoint):
    (checkpoint / "model.safetensors").unlink()
    (checkpoint / "pytorch_model.bin").write_bytes(pickle.dumps({"a": 1}, protocol=2)[:-3])
    with pytest.raises(BadInput, match=f"{checkpoint}.*cannot be loaded") as error:
        load_backbone(checkpoint)
    assert "\n" not in str(error.value)


def test_code_in_a_checkpoint_is_not_run(checkpoint):
    config = json.loads((checkpoint / "config.json").read_text())
    config |= {"model_type": "mine", "auto_map": {"AutoConfig": "code.Config"}}
    (checkpoint / "config.json").write_text(json.dumps(config))
    (checkpoint / "code.py").write_text("from pathlib import Path\nPath('ran').touch()\n")
    with pytest.raises(BadInput, match="cannot be loaded"):
        load_backbone(checkpoint)
    assert not Path("ran").exists()
