"""Good files made bad: by bytes, cells, lines and splices, the same for a seed each time."""

import random
from collections.abc import Sequence

DELIMITERS = (b",", b"|", b"^", b"&", b"~", b"\t", b'"', b"\r\n", b"\n", b"\r", b":", b"<")
CELLS = (
    b"", b'""', b" ", b"0", b"-1", b"00", b"1.11E+08", b"9" * 400, b"1e999", b"NaN", b"-0.0",
    b"7.10", b"20260230", b"99999999", b"00000000", b"20261301", b"202611", b"R9991231",
    b"S640108", b"H310501", b"3550230", b"5010000", b"20261120250000",
    b"20261120093000.98765+0900", b"=1+1", b"@x", b"+1", b"\\F\\", b"\\X0D\\", b"\\.br\\",
    b"\x1b$B", b"\x1b(B", b"\x1b$B8!", b"\x1b(I123", b"\x82\x50\x82\x51", b"\x95\x5c",
    b"\xf0\x40", b"\xee\xe0", b"\x81", b"\xef\xbb\xbf", b"\xe3\x81\x82", b"\xff", b"\x00",
    b"\x1a", b"\x1c", b"\xe2\x80\xae", b"../../x", b"null", b"[]", b"{}", b"&#0;",
    b"<!DOCTYPE a>", b"MSH|^~\\&|", b"PID|1||9", b"RE,1,1112,202611", b"GO,1,1,99",
    b"JAHISTC08,1", b"911,1,2,1", b"201,1,x,1,T,1,,1",
)  # fmt: skip
"What stands in a cell, a field or an element and should not, or only just."


def mutated(rng: random.Random, content: bytes, seeds: Sequence[bytes]) -> bytes:
    """One of the seeds, changed one to four times."""
    for _ in range(rng.choice((1, 1, 1, 2, 2, 3, 4))):
        content = rng.choice(_CHANGES)(rng, content, seeds)
    return content


def _bytes(rng: random.Random, content: bytes, seeds: Sequence[bytes]) -> bytes:
    place = rng.randrange(len(content) + 1)
    cut = rng.choice((0, 0, 1, 1, 2, 8, 40, 400))
    put = rng.choice((rng.choice(CELLS), rng.choice(DELIMITERS), rng.randbytes(rng.randrange(6))))
    return content[:place] + put + content[place + cut :]


def _cell(rng: random.Random, content: bytes, seeds: Sequence[bytes]) -> bytes:
    """One cell becomes another: of the dictionary, or of elsewhere in the file."""
    delimiter = rng.choice(DELIMITERS)
    cells = content.split(delimiter)
    place = rng.randrange(len(cells))
    cells[place] = rng.choice(CELLS) if rng.random() < 0.7 else rng.choice(cells)
    return delimiter.join(cells)


def _line(rng: random.Random, content: bytes, seeds: Sequence[bytes]) -> bytes:
    """A line is left out, comes twice, elsewhere, or is one of another file."""
    end = rng.choice((b"\r\n", b"\n", b"\r"))
    lines = content.split(end)
    place = rng.randrange(len(lines))
    match rng.randrange(4):
        case 0:
            del lines[place]
        case 1:
            lines.insert(place, lines[place])
        case 2:
            lines.insert(rng.randrange(len(lines)), lines.pop(place))
        case _:
            lines.insert(place, rng.choice(rng.choice(seeds).split(end)))
    return end.join(lines)


def _end(rng: random.Random, content: bytes, seeds: Sequence[bytes]) -> bytes:
    return content[: rng.randrange(len(content) + 1)]


def _splice(rng: random.Random, content: bytes, seeds: Sequence[bytes]) -> bytes:
    other = rng.choice(seeds)
    return content[: rng.randrange(len(content) + 1)] + other[rng.randrange(len(other) + 1) :]


_CHANGES = (_bytes, _bytes, _cell, _cell, _cell, _line, _line, _end, _splice)
