"""Tasks: what cells are trained on and compared by."""

from cellsearch.tasks.arrays import ArraysTask
from cellsearch.tasks.base import SPLITS, Examples, Split, Task
from cellsearch.tasks.checks import check_examples, check_task
from cellsearch.tasks.loading import TASKS, import_task, load_task, task_names

__all__ = [
    "SPLITS",
    "TASKS",
    "ArraysTask",
    "Examples",
    "Split",
    "Task",
    "check_examples",
    "check_task",
    "import_task",
    "load_task",
    "task_names",
]
