"""Trained victims on disk, whatever trained them: all weights, a soft prompt, biases, adapters."""

from pathlib import Path

from mvp_skill.errors import BadInput
from mvp_skill.other_tuning import TUNED_FILE, load_tuned, save_tuned
from mvp_skill.prompt_tuning import SETTINGS_FILE, load_prompted, save_prompted
from mvp_skill.prompted import Prompted
from mvp_skill.victims import VICTIM_FILE, Victim, load_victim, save_victim

_SAVE = {"prompt_tuning": save_prompted, "bitfit": save_tuned, "adapter": save_tuned}


def save(victim: Victim | Prompted, folder: str | Path) -> None:
    """Write all that `load` needs; what marks the folder as complete is written last."""
    check_storable(victim)
    write = _SAVE[victim.settings.method] if isinstance(victim, Prompted) else save_victim
    write(victim, folder)


def check_storable(victim: Victim | Prompted) -> None:
    """BadInput for a pruned model, which is pruned again from what it was made of, not stored."""
    method = victim.settings.method
    if isinstance(victim, Prompted) and method not in _SAVE:
        raise BadInput(f"A model that is {method} cannot be stored; train it without a folder.")


def load(folder: str | Path) -> Victim | Prompted:
    """What `save` wrote, on the GPU if there is one; BadInput if the folder holds none."""
    for name, load_it in ((SETTINGS_FILE, load_prompted), (TUNED_FILE, load_tuned)):
        if (Path(folder) / name).exists():
            return load_it(folder)
    return load_victim(folder)


def is_complete(folder: str | Path) -> bool:
    """Whether a folder holds a trained victim."""
    names = (SETTINGS_FILE, TUNED_FILE, VICTIM_FILE)
    return any((Path(folder) / name).exists() for name in names)
