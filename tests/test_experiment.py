"""Experiment files: what is read, what is refused and how it is told."""

import json
from pathlib import Path
from typing import Any

import pytest

from cellsearch import resources
from cellsearch.errors import ExperimentError
from cellsearch.experiment import load_experiment

SHORT: dict[str, Any] = {"task": [{"name": "adding"}]}


def write(folder: Path, text: str, name: str = "mine.toml") -> Path:
    path = folder / name
    path.write_text(text)
    return path


def test_quickstart_is_found_by_name() -> None:
    found = load_experiment("quickstart")
    assert (found.name, found.seed) == ("quickstart", 0)
    assert [task.name for task in found.task] == ["text", "adding"]
    assert found.task[0].settings == {"alphabet": "letters", "length": 20}
    assert found.evaluation.memory == 2 * 1024**3
    assert found.fidelity.rungs == (80, 200)
    assert found.budget.baselines == ("rnn", "lstm", "gru", "mingru")


def test_every_experiment_that_comes_along_can_be_read() -> None:
    assert "quickstart" in resources.names("experiments")
    for name in resources.names("experiments"):
        load_experiment(name)


@pytest.mark.parametrize("name", ["../pyproject", "/etc/passwd", "", ".", "a b", "quickstart.toml"])
def test_a_name_is_no_path(name: str) -> None:
    assert resources.find("experiments", name) is None


def test_a_short_file_is_completed_by_defaults(tmp_path: Path) -> None:
    found = load_experiment(write(tmp_path, '[[task]]\nname = "adding"\n'))
    assert found.name == "mine"
    assert found.space.source == "gated"
    assert (found.budget.candidates, found.budget.hours) == (120, None)
    assert found.run.lag == 16


def test_a_limit_of_hours_alone_leaves_the_number_open() -> None:
    assert load_experiment(SHORT | {"budget": {"hours": 2}}).budget.candidates is None


def test_what_is_written_is_read_back_equal() -> None:
    found = load_experiment("quickstart", ["strategy.population=7", "run.workers=3"])
    plain = json.loads(json.dumps(found.to_dict()))
    assert load_experiment(plain) == found


def test_overrides_are_toml_or_text_and_index_lists() -> None:
    found = load_experiment(
        "quickstart",
        [
            "task.1.length=50",
            "task.2.name=copy",
            "evaluation.learning_rates=[0.1, 1]",
            'experiment.name="other"',
            "evaluation.memory=500 MB",
            "strategy.weird.key=1979-05-27",
        ],
        seed=9,
    )
    assert found.task[1].settings == {"length": 50}
    assert found.task[2].name == "copy"
    assert found.evaluation.learning_rates == (0.1, 1.0)
    assert found.evaluation.memory == 500_000_000
    assert (found.name, found.seed) == ("other", 9)
    assert found.strategy.settings == {"weird": {"key": "1979-05-27"}}


def test_relative_paths_are_the_files_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "folder"
    folder.mkdir()
    text = '[space]\npath = "s.toml"\n[[task]]\nname = "arrays"\npath = "d.csv"\n'
    path = write(folder, text)
    monkeypatch.chdir(tmp_path)
    found = load_experiment(path, ["task.1.name=arrays", "task.1.path=here.csv"])
    assert found.space.source == str(folder / "s.toml")
    assert found.task[0].settings["path"] == str(folder / "d.csv")
    assert found.task[1].settings["path"] == str(tmp_path / "here.csv")


def test_identity_leaves_out_what_may_change() -> None:
    base = load_experiment("quickstart").identity()
    free = ["run.workers=3", "budget.candidates=9", "budget.hours=1", "budget.total_steps=5"]
    free += ["evaluation.timeout=5", "evaluation.memory=1GiB"]
    assert load_experiment("quickstart", free).identity() == base
    for fixed in ["experiment.seed=1", "run.lag=4", "budget.control=0.5", "evaluation.steps=500"]:
        assert load_experiment("quickstart", [fixed]).identity() != base


