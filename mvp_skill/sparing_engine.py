"""The engine of papermill, but sparing with the disk while a notebook runs.

papermill writes the whole notebook before and after each cell, and the kernel waits for it. Here it
is written at the start, every few seconds, and at the end, whatever that is.
"""

from typing import Any

from papermill.engines import NBClientEngine, NotebookExecutionManager, papermill_engines

NAME = "sparing"
SAVE_EVERY = 10  # seconds


class SparingEngine(NBClientEngine):
    """What papermill asks of an engine: it runs the cells of a notebook."""

    @classmethod
    def execute_managed_notebook(
        cls, nb_man: NotebookExecutionManager, kernel_name: str, **options: Any
    ) -> None:
        """Run the cells; papermill itself saves before, and afterwards also if this raises."""
        save = nb_man.save

        def save_now_and_then() -> None:
            if (nb_man.now() - nb_man.last_save_time).total_seconds() >= SAVE_EVERY:
                save()

        nb_man.save = save_now_and_then
        try:
            super().execute_managed_notebook(nb_man, kernel_name, **options)
        finally:
            nb_man.save = save


papermill_engines.register(NAME, SparingEngine)
