"""Specification of dry runs: what a search would do, and what becomes of a run that is there."""

from pathlib import Path

from command_line import Say, files


def test_dry_run_says_what_would_be_done_and_writes_nothing(say: Say, tmp_path: Path) -> None:
    before = files(tmp_path)
    code, out, _ = say("search", "small.toml", "--dry-run")
    assert code == 0
    assert "3 candidates" in out
    assert "about 1 minute, more or less" in " ".join(out.split())
    assert files(tmp_path) == before


def test_dry_run_knows_every_limit(say: Say) -> None:
    def steps(*limits: str) -> int:
        given = [word for limit in limits for word in ("--set", f"budget.{limit}")]
        out = " ".join(say("search", "small.toml", *given, "--dry-run")[1].split())
        return int(out.split(" training steps on every task")[0].split()[-1].replace(",", ""))

    others = steps("candidates=1000") - steps("candidates=1000", "total_steps=500") + 500
    assert others > 500  # what the candidates would take, without baselines and finals
    assert steps("candidates=3", "total_steps=1000000") == steps()


def test_super_networks_are_timed_and_told_where_nothing_is_left_of_them(say: Say) -> None:
    pruned = ["search", "small.toml", "--set", "strategy.name=prune", "--set", "strategy.slots=2"]
    pruned += ["--set", "strategy.drop=0.3"]
    code, out, _ = say(*pruned, "--dry-run")
    assert code == 0 and "super-network" in out
    code, out, _ = say(*pruned, "--workers", "0")
    assert code == 0
    assert "All that the strategy proposed were super-networks" in " ".join(out.split())


def test_dry_run_says_what_is_over_a_limit(say: Say) -> None:
    little = ["search", "small.toml", "--dry-run", "--set", "evaluation.max_operations=100"]
    code, out, error = say(*little)
    assert code == 0 and "training steps" in out
    assert error.startswith("baseline rnn: ") and "evaluation.max_operations is 100" in error
    code, _, error = say(*little, "--set", "strategy.name=prune", "--set", "strategy.slots=2")
    assert code == 2 and "super-network: " in error and "lower strategy.slots" in error


def test_dry_run_and_search_say_what_becomes_of_the_seeds(say: Say) -> None:
    seeded = ["search", "small.toml", "--set", "space.name=jozefowicz"]
    seeded += ["--set", "evaluation.parameters=2000"]
    left_out = "does not begin with the space's seeds, lstm, gru_reset_before; genetic does"
    assert say(*seeded, "--dry-run")[2].startswith(f"random {left_out}")
    grown = [*seeded, "--set", "strategy.name=grow", "--run", "grown", "--workers", "0"]
    assert f"grow {left_out}" in say(*grown)[2]
    code, out, error = say(*seeded, "--set", "strategy.name=genetic", "--dry-run")
    assert code == 0 and "genetic begins with 2 of the space's seeds: lstm, gru_reset_b" in out
    assert error == ""
    few = [*seeded, "--set", "strategy.name=genetic", "--set", "budget.candidates=2"]
    warning = "budget.candidates = 2 leaves the strategy none to find, beside the draws of the con"
    assert say(*few, "--dry-run")[2].startswith(warning)
    code, out, error = say(*few, "--workers", "0")
    assert code == 0 and warning in error
    assert "the strategy proposed nothing of its own." in " ".join(out.split())


def test_dry_run_says_what_becomes_of_a_run_that_is_there(say: Say, tmp_path: Path) -> None:
    say("search", "small.toml", "--workers", "0")
    before = files(tmp_path)
    code, out, _ = say("search", "small.toml", "--dry-run")
    assert code == 0
    assert "runs/small-seed0: is finished, with 3 candidates; a search shows it" in out
    assert "training steps" not in out
    code, out, _ = say("search", "small.toml", "--dry-run", "--set", "budget.candidates=9")
    assert code == 0
    assert "is finished with 3 candidates; a search goes on from there" in out
    assert "The whole run: " in out
    other = ["search", "small.toml", "--set", "space.name=darts"]
    refused = say(*other, "--dry-run")
    assert refused == say(*other, "--workers", "0")
    assert refused[0] == 2
    assert "space is minimal there and darts here" in refused[2]
    assert files(tmp_path) == before