REFUSED = [
    ("evaluation.parametres=1", "evaluation.parametres: unknown key (did you mean 'parameters'?)"),
    ("evaluatoin.steps=1", "evaluatoin: unknown key (did you mean 'evaluation'?)"),
    ("space.seeds=['gru']", "space.seeds: unknown key; seeds stands in the space's file, which"),
    ("space.limits.nodes=9", "space.limits: unknown key; limits stands in the space's file"),
    ("space.pth=x", "space.pth: unknown key (did you mean 'path'?)"),
    ("evaluation.steps=many", 'evaluation.steps: expected a whole number, found "many"'),
    ("evaluation.steps=4.5", "evaluation.steps: expected a whole number, found 4.5"),
    ("evaluation.steps=true", "evaluation.steps: expected a whole number, found true"),
    ("evaluation.steps=0", "evaluation.steps: expected at least 1, found 0"),
    ("evaluation.timeout=inf", 'evaluation.timeout: expected a number, found "inf"'),
    ("evaluation.memory=5 parsec", "evaluation.memory: expected a number of bytes such as '2GiB'"),
    ("evaluation.backend=fast", "evaluation.backend: expected one of 'auto', 'native', 'eager'"),
    ("evaluation.learning_rates=[1,'a']", "evaluation.learning_rates.1: expected a number"),
    ("evaluation.learning_rates=[]", "evaluation.learning_rates: expected at least 1 of them"),
    ("fidelity.rungs=[5,3]", "fidelity.rungs: expected rungs that increase, found [5, 3]"),
    ("space.name=", "space: expected a name such as 'gated', or the path"),
    ("fidelity.rungs=[500]", "fidelity.rungs of at most evaluation.steps = 400, found 500"),
    ("budget.control=1", "budget.control: expected less than 1.0, found 1"),
    ("budget.baselines=['gru','gru']", "budget.baselines: expected each baseline once"),
    ("experiment.name=../x", "experiment.name: expected letters"),
    ("budget=3", "budget: expected a table, found 3"),
    ("task=3", "task: expected a list, found 3"),
    ("task.0=3", "task.0: expected a table, found 3"),
    ("task.0.x.y.z=3", None),
    ("task.7.x=1", "--set task.7.x=1: 'task' is a list of 1"),
    ("task.x=1", "expected a number 0..1 after it, found 'x'"),
    ("evaluation.steps", "expected KEY=VALUE"),
    ("=3", "expected KEY=VALUE"),
    ("a..b=3", "expected KEY=VALUE"),
]


@pytest.mark.parametrize(("override", "message"), REFUSED)
def test_refusals_name_the_key_in_one_line(override: str, message: str | None) -> None:
    if message is None:
        load_experiment(SHORT, [override])
        return
    with pytest.raises(ExperimentError) as caught:
        load_experiment(SHORT, [override])
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("overrides", "expected"),
    [
        (["budget.candidate=5"], "--set budget.candidate=5: budget.candidate: unknown key"),
        (["evaluation.steps=5", "evaluation.steps=x"], "--set evaluation.steps=x: evaluation.st"),
        (["evaluation={steps='x'}"], "--set evaluation={steps='x'}: evaluation.steps: expected"),
        (["fidelity.rungs=[1,'x']"], "--set fidelity.rungs=[1,'x']: fidelity.rungs.1: expected"),
        (
            ["space={name='a', path='x'}"],
            "--set space={name='a', path='x'}: space: expected either",
        ),
        (["budget.hours=1"], "mine.toml: budget.candidate: unknown key"),
    ],
)
def test_the_file_is_not_blamed_for_what_was_set(
    tmp_path: Path, overrides: list[str], expected: str
) -> None:
    text = "[space]\nname = 'gated'\n[[task]]\nname = 'adding'\n"
    if overrides == ["budget.hours=1"]:
        text += "[budget]\ncandidate = 3\n"
    with pytest.raises(ExperimentError) as caught:
        load_experiment(write(tmp_path, text), overrides)
    assert expected in str(caught.value)
    assert ("mine.toml" in expected) == ("mine.toml" in str(caught.value))


