"""Every figure against a small picture of itself, drawn without its words.

Words depend on fonts and their version, and other tests read them; shapes, places and colours are compared here. So
that fonts cannot move the shapes either, automatic layout is off. `python tests/test_figure_images.py` draws the
pictures in tests/images anew: look at them before you commit them.

The tolerance is a root mean square of 0 to 255 over all pixels. Another version of the renderer shades the edges of
lines a little differently, below 1 for such pictures; the same figure of other patients is 4 or more away
(`test_other_data_make_another_picture`).
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from functools import partial
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from matplotlib.figure import Figure
from matplotlib.legend import Legend
from matplotlib.text import Text
from synthetic import synthetic, synthetic_evidence, synthetic_ledger, synthetic_ranking, synthetic_story

from pkmodel import windows
from scenarios import figures

IMAGES = Path(__file__).parent / "images"
TOLERANCE = 1.5
DPI = 45


def drawings(seed: int = 7) -> dict[str, Callable[[], Figure]]:
    result = synthetic(60, ("scheduled", "episodic"), seed=seed)
    ledger = synthetic_ledger(result)
    shift = 0.0 if seed == 7 else 0.1
    evidence = synthetic_evidence().assign(predicted=lambda frame: frame["predicted"] * (1 + 3 * shift))
    of_result = ("troughs", "share_in_window", "antibody_incidence", "zones", "antibody_free", "differences")
    return {
        **{name: partial(getattr(figures, name), result) for name in (*of_result, "exposure_response")},
        "story": partial(figures.story, synthetic_story(seed)),
        "decision_flow": partial(figures.decision_flow, ledger, windows.load("taxit"), "episodic", high_titre=1.5),
        "dose_by_interval": partial(figures.heat_map, synthetic_ranking(seed)),
        "forest": partial(figures.forest, evidence),
    }


def picture(figure: Figure) -> np.ndarray:
    """The figure without words as an array of bytes (row, column, colour)."""
    from PIL import Image

    figure.set_layout_engine("none")
    for worded in (*figure.findobj(Text), *figure.findobj(Legend)):
        worded.set_visible(False)
    file = BytesIO()
    figure.savefig(file, dpi=DPI, format="png")
    with Image.open(file) as image:
        return np.asarray(image.convert("RGB"))


def distance(one: np.ndarray, other: np.ndarray) -> float:
    return float(np.sqrt(np.mean((one.astype(np.float64) - other) ** 2)))


def baseline(name: str) -> np.ndarray:
    from PIL import Image

    with Image.open(IMAGES / f"{name}.png") as image:
        return np.asarray(image.convert("RGB"))


@pytest.mark.parametrize("name", list(drawings()))
def test_the_figure_looks_as_it_did(name: str) -> None:
    drawn, expected = picture(drawings()[name]()), baseline(name)
    assert drawn.shape == expected.shape
    assert distance(drawn, expected) <= TOLERANCE


@pytest.mark.parametrize("name", list(drawings()))
def test_other_data_make_another_picture(name: str) -> None:
    drawn, expected = picture(drawings(seed=8)[name]()), baseline(name)
    rows = min(len(drawn), len(expected))  # a caption may have a line more
    assert distance(drawn[:rows], expected[:rows]) > 2 * TOLERANCE


def test_no_baseline_is_left_over() -> None:
    assert {path.stem for path in IMAGES.glob("*.png")} == set(drawings())


if __name__ == "__main__":
    from PIL import Image

    IMAGES.mkdir(exist_ok=True)
    for title, draw in drawings().items():
        Image.fromarray(picture(draw())).save(IMAGES / f"{title}.png", optimize=True)
        print(title, distance(picture(drawings(seed=8)[title]()), baseline(title)), file=sys.stderr)
