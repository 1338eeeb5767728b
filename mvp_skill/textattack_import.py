"""TextAttack, imported late, offline, and without what its import does to the rest of the process.

`import textattack` (release 0.3.11) takes several seconds; fails without NLTK's stop words; on a
new machine starts downloads; switches off all loggers that exist; and redirects the caches of other
libraries if `TA_CACHE_DIR` is set. Hence one door for it:

    from mvp_skill.textattack_import import textattack

    ta = textattack()
    ta.transformations.WordSwapEmbedding
"""

import importlib.util
import logging
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from types import ModuleType

NLTK_DATA = Path(__file__).parent / "nltk_data"
INSTALL = "textattack.shared.utils.install"
POST_INSTALL_MARKER = "post_install_check_3"  # the file whose absence starts the downloads

# What TextAttack's modules write to the environment when they are imported.
VARIABLES = (
    "HF_HOME",
    "PYTORCH_TRANSFORMERS_CACHE",
    "TA_CACHE_DIR",
    "TFHUB_CACHE_DIR",
    "TOKENIZERS_PARALLELISM",
    "WANDB_SILENT",
    "XDG_CACHE_HOME",
)


def textattack() -> ModuleType:
    """The package `textattack`, imported on the first call.

    Nothing is downloaded and nothing is left on the disk; environment variables and loggers are as
    they were before. The user's stop words (`NLTK_DATA`, `~/nltk_data`, ...) come first; ours serve
    where there are none. TextAttack's own cache stays where the user has it: `TA_CACHE_DIR`, or its
    default. Unlike TextAttack alone, that variable does not move other libraries' caches.
    """
    if "textattack" not in sys.modules:
        _provide_stop_words()
        with _flair_imports(), _environment_kept(), _loggers_kept():
            sys.modules[INSTALL] = _install_module()
            import textattack  # noqa: F401
    return sys.modules["textattack"]


def _provide_stop_words() -> None:
    """Let NLTK find stop words: the user's if there are any, otherwise ours."""
    import nltk

    try:
        nltk.corpus.stopwords.words("english")
    except LookupError:
        nltk.data.path.append(str(NLTK_DATA))


def _install_module() -> ModuleType:
    """TextAttack's set-up module, run alone and with an empty cache folder that says "all done".

    Alone, because the libraries that TextAttack imports next read `HF_HOME` and the like once and
    for all. In a folder of its own, because the mark would keep wanted downloads from the user.
    """
    package = importlib.util.find_spec("textattack").submodule_search_locations[0]
    path = Path(package, "shared", "utils", "install.py")
    spec = importlib.util.spec_from_file_location(INSTALL, path)
    module = importlib.util.module_from_spec(spec)
    with TemporaryDirectory() as folder, _environment_kept():
        Path(folder, POST_INSTALL_MARKER).touch()
        os.environ["TA_CACHE_DIR"] = folder
        spec.loader.exec_module(module)
    default = os.path.expanduser("~/.cache/textattack")
    module.TEXTATTACK_CACHE_DIR = os.environ.get("TA_CACHE_DIR", default)
    return module


@contextmanager
def _environment_kept() -> Iterator[None]:
    """Undo what happens to VARIABLES inside the block."""
    before = {name: os.environ.get(name) for name in VARIABLES}
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value


@contextmanager
def _loggers_kept() -> Iterator[None]:
    """Undo the switching off and on of loggers inside the block.

    `logging.config` does that to all loggers that exist: TextAttack switches them off, flair on.
    """
    loggers = [x for x in logging.root.manager.loggerDict.values() if isinstance(x, logging.Logger)]
    before = [(logger, logger.disabled) for logger in loggers]
    try:
        yield
    finally:
        for logger, disabled in before:
            logger.disabled = disabled


@contextmanager
def _flair_imports() -> Iterator[None]:
    """Let flair, which TextAttack imports, import with transformers 5 as well.

    flair 0.15 imports this class for a type check; transformers 5 has dropped it.
    """
    import transformers

    name = "LayoutLMv2FeatureExtractor"
    missing = not hasattr(transformers, name)
    if missing:
        setattr(transformers, name, type(name, (), {}))
    try:
        yield
    finally:
        if missing:
            delattr(transformers, name)
