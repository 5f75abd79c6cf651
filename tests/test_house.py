"""Rules of the house: sizes, imports one way, nothing unsafe, style and types without a finding."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
PACKAGE = ROOT / "cellsearch"
SOURCES = sorted(PACKAGE.rglob("*.py"))
HEAVY = {"torch", "ray", "scipy", "networkx", "deap", "sklearn", "pygraphviz"}


def test_no_file_has_more_than_400_lines() -> None:
    files = [*SOURCES, *(ROOT / "tests").rglob("*.py")]
    long = {
        path.name: count
        for path in files
        if (count := sum(bool(line.strip()) for line in path.read_text().splitlines())) > 400
    }
    assert not long


def test_the_top_level_holds_what_the_design_names() -> None:
    listed = subprocess.run(
        ["git", "ls-files"],  # noqa: S607 - git from the PATH
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    top = {line.split("/")[0] for line in listed.stdout.splitlines()}
    allowed = {"pyproject.toml", "cellsearch", "search_spaces", "experiments", "tests"}
    assert {name for name in top if not name.startswith(".")} <= allowed | {"README.md", "LICENSE"}


@pytest.mark.parametrize("statement", ["import cellsearch", "from cellsearch.cli import main"])
def test_importing_the_package_loads_nothing_heavy(statement: str) -> None:
    code = f"import sys; {statement}; print(*sys.modules)"
    assert not HEAVY & set(_python(code).split())


def test_help_loads_nothing_heavy() -> None:
    code = (
        "import sys, contextlib\n"
        "from cellsearch.cli import main\n"
        "with contextlib.suppress(SystemExit): main(['--help'])\n"
        "print('MODULES', *sys.modules)"
    )
    shown, _, modules = _python(code).partition("MODULES")
    assert "search" in shown
    assert not HEAVY & set(modules.split())


def _python(code: str) -> str:
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return done.stdout


def _imported(path: Path) -> set[str]:
    """Return the modules that a file imports anywhere, under their dotted names."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found |= {node.module}
            found |= {f"{node.module}.{alias.name}" for alias in node.names}
    return found


def _roots(path: Path) -> set[str]:
    return {name.split(".")[0] for name in _imported(path)}


def test_only_run_imports_ray_and_only_genetic_imports_deap() -> None:
    for path in SOURCES:
        inside = path.relative_to(PACKAGE)
        if "ray" in _roots(path):
            assert inside.parts[0] == "run", inside
        if "deap" in _roots(path):
            assert inside == Path("strategies/genetic.py"), inside


def test_strategies_import_neither_torch_nor_ray() -> None:
    code = (
        "import sys, cellsearch.strategies.genetic, cellsearch.strategies.random, cellsearch.space"
    )
    assert not {"torch", "ray"} & set(_python(f"{code}; print(*sys.modules)").split())


LAYERS = [
    {"errors", "files", "levels", "seeds", "resources", "statistics", "plugins"},
    {"operators", "graph", "limits", "canonical"},
    {"notation", "numpy_math", "shapes"},
    {"normal", "numpy_step", "printing", "recipe", "multigraph"},
    {"analysis"},
    {"cell"},
    {"known", "zoo", "space", "strategies", "tasks", "lowering", "shell", "network"},
    {"backends", "layers", "width", "model", "export", "inspection"},
    {"settings", "training", "trained", "evaluation", "table", "testing"},
    {"experiment", "compare", "run"},
    {"target", "commands", "cli"},
]
"""The modules and packages of each height; what is higher may import what is lower or beside it."""
FACES = {"__init__", "__main__"}
"""What shows the package to others, and so imports from any height."""


def test_every_module_has_a_height() -> None:
    names = {path.relative_to(PACKAGE).parts[0].removesuffix(".py") for path in SOURCES}
    assert names - FACES == {name for names in LAYERS for name in names} - {"zoo"}


def test_imports_run_one_way() -> None:
    level = {name: height for height, names in enumerate(LAYERS) for name in names}
    for path in SOURCES:
        own = level.get(path.relative_to(PACKAGE).parts[0].removesuffix(".py"))
        for name in _imported(path):
            parts = name.split(".")
            other = level.get(parts[1]) if parts[0] == "cellsearch" and len(parts) > 1 else None
            lazily = name.startswith("cellsearch.inspection.notebook")  # a cell shows itself
            if own is not None and other is not None and not lazily:
                assert other <= own, f"{path.relative_to(ROOT)} imports {name}"


FORBIDDEN_CALLS = {"eval", "exec", "compile", "__import__"}
FORBIDDEN_MODULES = {"pickle", "marshal", "shelve", "dill", "cloudpickle"}


def test_nothing_read_can_become_code() -> None:
    for path in SOURCES:
        assert not FORBIDDEN_MODULES & _roots(path), path
        for node in ast.walk(ast.parse(path.read_text())):
            if not isinstance(node, ast.Call):
                continue
            if isinstance(node.func, ast.Name):
                assert node.func.id not in FORBIDDEN_CALLS, f"{path}:{node.lineno}"
            called = ast.unparse(node.func)
            assert called not in {"torch.load", "os.system", "os.popen"}, f"{path}:{node.lineno}"
            if called in {"np.load", "numpy.load"}:
                given = {keyword.arg: keyword.value for keyword in node.keywords}
                pickled = given.get("allow_pickle")
                assert isinstance(pickled, ast.Constant) and pickled.value is False, path


@pytest.mark.parametrize("command", [["check"], ["format", "--check"]])
def test_style(command: list[str]) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "ruff", *command, "cellsearch", "tests"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout


def test_types() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "mypy"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout
