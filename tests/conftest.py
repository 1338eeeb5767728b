"""Shared fixtures. The environment is set first: the libraries read it when they are imported."""

import os

os.environ["HF_HUB_OFFLINE"] = "1"
# Overrides HF_HUB_OFFLINE for `datasets` alone; a user's setting must not put tests on the network.
os.environ.pop("HF_DATASETS_OFFLINE", None)
# Threads of several processes on few cores spin against each other; torch reads this as its own.
os.environ["OMP_NUM_THREADS"] = "1"
os.environ["MKL_NUM_THREADS"] = "1"
os.environ["TOKENIZERS_PARALLELISM"] = "false"

import json
import tempfile
from pathlib import Path

import pytest

# Not the user's own cache. Made once: the processes that pytest starts inherit it.
if "PYTEST_XDIST_WORKER" not in os.environ:
    EXAMPLES = tempfile.TemporaryDirectory(prefix="mvp-examples-", ignore_cleanup_errors=True)
    os.environ["MVP_SKILL_CACHE"] = EXAMPLES.name

REPOSITORY = Path(__file__).parent.parent

LABEL_WORDS = (
    "great good terrible bad awful excellent poor fine wonderful horrible positive negative "
    "politics world sports sport business finance technology science tech "
    "yes no true false right wrong correct maybe perhaps also however therefore because "
    "same different similar similarly other related unrelated acceptable unacceptable "
    "reasonable unreasonable okay happy sad love hate best worst"
).split()
PLAIN_WORDS = (
    "a an the it this that was is in of and but so to not all overall news film movie story review "
    "question answer passage sentence words text about just said what who where when why how "
    "people actor city team market player company game match door house river "
    "never always very really "
    ". , ? ! : ; ' \" - ( )"
).split()


@pytest.fixture(scope="session")
def repository() -> Path:
    """The root of the checkout."""
    return REPOSITORY


@pytest.fixture(scope="session")
def tiny_backbone(tmp_path_factory) -> Path:
    """A folder with a random RobertaForMaskedLM (2 layers of width 32) and a tokenizer of its own.

    Each of LABEL_WORDS and PLAIN_WORDS is one token with its leading space; others are pieces.
    """
    import torch
    from transformers import RobertaConfig, RobertaForMaskedLM

    folder = tmp_path_factory.mktemp("tiny_backbone")
    tokenizer = _tiny_tokenizer(folder)
    config = RobertaConfig(
        vocab_size=len(tokenizer),
        hidden_size=32,
        num_hidden_layers=2,
        num_attention_heads=4,
        intermediate_size=48,
        max_position_embeddings=130,
        type_vocab_size=1,
        pad_token_id=tokenizer.pad_token_id,
        bos_token_id=tokenizer.bos_token_id,
        eos_token_id=tokenizer.eos_token_id,
    )
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        RobertaForMaskedLM(config).save_pretrained(folder)
    return folder


@pytest.fixture(scope="session")
def tiny_bert(tmp_path_factory) -> Path:
    """A folder with a random BertForMaskedLM and a word-piece tokenizer of the same words."""
    import torch
    from transformers import BertConfig, BertForMaskedLM, BertTokenizerFast

    folder = tmp_path_factory.mktemp("tiny_bert")
    words = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *LABEL_WORDS, *PLAIN_WORDS]
    words += ["in", "short", "verdict", "place"]
    (folder / "vocab.txt").write_text("\n".join(dict.fromkeys(words)) + "\n", encoding="utf-8")
    tokenizer = BertTokenizerFast.from_pretrained(folder, model_max_length=40)
    tokenizer.save_pretrained(folder)
    config = BertConfig(
        vocab_size=len(tokenizer),
        hidden_size=24,
        num_hidden_layers=2,
        num_attention_heads=3,
        intermediate_size=40,
        max_position_embeddings=40,
        pad_token_id=0,
    )
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(5)
        BertForMaskedLM(config).save_pretrained(folder)
    return folder


@pytest.fixture(scope="session")
def tiny_t5(tmp_path_factory) -> Path:
    """A folder with a random T5 (2 + 2 layers of 40 neurons) and the tokenizer of mini-t5."""
    import torch
    from transformers import AutoTokenizer, T5Config, T5ForConditionalGeneration

    from mvp_skill.backbones import SHIPPED

    folder = tmp_path_factory.mktemp("tiny_t5")
    tokenizer = AutoTokenizer.from_pretrained(SHIPPED["mini-t5"])
    tokenizer.save_pretrained(folder)
    config = T5Config(
        vocab_size=len(tokenizer),
        d_model=24,
        d_kv=8,
        d_ff=40,
        num_layers=2,
        num_decoder_layers=2,
        num_heads=3,
        decoder_start_token_id=0,
    )
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        T5ForConditionalGeneration(config).save_pretrained(folder)
    return folder


