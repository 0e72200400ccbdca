"""Figures: they show the numbers of the score, name units, n and interval, and stay apart from each other."""

from __future__ import annotations

import sys
from itertools import combinations
from pathlib import Path

import numpy as np
import pytest
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.text import Text
from synthetic import LLOQ, synthetic

from scenarios import figures
from scenarios.canvas import STYLES
from scenarios.scoring import score

ARMS = ("scheduled", "episodic", "escalated")
FURTHER = ("zones", "antibody_free", "differences", "exposure_response")
LONG = tuple(f"{dose} mg every {weeks} weeks with thiopurine" for dose in (40, 80) for weeks in (1, 2, 4))


@pytest.fixture(scope="module")
def result() -> xr.Dataset:
    return synthetic(80, ARMS)


def words(figure: Figure) -> str:
    """Every text in a figure, on one line."""
    return " ".join(text.get_text() for text in figure.findobj(Text) if text.get_visible()).replace("\n", " ")


@pytest.mark.parametrize("name", list(figures.FIGURES))
def test_figures_name_units_patients_and_seed(result: xr.Dataset, name: str) -> None:
    said = words(figures.FIGURES[name](result, None))
    assert "n = 80 virtual patients" in said
    assert "seed 1" in said
    assert "Weeks since first dose" in said
    assert "(%)" in said or "(µg/mL)" in said
    assert "95 % Monte-Carlo interval" in said or "middle 90 %" in said
    for arm in ARMS:
        assert arm in said


@pytest.mark.parametrize("arms", [("scheduled",), ARMS, LONG], ids=["one", "three", "six-long-names"])
@pytest.mark.parametrize("name", [*(draw.__name__ for draw in figures.FIGURES.values()), *FURTHER])
def test_no_words_overlap_or_leave_the_page(name: str, arms: tuple[str, ...]) -> None:
    if name == "differences" and len(arms) == 1:
        arms = ARMS[:2]
    check_words(getattr(figures, name)(synthetic(40, arms)))


def labels_beyond_the_ends(axes: Axes) -> list[Text]:
    """Tick labels that Matplotlib keeps but does not draw."""
    found = []
    for axis, (low, high) in ((axes.xaxis, sorted(axes.get_xlim())), (axes.yaxis, sorted(axes.get_ylim()))):
        found += [tick.label1 for tick in axis.get_major_ticks() if not low <= tick.get_loc() <= high]
    return found


def check_words(figure: Figure) -> None:
    """No text touches another or leaves the page."""
    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    page = figure.bbox
    unseen = {id(label) for axes in figure.axes for label in labels_beyond_the_ends(axes)}
    boxes = [
        (text.get_text(), text.get_window_extent())
        for text in figure.findobj(Text)
        if text.get_visible() and text.get_text().strip() and id(text) not in unseen
    ]
    for text, box in boxes:
        assert box.x0 >= page.x0 - 1, text
        assert box.x1 <= page.x1 + 1, text
        assert box.y0 >= page.y0 - 1, text
        assert box.y1 <= page.y1 + 1, text
    for (one, a), (other, b) in combinations(boxes, 2):
        assert not a.padded(-1).overlaps(b.padded(-1)), (one, other)


def test_medians_drawn_are_the_medians_scored(result: xr.Dataset) -> None:
    frame = score(result, metric="trough_median").frame
    panels = figures.troughs(result).axes
    for arm, panel in zip(ARMS, panels, strict=True):
        (line,) = (one for one in panel.lines if one.get_label() == arm)
        for week, level in zip(*line.get_data(), strict=True):
            got = frame[(frame["arm"] == arm) & (frame["visit"] == f"{week:g}")].iloc[0]
            if "LLOQ" in got.unit:
                assert panel.get_ylim()[0] < level < LLOQ  # on the strip below the limit
            else:
                assert level == got.estimate


def test_shares_drawn_are_the_shares_scored(result: xr.Dataset) -> None:
    frame = score(result, metric="in_window").frame
    (axes,) = figures.share_in_window(result).axes
    for arm, drawn in zip(ARMS, axes.containers, strict=True):
        middle, _, (bars,) = drawn.lines
        expected = frame[frame["arm"] == arm]
        np.testing.assert_array_equal(middle.get_ydata(), expected["estimate"])
        ends = np.array([segment[:, 1] for segment in bars.get_segments()])
        np.testing.assert_allclose(ends, expected[["low", "high"]], atol=1e-12)


def test_window_without_upper_bound_is_shaded_to_the_top(result: xr.Dataset) -> None:
    figure = figures.troughs(result, "target-inf-maint-clinical")
    assert "at least 3 µg/mL" in words(figure)


@pytest.mark.parametrize("name", list(figures.FIGURES))
def test_drawing_into_given_axes_returns_their_figure(result: xr.Dataset, name: str) -> None:
    mine = Figure()
    axes = mine.subplots()
    assert figures.FIGURES[name](result, "taxit", axes) is mine
    assert mine.axes == [axes]
    legend = axes.get_legend()
    assert legend is not None
    entries = [text.get_text() for text in legend.get_texts()]
    assert len(entries) == len(ARMS) * (2 if name == "antibodies.png" else 1)
    assert "µg/mL" in axes.get_ylabel() or "%" in axes.get_ylabel()


@pytest.mark.parametrize("name", [*(draw.__name__ for draw in figures.FIGURES.values()), *FURTHER])
def test_a_legend_lies_beside_the_data(name: str) -> None:
    """For whatever data: not inside the axes, nor over the words below them."""
    result = synthetic(40, ARMS[:2])
    mine = Figure(figsize=(7.0, 5.0), layout="constrained")
    axes = mine.subplots()
    for figure in (getattr(figures, name)(result, ax=axes), getattr(figures, name)(result)):
        FigureCanvasAgg(figure).draw()
        legends = [one for one in (*figure.legends, *(each.get_legend() for each in figure.axes)) if one is not None]
        for each in figure.axes:
            words = [each.xaxis.label, *each.get_xticklabels()]
            taken = [each.bbox, *(text.get_window_extent() for text in words if text.get_text())]
            for legend in legends:
                assert not any(legend.get_window_extent().padded(-1).overlaps(box) for box in taken)
                assert legend.get_window_extent().x1 <= figure.bbox.x1 + 1
    assert axes.get_legend() is not None


def test_save_all_writes_the_same_bytes_twice(result: xr.Dataset, tmp_path: Path) -> None:
    from PIL import Image

    small = result.isel(arm=[0, 1], patient=slice(30))
    (tmp_path / "again").mkdir()
    drawn = figures.save_all(small, "taxit", tmp_path)
    figures.save_all(small, "taxit", tmp_path / "again")
    assert list(drawn) == ["troughs", "share_in_window", "antibody_incidence"]
    for name in ("troughs.png", "in_window.png", "antibodies.png"):
        one, other = tmp_path / name, tmp_path / "again" / name
        assert one.read_bytes() == other.read_bytes()
        with Image.open(one) as picture:
            assert picture.info["dpi"] == pytest.approx((150, 150), abs=0.1)  # PNG stores dots per metre
            assert len(picture.convert("L").getcolors(maxcolors=1 << 24) or []) > 20  # not a blank page


def test_styles_differ_without_colour() -> None:
    assert len({style.marker for style in STYLES}) == len(STYLES)
    assert len({str(style.line) for style in STYLES}) == len(STYLES)


def test_no_pyplot_is_involved(result: xr.Dataset) -> None:
    before = "matplotlib.pyplot" in sys.modules
    figures.share_in_window(result)
    assert ("matplotlib.pyplot" in sys.modules) == before
