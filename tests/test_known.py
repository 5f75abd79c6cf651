"""Specification of the mapping of known cells: names, sources, terms."""

from __future__ import annotations

from pathlib import Path

import pytest

from cellsearch.cell import Cell
from cellsearch.errors import CellError
from cellsearch.known import Zoo, zoo


@pytest.mark.parametrize("name", zoo)
def test_source_names_author_year_and_link(name: str) -> None:
    source = zoo.source(name)
    assert source.sentence.endswith(".")
    assert source.authors
    assert 1980 < source.year < 2030
    assert source.link.startswith("https://")


def test_source_of_the_gru() -> None:
    source = zoo.source("gru")
    assert (source.authors, source.year) == ("Cho et al.", 2014)
    assert source.link == "https://arxiv.org/abs/1406.1078"


def test_short_source_names_at_most_two_authors() -> None:
    assert zoo.source("sru").short == "Lei et al., 2018"
    assert zoo.source("gru").short == "Cho et al., 2014"
    assert zoo.source("nascell").short == "Zoph and Le, 2017"
    assert zoo.source("rnn").short == "Elman, 1990"


def test_terms_of_the_lstm() -> None:
    assert zoo.terms("lstm") == {
        "i": "input gate",
        "f": "forget gate",
        "g": "candidate",
        "o": "output gate",
        "c": "memory cell",
    }


def test_statement_without_a_comment_has_no_term() -> None:
    assert zoo.terms("gru") == {"r": "reset gate", "z": "update gate", "n": "candidate"}
    assert zoo.terms("rnn") == {}


@pytest.mark.parametrize("name", zoo)
def test_terms_are_those_of_statements(name: str) -> None:
    terms = zoo.terms(name)
    assert set(terms) <= {node.name for node in zoo[name].nodes}
    assert len(set(terms.values())) == len(terms)


def test_terms_are_no_part_of_a_cell() -> None:
    text = "".join(line.partition("#")[0] + "\n" for line in zoo["slstm"].text.splitlines())
    assert Cell.parse(text) == zoo["slstm"]


def test_head_without_a_year_is_refused(tmp_path: Path) -> None:
    (tmp_path / "odd.cell").write_text("# What.\n# Who\n# https://where\nh = tanh(linear(x))\n")
    with pytest.raises(CellError, match=r"odd\.cell: line 2 is 'Who'; expected the authors"):
        Zoo(tmp_path).source("odd")


def test_unknown_name_is_both_kinds_of_error() -> None:
    with pytest.raises(CellError, match=r"'lsmt'.*did you mean 'lstm', .* or '") as caught:
        zoo["lsmt"]
    assert str(caught.value).endswith("; `cellsearch list cells` shows them all")
    assert "scrn" not in str(caught.value)  # the nearest few, not all
    with pytest.raises(KeyError):
        zoo["lsmt"]
    for ask in (zoo.source, zoo.terms):
        with pytest.raises(CellError):
            ask("../zoo/gru")
    assert zoo.get("lsmt") is None
    assert "lsmt" not in zoo


def test_zoo_cannot_be_changed() -> None:
    assert not {"__setitem__", "__delitem__"} & set(dir(zoo))
    assert isinstance(zoo["rnn"], Cell)
    assert list(zoo) == sorted(zoo)


def test_a_known_cell_is_found_by_its_id() -> None:
    assert all(zoo.name_of(cell.id) == name for name, cell in zoo.items())
    assert zoo.name_of("c1-00000000000000000000") is None
