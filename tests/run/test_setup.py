"""From an experiment to a run: what is loaded, what is refused, what stays unloaded."""

import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from cellsearch.errors import CellSearchError, ExperimentError, SpaceError
from cellsearch.experiment import load_experiment
from cellsearch.run import default_folder, search
from cellsearch.run.setup import first_seeds, prepare, warnings
from cellsearch.space import Space, load_space
from cellsearch.strategies import load_strategy
from cellsearch.strategies.base import Evaluation, Proposal, Strategy
from cellsearch.tasks import Task, load_task


def test_quickstart_can_be_prepared() -> None:
    setup = prepare(load_experiment("quickstart"))
    assert list(setup.baselines) == ["rnn", "lstm", "gru", "mingru"]
    assert [task["name"] for task in setup.tasks] == ["text", "adding"]
    for level in setup.levels.values():
        assert level["chance"] > level["solved"]
    first, again = setup.strategy().ask(), setup.strategy().ask()
    drawn = setup.control().ask()
    assert first is not None and again is not None and drawn is not None
    assert first.cell == again.cell
    assert setup.contains(first.cell) is None
    assert setup.contains(drawn.cell) is None


@pytest.mark.parametrize(("given", "meant"), [("auto", "native"), ("eager", "eager")])
def test_jobs_and_identity_name_the_backend_that_is_meant(given: str, meant: str) -> None:
    setup = prepare(load_experiment("quickstart", [f"evaluation.backend={given}"]))
    job = setup.job("candidate", 0, "h = tanh(linear(x, h_prev))")
    assert job["settings"]["backend"] == meant
    assert setup.identity()["evaluation"]["backend"] == meant


def test_seeds_of_strategy_and_control_follow_the_experiments() -> None:
    drawn = set()
    for seed in range(3):
        setup = prepare(load_experiment("quickstart", ["strategy={name='random'}"], seed))
        for strategy in (setup.strategy(), setup.control()):
            proposal = strategy.ask()
            assert proposal is not None
            drawn.add(proposal.cell.id)
    assert len(drawn) == 6


@pytest.mark.parametrize(
    ("overrides", "first", "warned"),
    [
        ([], 2, False),
        (["budget.candidates=4"], 2, False),  # one is the strategy's own
        (["budget.candidates=4", "budget.control=0.5"], 2, True),
        (["budget.candidates=1"], 2, True),
        (["budget={hours=1}"], 2, False),
        (["strategy.name=random", "budget.candidates=1"], 0, False),
        (["strategy.name=grow", "budget.candidates=1"], 0, False),
        (["space.name=gated", "budget.candidates=1"], 0, False),
    ],
)
def test_seeds_that_use_up_the_budget_are_warned_of(
    overrides: list[str], first: int, warned: bool
) -> None:
    asked = load_experiment(
        "quickstart", ["space.name=jozefowicz", "strategy.name=genetic", *overrides]
    )
    setup = prepare(asked)
    assert first_seeds(setup) == ["lstm", "gru_reset_before"][:first]
    assert (
        any("leaves the strategy none to find" in one for one in warnings(asked, setup)) == warned
    )


@pytest.mark.parametrize("control", [0, 0.2])
def test_a_strategy_that_proposes_nothing_is_refused_before_anything_runs(
    tmp_path: Path, control: float
) -> None:
    with pytest.raises(ExperimentError, match=r":Silent' proposes nothing in space 'minimal'"):
        search(
            **{**SMALL, "strategy": f"{__name__}:Silent"},
            run=tmp_path / "run",
            task="adding",
            overrides=[f"budget.control={control}"],
        )
    assert not (tmp_path / "run").exists()


class Silent(Strategy):
    """Has nothing to propose."""

    def __init__(self, space: Space, *, seed: int) -> None:
        del space, seed

    def ask(self) -> None:
        return None

    def tell(self, proposal: Proposal, evaluation: Evaluation) -> None:
        raise AssertionError("told")


def test_baselines_that_a_table_lacks_are_warned_of() -> None:
    asked = load_experiment("small")
    assert warnings(asked, prepare(asked)) == []
    tables = {key: asked.to_dict()[key] for key in ("space", "task")}
    asked = load_experiment({**tables, "evaluation": {"table": "small"}})
    found = warnings(asked, prepare(asked))
    assert found == ["not among the baselines, as the table lacks them: lstm"]


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        (["task.1={name='adding', length=20}", "task.0.name=adding", "task.0.length=9"], "task"),
        (["budget.baselines=['gro']"], r"no cell 'gro' in the zoo \(did you mean 'gru', "),
        (["strategy.name=genetics"], "did you mean 'genetic'"),
        (["strategy.beem=3"], "'grow' has no setting 'beem'.*did you mean 'beam'"),
    ],
)
def test_what_makes_no_sense_is_refused_before_anything_runs(
    tmp_path: Path, overrides: list[str], message: str
) -> None:
    with pytest.raises(Exception, match=message) as caught:
        search("quickstart", run=tmp_path / "run", workers=0, overrides=overrides)
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "run").exists()


SMALL: dict[str, Any] = {
    "space": "minimal",
    "strategy": "random",
    "evaluation": {"parameters": 200, "steps": 2, "batch_size": 2},
    "budget": {"candidates": 1, "baselines": []},
    "final": {"candidates": 1, "replicates": 2},
    "workers": 0,
}


