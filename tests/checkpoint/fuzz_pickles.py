"""Damaged and made-up pickles: `python tests/checkpoint/fuzz_pickles.py --cases 100000 --seed 1`.

Each is a file of the corpus with bytes changed, cut, repeated or exchanged with another's, or a row of opcodes out of a
grammar. It is read or refused with a CheckpointError; another exception, an import, something executed, or more than
ten seconds is a finding, and ends the run with the file kept.
"""

from __future__ import annotations

import argparse
import collections
import faulthandler
import io
import random
import signal
import sys
import tempfile
import time
import warnings
import zipfile
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1]))

from helpers.checkpoint import pickle_corpus

from trtnet.checkpoint import open_checkpoint
from trtnet.checkpoint.formats.pickled_file import open_pickled
from trtnet.support.errors import CheckpointError

SECONDS = 10
WHOLE = 20
"""One case in so many goes through open_checkpoint, and so through torch too."""
FORBIDDEN = (
    "exec",
    "compile",
    "os.system",
    "os.exec",
    "os.posix_spawn",
    "subprocess.Popen",
    "socket.connect",
    "pickle.find_class",
)

ATOMS = (
    b"N", b"\x88", b"\x89", b"K\x01", b"K\x04", b"J\xff\xff\xff\xff", b"M\x00\x10", b"]", b"}", b")", b"\x8f",
    b"G?\xf0\0\0\0\0\0\0", b"\x8a\x09\xff\xff\xff\xff\xff\xff\xff\xff\x7f", b"I7\n", b"F1.5\n", b"C\x02ab", b"U\x02ab",
    *(pickle_corpus.text(word) for word in ("storage", "0", "cpu", "weight", "model", "_modules", "_parameters")),
)  # fmt: skip
GLOBALS = (
    b"ctorch._utils\n_rebuild_tensor_v2\n", b"ctorch._utils\n_rebuild_tensor_v3\n",
    b"ctorch._utils\n_rebuild_parameter\n",
    b"ctorch\nFloatStorage\n", b"ctorch\nHalfStorage\n", b"ctorch.storage\nUntypedStorage\n", b"ctorch\nfloat32\n",
    b"ccollections\nOrderedDict\n", b"cnumpy.core.multiarray\n_reconstruct\n", b"cnumpy\ndtype\n", b"cos\nsystem\n",
    b"cnumpy._core.numeric\n_frombuffer\n", b"c__builtin__\neval\n", b"cantigravity\nfly\n", b"ctorch\nSize\n",
    b"ctorch._utils\n_rebuild_qtensor\n", b"ctorch._tensor\n_rebuild_from_type_v2\n", b"c_codecs\nencode\n",
)  # fmt: skip
MOVES = (
    b"(", b"0", b"1", b"2", b"t", b"l", b"d", b"a", b"e", b"s", b"u", b"R", b"b", b"\x81", b"\x92", b"o", b"Q", b"\x85",
    b"\x86", b"\x87", b"\x93", b"\x94", b"q\0", b"q\1", b"h\0", b"h\1", b"\x90", b"\x91", b"ios\nsystem\n", b"P0\n",
)  # fmt: skip
_STORAGE = b"(" + ATOMS[17] + GLOBALS[3] + ATOMS[18] + ATOMS[19] + b"K\x04tQ"
PHRASES = (
    _STORAGE,
    GLOBALS[0] + b"(" + _STORAGE + b"K\0K\x02K\x02\x86K\x02K\x01\x86\x89}tR",
    b"}(" + ATOMS[20],
)


def grown(rng: random.Random) -> bytes:
    """Opcodes in a row that a grammar allows."""
    kinds = (ATOMS, GLOBALS, MOVES, PHRASES)
    parts = [rng.choice(rng.choices(kinds, (4, 2, 6, 1))[0]) for _ in range(rng.randint(1, 80))]
    return b"\x80" + bytes([rng.randint(2, 5)]) + b"".join(parts) + b"." * rng.randint(0, 1)


