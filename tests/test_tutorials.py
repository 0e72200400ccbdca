"""The demonstrations: every cell runs, and prints what stands under it.

`python tests/test_tutorials.py` runs all cells and writes what they print, and their pictures, into docs/tutorial: for
when numbers have changed. Read the words around them afterwards; they are not checked.
"""

from __future__ import annotations

import contextlib
import io
import os
import re
from pathlib import Path

import pytest

FOLDER = Path(__file__).parent.parent / "docs" / "tutorial"
PAGES = sorted(path for path in FOLDER.glob("*.md") if path.stem[0].isdigit())
CELL = re.compile(r"```\{code-cell\} python\n(.*?)```\n\n<!-- printed -->\n```text\n(.*?)```\n", re.DOTALL)


def printed(code: str) -> str:
    """Run a cell and return what it prints."""
    said = io.StringIO()
    with contextlib.redirect_stdout(said):
        exec(compile(code, "cell", "exec", dont_inherit=True), {"__name__": "cell"})
    return said.getvalue()


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_cells_print_what_stands_under_them(page: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    text = page.read_text(encoding="utf-8")
    cells = CELL.findall(text)
    assert cells
    assert text.count("{code-cell}") == len(cells)
    for code, output in cells:
        assert output.strip()
        assert printed(code) == output
    for picture in re.findall(r"\]\(([\w-]+\.png)\)", text):
        assert (tmp_path / picture).exists()  # the page's picture is made by the page
        assert (FOLDER / picture).stat().st_size > 10_000


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_jupytext_reads_the_same_cells(page: Path) -> None:
    """A MyST notebook: its front matter names format and kernel, and Jupyter finds the cells that are run above."""
    import jupytext

    text = page.read_text(encoding="utf-8")
    book = jupytext.read(page)
    assert book.metadata["kernelspec"]["name"] == "python3"
    assert book.metadata["jupytext"]["text_representation"]["format_name"] == "myst"
    assert [one.source + "\n" for one in book.cells if one.cell_type == "code"] == [
        code for code, _ in CELL.findall(text)
    ]


@pytest.mark.slow
@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_jupyter_runs_the_notebook(page: Path, tmp_path: Path) -> None:
    """In a kernel of its own, by Jupyter's client; needs the extra "notebooks"."""
    import jupytext

    nbclient = pytest.importorskip("nbclient")
    pytest.importorskip("ipykernel")
    book = jupytext.read(page)
    nbclient.NotebookClient(book, timeout=600, resources={"metadata": {"path": str(tmp_path)}}).execute()
    said = [
        "".join(out.text for out in one.outputs if out.get("name") == "stdout")
        for one in book.cells
        if one.cell_type == "code"
    ]
    assert said == [output for _, output in CELL.findall(page.read_text(encoding="utf-8"))]
    assert list(tmp_path.glob("*.png"))


def test_every_page_has_all_its_parts() -> None:
    assert len(PAGES) == 6
    index = (FOLDER / "index.md").read_text(encoding="utf-8")
    for page in PAGES:
        text = page.read_text(encoding="utf-8")
        for part in (
            "**Question.**",
            "**Guess first**",
            "**The published figure.**",
            "**Exercise.**",
            "Answer</summary>",
        ):
            assert part in text, (page.stem, part)
        assert re.search(r"!\[.{30,}\]\(" + re.escape(f"{page.stem}.png") + r"\)", text), page.stem
        code = "".join(code for code, _ in CELL.findall(text))
        assert 1 <= len(re.findall(r"\bsc\.run\(", code)) <= 5, page.stem
        assert "not for treating patients" in text
        assert f"({page.name})" in index


if __name__ == "__main__":
    os.chdir(FOLDER)
    for one in PAGES:
        old = one.read_text(encoding="utf-8")
        new = CELL.sub(
            lambda found: (
                f"```{{code-cell}} python\n{found[1]}```\n\n<!-- printed -->\n```text\n{printed(found[1])}```\n"
            ),
            old,
        )
        one.write_text(new, encoding="utf-8")
        print(one.name, "changed" if new != old else "the same")
