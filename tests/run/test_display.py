"""The live block: what it shows on a terminal, and nothing elsewhere."""

import io

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


def test_without_a_terminal_there_is_a_line_for_every_tenth() -> None:
    output = io.StringIO()
    with Display(Console(file=output)) as display:
        for done in range(41):
            display(Progress(phase="search", done=done, total=40, best=0.25, best_index=4))
        display(Progress(phase="done", done=40, total=40))
    lines = output.getvalue().splitlines()
    assert [line.partition(",")[0] for line in lines] == [f"search {n}/40" for n in range(0, 41, 4)]
    assert "best so far 0.2500 (candidate 4), " in lines[3]
    assert lines[3].endswith(" left")


def test_what_the_store_brings_back_is_not_told_line_by_line() -> None:
    output = io.StringIO()
    with Display(Console(file=output)) as display:
        for done in range(1, 41):
            display(Progress(phase="search", done=done, restored=done, total=40))
    assert output.getvalue() == ""


def test_the_time_left_is_unknown_without_a_number_or_a_speed() -> None:
    display = Display(Console(file=io.StringIO()))
    display(MOMENT)
    assert display.time_left() is None
    display(Progress(phase="search", done=1))
    assert display.time_left() is None
