import subprocess
import sys
from importlib.metadata import EntryPoint
from pathlib import Path

import pytest

from cellsearch.errors import TaskError
from cellsearch.tasks import TASKS, load_task, task_names

OWN = '''
from cellsearch.tasks import Task, load_task
from cellsearch.tasks.adding import AddingTask

class Hidden(Task):
    """Says nothing of its own: an adding task under another name."""
    name = "hidden"
    input_size, output_size = 2, 1
    readout, objective = "last", "regression"
    chance, solved, unit = 1 / 6, 0.0, "mean squared error"

    def __init__(self, steps, *, bad=False):
        self.inner = AddingTask(length=steps)
        if bad:
            self.chance = -1.0

    def training(self, seed, start, count):
        return self.inner.training(seed, start, count)

    def held_out(self, split, seed):
        return self.inner.held_out(split, seed)

    def describe(self):
        return {"name": "own_tasks:Hidden", "steps": self.inner.length}

class Unfinished(Task):
    pass

number = 3
'''


@pytest.fixture
def own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "own_tasks.py").write_text(OWN, encoding="utf-8")
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.delitem(sys.modules, "own_tasks", raising=False)


def registered(monkeypatch: pytest.MonkeyPatch, *entries: tuple[str, str]) -> None:
    """Let these entry points be the installed ones."""
    points = [EntryPoint(name, value, "cellsearch.tasks") for name, value in entries]

    def entry_points(group: str, name: str | None = None) -> list[EntryPoint]:
        assert group == "cellsearch.tasks"
        return [point for point in points if name in (None, point.name)]

    monkeypatch.setattr("cellsearch.plugins.entry_points", entry_points)


def test_the_built_in_tasks_carry_their_names() -> None:
    assert list(TASKS) == sorted(TASKS) == ["adding", "arrays", "copy", "digits", "text"]
    for name in ("adding", "copy", "digits", "text"):
        task = load_task(name)
        assert type(task) is TASKS[name]
        assert task.name == name


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("ading", r"there is no task 'ading' \(did you mean 'adding'\?\); known: adding, "),
        ("", "there is no task ''"),
        (
            "a.npz",
            r"no task 'a.npz'; .* \{\"name\": \"arrays\", \"path\": \"a.npz\"\}, .* arrays,path=a",
        ),
        (3, "a task's name is a string; found 3"),
        ("own_tasks:", "expected 'module:Class', found 'own_tasks:'"),
        (":Hidden", "expected 'module:Class'"),
        ("../x:y", "expected 'module:Class'"),
        ("own_tasks:Hiden", "the module 'own_tasks' has no 'Hiden'"),
        ("own_tasks:number", "expected a class made from Task"),
        ("own_tasks:Unfinished", r"the class 'Unfinished' lacks desc.*, training\(\)"),
        ("no_such_module:Task", "cannot import 'no_such_module' .*PYTHONPATH"),
    ],
)
@pytest.mark.usefixtures("own")
def test_unknown_tasks_are_refused(name: str, expected: str) -> None:
    with pytest.raises(TaskError, match=expected):
        load_task(name)


def test_unknown_settings_are_refused_with_the_nearest() -> None:
    expected = (
        r"'adding' has no setting 'lenght' \(did you mean 'length'\?\); its settings are length"
    )
    with pytest.raises(TaskError, match=expected):
        load_task("adding", lenght=20)


@pytest.mark.usefixtures("own")
def test_ones_own_class_is_loaded_by_module_and_class() -> None:
    task = load_task("own_tasks:Hidden", steps=9)
    assert load_task(**task.describe()).describe() == task.describe()
    with pytest.raises(TaskError, match="'own_tasks:Hidden' needs the setting 'steps'"):
        load_task("own_tasks:Hidden")
    with pytest.raises(TaskError, match="its settings are steps, bad"):
        load_task("own_tasks:Hidden", step=9)
    with pytest.raises(
        TaskError, match=r"Hidden.solved: expected less than chance \(-1\), found 0"
    ):
        load_task("own_tasks:Hidden", steps=9, bad=True)


@pytest.mark.usefixtures("own")
def test_installed_packages_may_add_tasks(monkeypatch: pytest.MonkeyPatch) -> None:
    registered(monkeypatch, ("hidden", "own_tasks:Hidden"), ("text", "own_tasks:Hidden"))
    assert load_task("hidden", steps=5).name == "hidden"
    assert load_task("text").name == "text"  # nobody replaces a built-in task
    assert task_names() == ("adding", "arrays", "copy", "digits", "hidden", "text")
    with pytest.raises(TaskError, match="did you mean 'hidden'"):
        load_task("hiden")


@pytest.mark.usefixtures("own")
def test_two_packages_with_one_name_are_told_apart(monkeypatch: pytest.MonkeyPatch) -> None:
    registered(monkeypatch, ("hidden", "own_tasks:Hidden"), ("hidden", "other:Hidden"))
    with pytest.raises(TaskError, match=r"\(other:Hidden, own_tasks:Hidden\); say which as 'mod"):
        load_task("hidden")
    registered(monkeypatch, ("hidden", "own_tasks:Hidden"), ("hidden", "own_tasks:Hidden"))
    load_task("hidden", steps=5)


def test_importing_the_tasks_is_light() -> None:
    heavy = "{'torch', 'sklearn', 'scipy', 'ray', 'networkx', 'deap', 'pydoc_data.topics'}"
    code = f"import sys, cellsearch.tasks; print(sorted({heavy} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