def test_what_two_keys_say_together_names_the_options() -> None:
    with pytest.raises(ExperimentError, match=r"quickstart\.toml with --set evaluation.steps=100"):
        load_experiment("quickstart", ["evaluation.steps=100"])


def test_a_bad_seed_is_called_that() -> None:
    with pytest.raises(ExperimentError, match=r"^seed: experiment\.seed: expected"):
        load_experiment("quickstart", seed=-1)


def test_two_spaces_are_refused() -> None:
    with pytest.raises(ExperimentError, match="either 'name' or 'path'"):
        load_experiment(SHORT | {"space": {"name": "gated", "path": "x.toml"}})


def test_a_space_that_is_set_takes_the_place_of_the_files() -> None:
    for name, path, override, source in (
        ("gated", None, "space.path=/mine.toml", "/mine.toml"),
        (None, "/mine.toml", "space.name=scan", "scan"),
    ):
        tables = SHORT | {"space": {"name": name, "path": path}}
        assert load_experiment(tables, [override]).space.source == source


def test_no_task_is_refused() -> None:
    with pytest.raises(ExperimentError, match=r"task: expected at least one \[\[task\]\]"):
        load_experiment({})


@pytest.mark.parametrize("value", [object(), float("nan"), {"a": float("inf")}, [{1, 2}]])
def test_settings_are_plain(value: object) -> None:
    with pytest.raises(ExperimentError, match=r"strategy\.x"):
        load_experiment(SHORT | {"strategy": {"x": value}})


def test_a_missing_file_tells_what_there_is() -> None:
    with pytest.raises(ExperimentError, match=r"did you mean 'quickstart'.*known experiments: "):
        load_experiment("quickstrat")


def test_a_folder_is_no_experiment(tmp_path: Path) -> None:
    with pytest.raises(ExperimentError, match="is a folder"):
        load_experiment(tmp_path)


def test_an_empty_name_is_no_experiment() -> None:
    with pytest.raises(ExperimentError, match=r"^the experiment's name is empty; expected a file"):
        load_experiment("")


def test_a_space_is_no_experiment(tmp_path: Path) -> None:
    path = write(tmp_path, 'operators = ["linear", "tanh"]\n')
    with pytest.raises(ExperimentError, match=r"is a space, not an exp.* --set space.path=/.*mine"):
        load_experiment(path)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[a]\nb = \n", "line 2"),
        ("a = 1\na = 2\n", "not valid TOML"),
        ("[" * 20_000, "not valid TOML"),
        (f"a = {'9' * 5000}", "not valid TOML"),
        ("#" * 2**20 + "\n", "larger than"),
        (f"a{'.b' * 5000} = 1", "nested too deeply"),
        ("a = 1979-05-27\n", "a: expected text"),
    ],
)
def test_malformed_files_are_refused(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(ExperimentError) as caught:
        load_experiment(write(tmp_path, text))
    assert message in str(caught.value)
    assert "mine.toml" in str(caught.value)
    assert len(str(caught.value)) < 600


def test_bytes_that_are_no_text_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "x.toml"
    path.write_bytes(b"a = '\xff'")
    with pytest.raises(ExperimentError, match="not valid TOML"):
        load_experiment(path)


def test_a_home_of_nobody_is_a_path_like_any_other(tmp_path: Path) -> None:
    found = load_experiment(SHORT | {"space": {"path": "~nobody-of-that-name/x.toml"}})
    assert found.space.source == str(Path.cwd() / "~nobody-of-that-name/x.toml")


@pytest.mark.parametrize("name", ["a" * 5000, "no/such/" + "b" * 300, "a\0b"])
def test_names_that_no_file_can_have_are_refused(name: str) -> None:
    with pytest.raises(ExperimentError, match="no such file or experiment"):
        load_experiment(name)
