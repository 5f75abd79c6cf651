import unicodedata
from collections import Counter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cellsearch.tasks import alphabet
from cellsearch.tasks.alphabet import LETTERS, count_characters, encode, fold, most_frequent

TEXTS = st.text(st.sampled_from("aZé\u0301ﬁß İñ—.\n7я中\U0001f600ab "), max_size=60)


@pytest.mark.parametrize(
    ("text", "folded"),
    [
        ("Hello, World!", "hello world "),
        ("Café Müller\n\n  naïve", "cafe muller naive"),
        ("e\u0301té", "ete"),
        ("Straße, ﬁn", "strasse fin"),
        ("İstanbul", "istanbul"),
        ("word—word 1984 x", "word word x"),
        ("да нет", " "),
        ("", ""),
    ],
)
def test_folding(text: str, folded: str) -> None:
    assert fold(text) == folded


def slowly_folded(text: str) -> str:
    letters: list[str] = []
    for character in unicodedata.normalize("NFKD", text).casefold():
        if unicodedata.combining(character):
            continue
        if "a" <= character <= "z":
            letters.append(character)
        elif letters[-1:] != [" "]:
            letters.append(" ")
    return "".join(letters)


@settings(deadline=None)
@given(text=TEXTS, piece=st.integers(1, 7))
def test_folding_is_the_obvious_loop_however_long_the_pieces(text: str, piece: int) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(alphabet, "_PIECE", piece)
        assert fold(text) == slowly_folded(text)


@settings(max_examples=30, deadline=None)
@given(text=TEXTS.filter(bool), piece=st.integers(1, 7))
def test_symbols_are_the_characters_by_frequency(text: str, piece: int) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(alphabet, "_PIECE", piece)
        symbols = most_frequent(count_characters(text))
        encoded = encode(text + "☃", symbols)
    counts = Counter(text)
    assert list(symbols) == sorted(counts, key=lambda c: (-counts[c], c))
    assert [symbols[i] for i in encoded[:-1]] == list(text)
    assert encoded[-1] == len(symbols)  # a snowman is none of them


def test_the_rarest_beyond_127_share_the_symbol_for_others() -> None:
    text = "".join(chr(0x4E00 + i) * (200 - i) for i in range(150))
    symbols = most_frequent(count_characters(text))
    assert len(symbols) == 127
    encoded = encode(text, symbols)
    assert encoded.max() == 127
    assert (encoded == 127).sum() == sum(200 - i for i in range(127, 150))


def test_letters_are_numbered_with_the_space_first() -> None:
    assert encode("a z", LETTERS).tolist() == [1, 0, 26]
    assert encode("a", LETTERS).dtype == np.uint8
