"""The report: one file that needs nothing else, says the numbers of the tables, and lets nothing be injected."""

from __future__ import annotations

import re
from dataclasses import replace
from html.parser import HTMLParser
from itertools import pairwise

import pytest
import xarray as xr
from synthetic import synthetic

from scenarios.comparing import compare
from scenarios.page import digits
from scenarios.report import report_html
from scenarios.report.protocol import arm_words, trial_words
from scenarios.report.results import arm_sentences, difference_sentences
from scenarios.running import run
from scenarios.scenario import Scenario
from scenarios.scoring import score

RUN = {"patients": 80, "seed": 1, "keep": "summary"}


def page(result: xr.Dataset, trial: Scenario) -> str:
    return report_html(result, trial, score(result), compare(result), RUN)


@pytest.fixture(scope="module")
def result() -> xr.Dataset:
    return synthetic(80)


@pytest.fixture(scope="module")
def trial() -> Scenario:
    return Scenario.load("scheduled-vs-episodic")


@pytest.fixture(scope="module")
def html(result: xr.Dataset, trial: Scenario) -> str:
    return page(result, trial)


class Reader(HTMLParser):
    """Tags with their attributes, addresses, and the text outside style sheets."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.open: list[str] = []
        self.words: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in ("meta", "img", "br"):
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if "style" not in self.open:
            self.words.append(data)

    @property
    def text(self) -> str:
        return " ".join(" ".join(self.words).split()).replace("\u00a0", " ")


def test_it_asks_for_nothing_from_outside(html: str) -> None:
    reader = Reader(html)
    assert reader.open == []
    assert not {"script", "link", "iframe", "object"} & {tag for tag, _ in reader.tags}
    for tag, attributes in reader.tags:
        for name in ("src", "href", "srcset", "data", "action"):
            address = attributes.get(name)
            if address is not None:
                assert re.match("data:image/svg|#" if name == "src" or tag != "a" else "#|https://doi.org/", address)
    assert "url(" not in html
    assert "@import" not in html


def test_every_place_that_is_linked_exists(html: str) -> None:
    tags = Reader(html).tags
    ids = [attributes["id"] for _, attributes in tags if "id" in attributes]
    links = {
        str(attributes["href"])[1:] for tag, attributes in tags if tag == "a" and str(attributes["href"])[0] == "#"
    }
    assert links
    assert links <= set(ids)
    assert len(ids) == len(set(ids))


def test_pictures_have_words_and_headings_do_not_jump(html: str) -> None:
    tags = Reader(html).tags
    alts = [str(attributes["alt"]) for tag, attributes in tags if tag == "img"]
    assert len(alts) == 4
    assert all(len(alt) > 60 for alt in alts)
    levels = [int(tag[1]) for tag, _ in tags if re.fullmatch("h[1-6]", tag)]
    assert levels[0] == 1
    assert levels.count(1) == 1
    assert all(later <= earlier + 1 for earlier, later in pairwise(levels))


def test_the_same_run_gives_the_same_bytes(html: str, trial: Scenario) -> None:
    assert page(synthetic(80), trial) == html


def test_answer_comes_before_pictures_and_tables(html: str) -> None:
    places = [html.index(f'id="{name}"') for name in ("answer", "pictures", "numbers", "protocol", "limits", "again")]
    assert places == sorted(places)


def test_words_are_explained_where_a_clinician_meets_them(html: str) -> None:
    said = " ".join(re.sub(r"<[^>]+>", " ", html).split())
    for words in (
        "not before 14 weeks after the first dose",
        "at least 4 weeks after the last one",
        "The range of troughs one aims at: 4–7 µg/mL",
        "lower limit of quantification, LLOQ",
        "judged once, in week 14",
        "The disease has come back",
        "Patients with an infusion reaction",
    ):
        assert words in said, words
    assert "min gap" not in said


def test_each_arm_has_a_sentence_with_its_numbers(result: xr.Dataset, html: str) -> None:
    scores = score(result)
    said = {one.arm: one.text for one in arm_sentences(scores)}
    assert list(said) == ["scheduled", "episodic"]
    cells = scores.cells()
    for arm, text in said.items():
        assert text.replace("\u00a0", " ") in Reader(html).text
        for metric in ("loss_of_response", "ada_drug_sensitive", "ada_drug_tolerant"):
            cell = cells[arm, metric, ""]
            value, low, high = (digits(x, metric, cell) for x in (cell.value, cell.low, cell.high))
            assert f"{value}\u00a0% ({low}–{high})" in text


def test_differences_say_direction_and_both_values(result: xr.Dataset) -> None:
    (one,) = difference_sentences(score(result), compare(result))
    said = dict(one.phrases)
    cells = compare(result).cells()
    loss = cells["episodic", "loss_of_response", ""]
    words = said["Loss of response"].replace("\u00a0", " ")
    assert f"{abs(loss.value):.1f} points {'more' if loss.value > 0 else 'less'}" in words
    ours, theirs = (score(result).cells()[arm, "loss_of_response", ""].value for arm in ("episodic", "scheduled"))
    assert words.startswith(f"{ours:.1f} % instead of {theirs:.1f} %")
    level = cells["episodic", "trough_median", "54"]
    assert level.high < 0
    assert f"({abs(level.high):.2f} to {abs(level.low):.2f})" in said["Median trough at the last visit"]


def test_what_chance_may_have_made_is_called_unclear(result: xr.Dataset) -> None:
    # the second half of the patients as if they were an arm of the same ones: nothing but chance differs
    halves = (result.drop_vars("weight").isel(arm=[0], patient=part) for part in (slice(40), slice(40, 80)))
    arms = [half.assign_coords(patient=range(40)) for half in halves]
    alike = xr.concat(arms, "arm").assign_coords(arm=["scheduled", "episodic"])
    cells = compare(alike).cells()
    loss = cells["episodic", "loss_of_response", ""]
    assert loss.low < 0 < loss.high
    (one,) = difference_sentences(score(alike), compare(alike))
    assert "no clear difference" in dict(one.phrases)["Loss of response"]


def test_equal_arms_are_exactly_the_same(result: xr.Dataset) -> None:
    same = result.isel(arm=[0, 0]).assign_coords(arm=["scheduled", "episodic"])
    (one,) = difference_sentences(score(same), compare(same))
    assert all(words.endswith("exactly the same") for _, words in one.phrases)


def test_one_arm_is_reported_without_comparison(result: xr.Dataset, trial: Scenario) -> None:
    alone = page(result.isel(arm=[0]), replace(trial, arms=trial.arms[:1], document=one_arm(trial)))
    assert "instead of" not in alone
    assert "With <strong>‘scheduled’" in alone


def one_arm(trial: Scenario) -> dict[str, object]:
    return {**trial.document, "arm": trial.document["arm"][:1]}


def test_names_of_users_are_text_and_nothing_else(result: xr.Dataset, trial: Scenario) -> None:
    nasty = replace(trial, title="<script>alert(1)</script>", question="a & b < c")
    html = page(result, nasty)
    assert "<script>" not in html
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in html
    assert "a &amp; b &lt; c" in html


@pytest.mark.parametrize("name", Scenario.names())
def test_every_shipped_scenario_has_words(name: str) -> None:
    trial = Scenario.load(name)
    assert len(trial_words(trial)) == 4
    for words, arm, told in zip(arm_words(trial), trial.arms, trial.document["arm"], strict=True):
        said = dict(words.lines)
        assert words.name == arm.name
        for part in told["dosing"]:
            assert part["dose"] in said["Doses"]
        assert len(said["Decisions"]) > 10
        assert ("Premedication" in said) == ("premedication" in told)
        assert ("Immunomodulator" in said) == ("cotherapy" in told)


def test_words_of_protocol() -> None:
    trial = Scenario.load("combination-therapy").with_settings(
        ["arm.thiopurine.cotherapy.0.share=0.5", "arm.thiopurine.adherence.missed=0.15"]
    )
    by_arm = {arm.name: dict(arm.lines) for arm in arm_words(trial)}
    assert by_arm["thiopurine"]["Doses"] == (
        "5 mg/kg in weeks 0, 2 and 6; then 5 mg/kg every 8 weeks, the last one before week 54"
    )
    assert by_arm["thiopurine"]["Immunomodulator"] == (
        "thiopurine, begun with the first dose; 50 % of patients take it"
    )
    assert by_arm["thiopurine added late"]["Immunomodulator"] == "thiopurine, added in week 30"
    assert "probability of 15 %" in by_arm["thiopurine"]["Missed and late doses"]


def test_keys_without_words_are_not_lost(trial: Scenario) -> None:
    told = [{**arm, "novelty": "every second Tuesday"} for arm in trial.document["arm"]]
    (first, _) = arm_words(replace(trial, document={**trial.document, "arm": told}))
    assert dict(first.lines)["novelty"] == "every second Tuesday"


def test_a_randomised_trial_with_dropout_is_told_as_it_was() -> None:
    plan = ["trial.design=randomised", "trial.dropout_per_year=0.5"]
    trial = Scenario.load("scheduled-vs-episodic").with_settings(plan)
    text = Reader(page(run(trial, patients=120, seed=3), trial)).text
    for wrong in ("same patients", "same in every arm", "followed to the end; ", "Nobody leaves", "himself", "nan"):
        assert wrong not in text
    assert "every patient is followed" not in text
    assert "allocation" not in text
    assert re.search(r"Leave the trial early \d+ \(\d+ %\)", text)
    assert "at a rate of 0.5 per patient-year" in text
    assert "every virtual patient is in one arm, drawn 1:1" in text


def test_response_that_comes_back_is_not_called_lost_for_good() -> None:
    trial = Scenario.load("reactive-tdm")
    text = Reader(page(run(trial, patients=40, seed=3), trial)).text
    assert "and final" not in text
    assert "Infliximab used (other drugs not counted)" in text