@pytest.fixture(scope="session")
def loud_backbone(tiny_backbone, tmp_path_factory) -> Path:
    """The tiny RoBERTa, so loud that what it answers depends on its soft prompt and its neurons."""
    from transformers import RobertaForMaskedLM

    folder = tmp_path_factory.mktemp("loud_backbone")
    return _louder(RobertaForMaskedLM, tiny_backbone, folder, factor=12)


@pytest.fixture(scope="session")
def loud_t5(tiny_t5, tmp_path_factory) -> Path:
    """The same of the tiny T5, whose first weights are larger."""
    from transformers import T5ForConditionalGeneration

    folder = tmp_path_factory.mktemp("loud_t5")
    return _louder(T5ForConditionalGeneration, tiny_t5, folder, factor=3.5)


def _louder(model_class, quiet: Path, folder: Path, factor: float) -> Path:
    """The folder with a copy of the model whose layers, not its head, multiply by so much more."""
    import torch
    from transformers import AutoTokenizer

    model = model_class.from_pretrained(quiet)
    with torch.no_grad():
        for name, module in model.named_modules():
            if isinstance(module, torch.nn.Linear) and not name.startswith("lm_head"):
                module.weight.mul_(factor)
    model.save_pretrained(folder)
    AutoTokenizer.from_pretrained(quiet).save_pretrained(folder)
    return folder


@pytest.fixture(scope="session")
def tiny_gpt2(tmp_path_factory) -> Path:
    """A folder with a random GPT2LMHeadModel and its tokenizer: no mask token and no padding."""
    import torch
    from transformers import GPT2Config, GPT2LMHeadModel, GPT2TokenizerFast

    folder = tmp_path_factory.mktemp("tiny_gpt2")
    _train_bpe(folder, ["<|endoftext|>"])
    (folder / "config.json").write_text(json.dumps({"model_type": "gpt2"}))
    tokenizer = GPT2TokenizerFast.from_pretrained(folder, model_max_length=64)
    tokenizer.save_pretrained(folder)
    end = tokenizer.eos_token_id
    sizes = {"n_embd": 32, "n_layer": 2, "n_head": 4, "n_positions": 60}
    config = GPT2Config(vocab_size=len(tokenizer), bos_token_id=end, eos_token_id=end, **sizes)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(6)
        GPT2LMHeadModel(config).save_pretrained(folder)
    return folder


def _train_bpe(folder: Path, special_tokens: list[str]) -> None:
    """Train a byte-level BPE on a text made here, and save its two files to `folder`."""
    from tokenizers import ByteLevelBPETokenizer

    words = LABEL_WORDS + PLAIN_WORDS
    lines = [f" {first} {second}" for first in words for second in words[:20]]
    bpe = ByteLevelBPETokenizer()
    bpe.train_from_iterator(lines, vocab_size=1500, min_frequency=2, special_tokens=special_tokens)
    bpe.save_model(str(folder))


def _tiny_tokenizer(folder: Path):
    """A byte-level BPE of its own, saved to `folder` in RoBERTa's format."""
    from tokenizers import AddedToken
    from transformers import RobertaTokenizerFast

    _train_bpe(folder, ["<s>", "<pad>", "</s>", "<unk>", "<mask>"])
    (folder / "config.json").write_text(json.dumps({"model_type": "roberta"}))
    mask = AddedToken("<mask>", lstrip=True, special=True)  # with the space before it
    tokenizer = RobertaTokenizerFast.from_pretrained(folder, mask_token=mask, model_max_length=128)
    tokenizer.save_pretrained(folder)
    return tokenizer


@pytest.fixture(scope="session")
def roberta_base_tokenizer(repository):
    """The tokenizer of roberta-base; skips where its vocabulary is not at hand."""
    from transformers import RobertaTokenizerFast

    folder = _vocabulary(repository, "FacebookAI/roberta-base", "vocab.json")
    return RobertaTokenizerFast.from_pretrained(folder)


@pytest.fixture(scope="session")
def t5_base_tokenizer(repository):
    """The tokenizer of t5-base; skips where its vocabulary is not at hand."""
    from transformers import T5TokenizerFast

    folder = _vocabulary(repository, "google-t5/t5-base", "tokenizer.json")
    return T5TokenizerFast(tokenizer_file=str(folder / "tokenizer.json"))


def _vocabulary(repository: Path, model: str, file: str) -> Path:
    """A folder with a model's vocabulary: beside the checkout, or in the hub's cache."""
    from huggingface_hub import try_to_load_from_cache

    folder = repository.parent / "shared" / "data" / "bpe" / Path(model).name
    if (folder / file).is_file():
        return folder
    cached = try_to_load_from_cache(model, file)
    if not isinstance(cached, str):
        pytest.skip(f"no vocabulary of {model}, neither at {folder} nor in the hub's cache")
    return Path(cached).parent
