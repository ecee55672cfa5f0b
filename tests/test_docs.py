"""The documentation is tried: its Python runs, its links lead somewhere, and every page can be reached.

The Python blocks of one page run in order and share their names, like the lines of one program. `await` may stand at
the top. A block after the line `<!-- not run: reason -->` is compiled only.
"""

import ast
import asyncio
import inspect
import re
import sys
import textwrap
from collections.abc import Coroutine
from pathlib import Path
from types import CodeType, ModuleType
from typing import Any, Final, NamedTuple, cast

import pytest

ROOT: Final = Path(__file__).parents[1]
PAGES: Final = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]

FENCE: Final = re.compile(r"^(?P<indent>[ \t]*)(?P<fence>`{3,}|~{3,})(?P<language>\w*)")
NOT_RUN: Final = re.compile(r"<!-- not run: \S.* -->")
LINK: Final = re.compile(r"\[[^\]]*\]\((?P<target>[^)\s]+)[^)]*\)|^\[[^\]]+\]:\s*(?P<defined>\S+)", re.MULTILINE)
ELSEWHERE: Final = re.compile(r"[a-z]+:|#")


class Block(NamedTuple):
    """A fenced block: its language, its text, the line it begins on, and whether it is to be run."""

    language: str
    text: str
    line: int
    runs: bool

    def code(self, page: Path) -> CodeType:
        """The block compiled so that a traceback shows the page's own line."""
        padded = "\n" * (self.line - 1) + self.text
        code = compile(padded, str(page), "exec", flags=ast.PyCF_ALLOW_TOP_LEVEL_AWAIT, dont_inherit=True)
        return cast("CodeType", code)


def name_of(page: Path) -> str:
    """A page's path as pytest shows it."""
    return page.relative_to(ROOT).as_posix()


def split(text: str) -> tuple[list[Block], str]:
    """A page's fenced blocks, and its text without them."""
    blocks: list[Block] = []
    prose: list[str] = []
    lines = enumerate(text.splitlines(), start=1)
    for number, line in lines:
        opening = FENCE.match(line)
        if not opening:
            prose.append(line)
            continue
        inside: list[str] = []
        for _, content in lines:
            if content.strip() == opening["fence"]:
                break
            inside.append(content)
        before = next((text for text in reversed(prose) if text.strip()), "")
        runs = not NOT_RUN.fullmatch(before.strip())
        blocks.append(Block(opening["language"], textwrap.dedent("\n".join(inside)) + "\n", number + 1, runs))
        prose.append(opening["fence"])
    return blocks, "\n".join(prose)


def python_blocks(page: Path) -> list[Block]:
    """The blocks of a page that are Python."""
    return [block for block in split(page.read_text("utf-8"))[0] if block.language in {"python", "py"}]


def run(page: Path, program: ModuleType, runner: asyncio.Runner) -> None:
    """Run a page's blocks in order, each in the same loop if it awaits, and outside of any loop if it does not."""
    for block in python_blocks(page):
        code = block.code(page)
        if not block.runs:
            continue
        result = eval(code, vars(program))
        if code.co_flags & inspect.CO_COROUTINE:
            runner.run(cast("Coroutine[Any, Any, None]", result))


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_python_on_a_page_runs(page: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """What a reader copies from a page works, in the order it stands there."""
    program = ModuleType("__main__")
    monkeypatch.setitem(sys.modules, "__main__", program)
    monkeypatch.chdir(tmp_path)
    with asyncio.Runner() as runner:
        run(page, program, runner)


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_links_lead_somewhere(page: Path) -> None:
    """A link from a page to a file of the project leads to a file that is there."""
    _, prose = split(page.read_text("utf-8"))
    targets = [match["target"] or match["defined"] for match in LINK.finditer(prose)]
    paths = [target.partition("#")[0] for target in targets if not ELSEWHERE.match(target)]
    assert [path for path in paths if not (page.parent / path).exists()] == []


def test_every_page_can_be_reached() -> None:
    """The navigation names every page, and no page that is not there."""
    navigation = (ROOT / "mkdocs.yml").read_text("utf-8").partition("\nnav:\n")[2]
    named = re.findall(r": (\S+\.md)$", navigation, re.MULTILINE)
    assert sorted(named) == sorted(page.relative_to(ROOT / "docs").as_posix() for page in PAGES[1:])


def test_blocks_are_told_apart() -> None:
    """Language, order, line, indentation and the note that a block is not run are read from the page."""
    page = """Text

```python
x = 1
```

- item

    <!-- not run: needs a server -->

    ```python title="a"
    y = 2
    ```
    ```sh
    ls
    ```
"""
    blocks, prose = split(page)
    assert blocks == [
        Block("python", "x = 1\n", 4, True),
        Block("python", "y = 2\n", 12, False),
        Block("sh", "ls\n", 15, True),
    ]
    assert "x = 1" not in prose


def test_a_reason_is_asked_for() -> None:
    """A block is left out only with a reason."""
    assert split("<!-- not run: -->\n```python\nx\n```")[0][0].runs


def test_a_page_that_fails_is_caught(tmp_path: Path) -> None:
    """Blocks share names and may await or start a loop of their own; an error names the page and its line."""
    page = tmp_path / "page.md"
    page.write_text(
        "```python\nimport asyncio\nseen = []\nasync def f():\n    seen.append(1)\nasyncio.run(f())\n```\n"
        "```python\nawait f()\nassert len(seen) == 2\n```\n"
        "```python\nawait f()\nassert len(seen) == 2, 'three'\n```\n"
    )
    program = ModuleType("__main__")
    with asyncio.Runner() as runner, pytest.raises(AssertionError, match="three") as caught:
        run(page, program, runner)
    assert (str(caught.traceback[-1].path), caught.traceback[-1].lineno + 1) == (str(page), 14)


def test_a_block_that_is_not_run_is_compiled(tmp_path: Path) -> None:
    """A block that is not run must still be Python."""
    page = tmp_path / "page.md"
    page.write_text("<!-- not run: shows a mistake -->\n```python\ndef (\n```\n")
    with asyncio.Runner() as runner, pytest.raises(SyntaxError):
        run(page, ModuleType("__main__"), runner)
