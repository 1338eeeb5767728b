"""Trained victims on disk, whatever trained them: all weights, or only a soft prompt."""

from pathlib import Path

from mvp_skill.prompt_tuning import SETTINGS_FILE, load_prompted, save_prompted
from mvp_skill.prompted import Prompted
from mvp_skill.victims import VICTIM_FILE, Victim, load_victim, save_victim


def save(victim: Victim | Prompted, folder: str | Path) -> None:
    """Write all that `load` needs; what marks the folder as complete is written last."""
    if isinstance(victim, Prompted):
        save_prompted(victim, folder)
    else:
        save_victim(victim, folder)


def load(folder: str | Path) -> Victim | Prompted:
    """What `save` wrote, on the GPU if there is one; BadInput if the folder holds none."""
    tuned = (Path(folder) / SETTINGS_FILE).exists()
    return load_prompted(folder) if tuned else load_victim(folder)


def is_complete(folder: str | Path) -> bool:
    """Whether a folder holds a trained victim."""
    return any((Path(folder) / name).exists() for name in (SETTINGS_FILE, VICTIM_FILE))