def mutated(rng: random.Random, content: bytes, other: bytes) -> bytes:
    """A pickle with some of it changed."""
    found = bytearray(content)
    for _ in range(rng.choice((1, 1, 2, 5, 20))):
        at = rng.randrange(len(found) + 1)
        length = rng.choice((1, 1, 2, 8, 60))
        match rng.randrange(7):
            case 0:
                found[at : at + 1] = bytes([rng.randrange(256)])
            case 1:
                del found[at : at + length]
            case 2:
                found[at:at] = found[at : at + length] * rng.randint(1, 50)
            case 3:
                start = rng.randrange(len(other))
                found[at : at + length] = other[start : start + length]
            case 4:
                found[at:at] = rng.choice(rng.choice((ATOMS, GLOBALS, MOVES, PHRASES)))
            case 5:
                found[at : at + 4] = rng.choice((b"\xff" * 4, b"\0" * 4, b"\xff\xff\xff\x7f"))
            case _:
                found = found[: max(at, 1)] if rng.random() < 0.1 else found
        found = found or bytearray(b".")
    return bytes(found[: 1 << 18])


class Case:
    """Files of the corpus in parts: a zip's members, of which data.pkl is changed, or a pickle."""

    def __init__(self, content: bytes) -> None:
        self.members: dict[str, bytes] = {}
        self.pickled = content
        if content.startswith(b"PK"):
            with zipfile.ZipFile(io.BytesIO(content)) as archive:
                self.members = {name: archive.read(name) for name in archive.namelist()}
            self.name = next(name for name in self.members if name.endswith("/data.pkl"))
            self.pickled = self.members[self.name]

    def written(self, pickled: bytes) -> bytes:
        if not self.members:
            return pickled
        file = io.BytesIO()
        with zipfile.ZipFile(file, "w") as archive:
            for name, content in (self.members | {self.name: pickled}).items():
                archive.writestr(name, content)
        return file.getvalue()


def run(cases: int, seed: int, folder: str | None = None) -> dict[str, int]:
    """outcome -> how often. Raises AssertionError with the case's number where one is a finding."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        corpus = [Case(content) for content, _ in pickle_corpus.corpus().values()]
    corpus += [Case(content) for content in pickle_corpus.traps("/nowhere/x").values() if len(content) < 5000]
    rng = random.Random(seed)
    outcomes: collections.Counter[str] = collections.Counter()
    with tempfile.TemporaryDirectory(dir=folder) as kept:
        path = Path(kept) / "x.pt"
        for number in range(cases):
            case = rng.choice(corpus)
            changed = grown(rng) if rng.random() < 0.3 else mutated(rng, case.pickled, rng.choice(corpus).pickled)
            content = case.written(changed)
            path.write_bytes(content)
            outcome = _outcome(path, content.startswith(b"PK"), whole=number % WHOLE == 0)
            if outcome not in ("read", "refused"):
                finding = Path(tempfile.gettempdir()) / f"finding-{seed}-{number}.pt"
                finding.write_bytes(content)
                raise AssertionError(f"case {number} of seed {seed}: {outcome}; kept as {finding}")
            outcomes[outcome] += 1
    return dict(outcomes)


def _outcome(path: Path, zipped: bool, whole: bool) -> str:
    modules, start = set(sys.modules), time.perf_counter()
    try:
        with open_checkpoint(path) if whole else open_pickled(path, zipped) as found:
            for key in found:
                if found.listed(key).readable:
                    found[key].nbytes  # noqa: B018
        outcome = "read"
    except CheckpointError:
        outcome = "refused"
    except Exception as error:
        return f"crashed with {type(error).__name__}: {error}"
    # names of members of a zip archive have encodings, which zipfile looks for
    if imported := [name for name in set(sys.modules) - modules if not whole and not name.startswith("encodings.")]:
        return f"imported {imported}"
    seconds = time.perf_counter() - start
    return outcome if seconds < SECONDS else f"took {seconds:.1f} s"


def _watch(event: str, arguments: tuple[Any, ...]) -> None:
    if event.startswith(FORBIDDEN):
        raise AssertionError(f"it did {event} {arguments}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--cases", type=int, default=100_000)
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    faulthandler.enable()
    run(50, 99)  # what torch imports at its first load
    sys.addaudithook(_watch)
    signal.signal(signal.SIGALRM, lambda *_: sys.exit("hung"))
    start = time.perf_counter()
    folder = "/dev/shm" if Path("/dev/shm").is_dir() else None
    done: collections.Counter[str] = collections.Counter()
    for begin in range(0, arguments.cases, 1000):
        signal.alarm(600)
        done.update(run(min(1000, arguments.cases - begin), arguments.seed * 1_000_003 + begin, folder))
        print(f"{sum(done.values()):,} cases, {dict(done)}, {time.perf_counter() - start:.0f} s", flush=True)


if __name__ == "__main__":
    main()