def test_a_task_stands_for_its_description(tmp_path: Path) -> None:
    adding, digits = load_task("adding", length=6), load_task("digits")
    alone = search(**SMALL, run=tmp_path / "alone", task=adding)
    assert alone.experiment.task[0].settings == {"length": 6}
    several = search(**SMALL, run=tmp_path / "several", task=[adding, "copy", digits.describe()])
    assert [table.name for table in several.experiment.task] == ["adding", "copy", "digits"]


@pytest.mark.parametrize(
    ("task", "message"),
    [
        ("a.npz", '"name": "arrays", "path": "a.npz"'),
        (5, r"task\.0: expected a table, found 5"),
        ([None], r"task\.0"),
        (
            Task.from_arrays(np.zeros((20, 3, 1)), [0, 1] * 10),
            r"lives in memory only; write it with task\.save",
        ),
    ],
)
def test_what_is_no_task_is_refused(tmp_path: Path, task: Any, message: str) -> None:
    with pytest.raises(CellSearchError, match=message):
        search(**SMALL, run=tmp_path / "run", task=task)
    assert not (tmp_path / "run").exists()


def test_two_tasks_of_one_name_are_refused() -> None:
    tables: dict[str, Any] = {"task": [{"name": "adding", "length": 9}, {"name": "adding"}]}
    with pytest.raises(ExperimentError, match=r"task\.1: a second task called 'adding'.*'label'"):
        prepare(load_experiment(tables))


def test_a_space_without_a_cell_is_refused_before_anything_runs(tmp_path: Path) -> None:
    path = tmp_path / "void.toml"
    path.write_text('operators = ["linear", "tanh"]\ncarry = false\n[limits]\nproducts = 1\n')
    for control in (0, 0.2):
        tables: dict[str, Any] = {
            "space": {"path": str(path)},
            "task": [{"name": "adding", "length": 9}],
            "strategy": {"name": "random"},
            "budget": {"control": control, "baselines": ["rnn"]},
        }
        with pytest.raises(SpaceError, match="space void: 1000 draws gave no cell"):
            search(tables, run=tmp_path / "run", workers=0)
        assert not (tmp_path / "run").exists()


def test_files_count_by_their_content_and_not_by_their_place(tmp_path: Path) -> None:
    text = "the quick brown fox jumps over the lazy dog " * 100

    def identity(name: str, content: str) -> dict[str, Any]:
        path = tmp_path / name / "a.txt"
        path.parent.mkdir()
        path.write_text(content)
        task = {"name": "text", "path": str(path), "length": 20}
        setup = prepare(load_experiment({"task": [task], "experiment": {"name": "e"}}))
        assert setup.job("search", 0, "")["tasks"][0]["path"] == str(path)
        return setup.identity()

    assert identity("here", text) == identity("there", text)
    assert identity("other", text + "a") != identity("same", text)


def test_tables_are_keywords_or_an_experiment_but_not_both() -> None:
    with pytest.raises(ExperimentError, match=r"an experiment and task, budget as well"):
        search("quickstart", task="adding", budget={"candidates": 3})
    with pytest.raises(ExperimentError, match="workers is -1"):
        search(task="adding", workers=-1)


def test_a_space_and_a_strategy_are_given_by_name(tmp_path: Path) -> None:
    space = load_space("minimal")
    with pytest.raises(ExperimentError, match=r"space: expected its name.*file.*; found a Space$"):
        search(task="adding", space=space)  # type: ignore[arg-type]
    strategy = load_strategy("random", space)
    with pytest.raises(ExperimentError, match=r"strategy: expected its name.*found a Random"):
        search(task="adding", strategy=strategy)  # type: ignore[arg-type]
    path = tmp_path / "mine.toml"
    path.write_text('operators = ["linear", "tanh"]\nstates = ["c"]\n')
    for mine in (path, str(path)):
        with pytest.raises(SpaceError, match=r"mine\.toml: states: expected h"):
            search(task="adding", space=mine)


def test_the_folder_is_named_after_experiment_and_seed() -> None:
    assert default_folder(load_experiment("quickstart", seed=3)) == Path("runs/quickstart-seed3")


def test_a_run_of_keywords(tmp_path: Path) -> None:
    found = search(
        run=tmp_path / "run",
        workers=0,
        name="keys",
        seed=1,
        space="minimal",
        strategy="random",
        task={"name": "adding", "length": 4},
        evaluation={"parameters": 200, "steps": 3, "batch_size": 4},
        budget={"candidates": 2, "baselines": ["rnn"], "control": 0},
        final={"candidates": 1, "replicates": 1},
        lag=2,
    )
    assert (found.experiment.name, found.experiment.seed, found.status) == ("keys", 1, "done")
    assert found.best is not None
    assert found.best.cell.id == found.best.cell_id
    assert found.best.weights[0]["adding"].is_file()


def test_the_driver_loads_neither_torch_nor_ray() -> None:
    code = (
        "import sys\nfrom cellsearch.experiment import load_experiment\n"
        "import cellsearch.run\nfrom cellsearch.run.setup import prepare\n"
        "setup = prepare(load_experiment('quickstart'))\n"
        "setup.strategy().ask(), setup.control().ask()\n"
        "print({'torch', 'ray', 'scipy'} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "set()\n"
