"""The pages of the documentation, their code blocks, headings and links.

A comment in front of a block says how it is tested:

- ``<!-- test: gpu -->``: needs a GPU. Without one, python is compiled and the options of commands are parsed.
- ``<!-- test: syntax -->``: the same, always.
- ``<!-- test: exit=1 -->``: the exit code of its commands.
- ``<!-- test: output -->``: what the python block before it printed.

A python block with a ``title="x.py"`` is a file that later blocks use.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).parents[3]
PAGES = [ROOT / name for name in ("README.md", "CONTRIBUTING.md", "CHANGELOG.md")]
PAGES += sorted((ROOT / "docs").rglob("*.md"))

MARK = re.compile(r"<!-- test: (.*) -->")
FENCE = re.compile(r'```(\w*)(?: title="([^"]+)")?$')
HEADING = re.compile(r"(#+) (.*)")
LINK = re.compile(r"(?<!!)\[[^\]]*\]\(([^)\s]+)\)|!\[[^\]]*\]\(([^)\s]+)\)")
REFERENCE = re.compile(r"\[`?[^\]\[]+`?\]\[([\w.]+)\]")


@dataclass(frozen=True)
class Block:
    """A code block: where it stands, its language, its title, its marks and its text."""

    page: Path
    line: int
    language: str
    title: str | None
    marks: tuple[str, ...]
    text: str

    @property
    def where(self) -> str:
        return f"{self.page.relative_to(ROOT)}:{self.line}"


@dataclass
class Page:
    """A page in pieces. `prose` is what stands outside of code blocks."""

    path: Path
    blocks: list[Block] = field(default_factory=list)
    prose: list[str] = field(default_factory=list)

    @property
    def name(self) -> str:
        return str(self.path.relative_to(ROOT))

    @property
    def anchors(self) -> set[str]:
        return {slug(found[2]) for line in self.prose if (found := HEADING.fullmatch(line))}

    @property
    def links(self) -> list[str]:
        """The targets of its links and images inside the repository."""
        found = [a or b for a, b in LINK.findall("\n".join(self.prose))]
        return [target for target in found if not re.match(r"\w+:", target)]

    @property
    def references(self) -> list[str]:
        """The names that it links to in the API reference."""
        return REFERENCE.findall("\n".join(self.prose))


def slug(heading: str) -> str:
    """The anchor of a heading, as GitHub and Python-Markdown make it."""
    text = re.sub(r"[^\w\s-]", "", heading.replace("`", "")).strip().lower()
    return re.sub(r"\s", "-", text)


def read(path: Path) -> Page:
    page, block, marks = Page(path), None, ()
    for number, line in enumerate(path.read_text().splitlines(), 1):
        if block is not None:
            if line == "```":
                page.blocks.append(Block(path, block[0], block[1], block[2], block[3], "\n".join(block[4]) + "\n"))
                block, marks = None, ()
            else:
                block[4].append(line)
        elif fence := FENCE.fullmatch(line):
            block = (number, fence[1], fence[2], marks, [])
        elif line.startswith("```"):
            raise AssertionError(f"{path}:{number}: a fence that this test does not understand: {line}")
        else:
            mark = MARK.fullmatch(line)
            marks = tuple(mark[1].split()) if mark else ()
            page.prose.append(line)
    assert block is None, f"{path}: a block without an end"
    return page
