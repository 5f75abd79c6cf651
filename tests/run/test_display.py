"""The live block: what it shows on a terminal, and nothing elsewhere."""

import io
from dataclasses import replace

from rich.console import Console

from cellsearch.run.display import Display
from cellsearch.run.progress import Progress

MOMENT = Progress(
    phase="search",
    done=7,
    total=12,
    failed=1,
    stopped=2,
    duplicates=3,
    best=0.25,
    best_index=4,
    baselines={"rnn": 0.9, "gru": 0.3, "lstm": None},
)


def test_the_block_tells_how_far_and_how_good() -> None:
    output = io.StringIO()
    console = Console(file=output, force_terminal=True, width=100)
    with Display(console) as display:
        display(MOMENT)
        display(Progress(phase="search", done=8, total=12, notice="mind the gap"))
        display(MOMENT)
    text = output.getvalue()
    for part in ("7/12", "1 failed", "2 stopped early", "3 deduplicated", "0.2500 (candidate 4)"):
        assert part in text
    assert "lstm failed   gru 0.3000   lower is better" in text
    assert "mind the gap" in text
    assert "a minute" in text


def test_notices_are_shown_as_they_stand_also_without_a_terminal() -> None:
    notice = "begun on [bold]A[/bold] [/]\x1b[31m, goes on " + "on B " * 40
    output = io.StringIO()
    with Display(Console(file=output, width=60)) as display:
        display(Progress(phase="done", notice=notice))
    assert output.getvalue().count("\n") == 1
    assert output.getvalue().startswith("begun on [bold]A[/bold] [/]")
    assert "\x1b" not in output.getvalue()


def lines(phase: str, dones: range, total: int | None, restored: int = 0) -> list[str]:
    output = io.StringIO()
    with Display(Console(file=output)) as display:
        for done in dones:
            now = Progress(phase=phase, done=done, total=total, restored=min(done, restored))
            display(replace(now, best=0.25, best_index=4))
        display(Progress(phase="done", done=dones[-1], total=total))
    return output.getvalue().splitlines()


def test_without_a_terminal_there_is_a_line_for_every_tenth() -> None:
    found = lines("search", range(26), 25)
    tenths = [1, 3, 5, 8, 10, 13, 15, 18, 20, 23, 25]
    assert [line.partition(",")[0] for line in found] == [f"search {n}/25" for n in tenths]
    assert "best so far 0.2500 (candidate 4), " in found[3]
    assert found[3].endswith(" left")
    assert lines("baselines", range(2), 2)[0].startswith("baselines 0/2")
    without = lines("search", range(21), None)
    assert [line.partition(",")[0] for line in without] == ["search 1", "search 10", "search 20"]


def test_what_the_store_brings_back_is_not_told_line_by_line() -> None:
    assert lines("search", range(41), 40, restored=40) == []
    found = lines("search", range(41), 40, restored=30)
    assert [line.partition(",")[0] for line in found] == [
        f"search {n}/40" for n in (31, 32, 36, 40)
    ]


def test_the_time_left_is_unknown_without_a_number_or_a_speed() -> None:
    display = Display(Console(file=io.StringIO()))
    display(MOMENT)
    assert display.time_left() is None
    display(Progress(phase="search", done=1))
    assert display.time_left() is None
