"""The page as a file: everything in it, nothing from elsewhere, equal bytes from equal results."""

from __future__ import annotations

import html
import re
from pathlib import Path

import pandas as pd
import pytest
from stored_report import store
from stored_runs import outcome, written

from trpo_repro.report.collection import PAPER_SCALE, Stored
from trpo_repro.report.html import sections, tables
from trpo_repro.report.html.page import page
from trpo_repro.report.table import Table, files


@pytest.fixture(scope="module")
def text(tmp_path_factory: pytest.TempPathFactory) -> str:
    results = tmp_path_factory.mktemp("results")
    store(results)
    made = page(Stored(results))
    assert made == page(Stored(results))
    return made.decode()


def test_every_section_is_there_in_order(text: str) -> None:
    found = re.findall(r'<section id="([^"]+)">', text)
    wanted = ["claims", "figure4", "atari", "parameters", "ablations", "theory", "published"]
    assert found == [*wanted, "provenance", "videos"]
    assert text.count("<article>") == 28
    assert "20 | 21" in text
    assert "Student&#39;s 95% t interval" in text
    assert "the &lt;disk&gt; is full" in text


@pytest.mark.parametrize(
    ("cell", "wanted"),
    [
        ("1630 [1054, 2206]", "1630 [1054,~2206]"),
        ("−2.5 [−3e-05, 0.1]", "−2.5 [−3e-05,~0.1]"),
        ("2046 ± 1038 of three", "2046~±~1038 of three"),
        ("final 10 iterations, mean [95%]", "final 10 iterations, mean [95%]"),
        ("[a word, another]", "[a word, another]"),
    ],
)
def test_an_interval_and_a_deviation_are_not_broken(cell: str, wanted: str) -> None:
    assert tables.unbroken(cell) == wanted.replace("~", "\u00a0")


def test_cells_of_the_page_are_unbroken(text: str) -> None:
    cells = re.findall("<td>(.*?)</td>", text)
    broken = [c for c in cells if re.search(r"\d ± \d|\[[-−\d.]+, [-−\d.]+\]", c)]
    assert broken == []
    assert [c for c in cells if re.search("\\[[-−\\d.]+,\u00a0[-−\\d.]+\\]", c)]


def test_runs_at_the_paper_s_sizes_have_a_section_of_their_own(tmp_path: Path) -> None:
    written(tmp_path, [1.0])
    written(tmp_path / PAPER_SCALE, [5.0], scale="paper", state="running", iterations=9)
    assert 'id="figure4_paper"' not in page(Stored(tmp_path)).decode()
    written(tmp_path / PAPER_SCALE, [5.0], "algo=vine", scale="paper")
    made = page(Stored(tmp_path)).decode()
    first, second = re.findall(r'<section id="(figure4[^"]*)">', made)
    assert (first, second) == ("figure4", "figure4_paper")
    own = made.split('<section id="figure4_paper">')[1].split("</section>")[0]
    assert "Figure 4 at the paper&#39;s sizes: score against policy iterations" in own
    assert "Computation time" in own


def test_an_ablation_s_value_without_a_complete_run_has_no_line(tmp_path: Path) -> None:
    for seed in range(2):
        written(tmp_path, [1.0, 2.0], seed=seed)
    varied = tmp_path / "ablations"
    written(varied, [1.0, 3.0], "algo.cg_iterations=20")
    written(varied, [1.0], "algo.cg_iterations=5", state="running", iterations=9)
    panels = _ablation_panels(page(Stored(tmp_path)).decode())
    assert '"name":"20"' in panels
    assert '"name":"10 (default)"' in panels
    assert '"name":"5"' not in panels


def test_an_ablation_without_any_complete_run_has_an_empty_panel(tmp_path: Path) -> None:
    written(tmp_path, [1.0, 2.0], seed=1)
    written(tmp_path / "ablations", [1.0], "algo.cg_iterations=5", state="running", iterations=9)
    written(tmp_path, [1.0], state="running", iterations=9)  # the default's same seed
    assert '"name":' not in _ablation_panels(page(Stored(tmp_path)).decode())


def _ablation_panels(made: str) -> str:
    """Return the section of the ablations."""
    return made.split('<section id="ablations">')[1].split("</section>")[0]


def test_what_a_claim_asks_and_its_numbers_stand_open(text: str) -> None:
    articles = re.findall(r"<article>.*?</article>", text, flags=re.DOTALL)
    opened = {re.findall(r"<b>(C\d+)</b>", a)[0]: a.split("<details>")[0] for a in articles}
    assert "The mean final score reaches, on each task: cartpole 9.5" in opened["C01"]
    assert "Met on both counts." in opened["C16"]
    wanted = "swimmer 364 (paper: 364); atari 33500 (paper: 33500)"
    assert f'class="numbers">{wanted}<' in opened["C16"]
    assert 'class="numbers"' not in opened["C03"]  # 34 counts: in its table alone
    assert "beam_rider (paper: 1425.2)" in opened["C12"]  # nothing was measured
    assert 'class="numbers"' not in opened["C10"]  # nor has the paper a number


def test_nothing_comes_from_elsewhere(text: str) -> None:
    sources = re.findall(r'<(?:img|script|link|iframe|source)[^>]*?(?:src|href)="([^"]*)"', text)
    assert sources
    assert all(source.startswith("data:") for source in sources)
    assert "@import" not in text.split("</style>")[0]


def test_without_javascript_every_figure_is_a_drawing(text: str) -> None:
    # What hides a drawing is a class that only a script sets.
    assert text.count('class="drawing fallback"') == 3 + 3  # Figure 4's, Figure 5's
    # An ablation's shows more than its panels do; two that are measured and the theory's have none.
    assert text.count('class="drawing"') == 4
    style = text.split("<style>")[1].split("</style>")[0]
    hiding = [rule for rule in style.split("}") if "display: none" in rule and "drawing" in rule]
    assert [rule.split("{")[0].strip() for rule in hiding] == [".js .drawing.fallback"]


def test_a_stored_table_is_read_as_it_was_written(tmp_path: Path) -> None:
    frame = pd.DataFrame({"a": ["x | y", "1"], "b": ["", "2"]})
    table = Table("A title", frame, frame, ("One note.", "Two."))
    (tmp_path / "a.md").write_bytes(files("a", table)["a.md"])
    found = tables.TABLES.load(tmp_path / "a.md")
    assert found is not None
    assert found.title == "A title"
    assert found.headings == ("a", "b")
    assert found.rows == (("x | y", "–"), ("1", "2"))
    assert found.notes == ("One note.", "Two.")
    assert tables.TABLES.load(tmp_path / "nothing.md") is None


def test_the_command_writes_the_page(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    results = tmp_path / "results"
    written(results, [0.0, 1.0])
    code, out, err = outcome("report", "--results-dir", str(results), capsys=capsys)
    assert (code, err) == (0, "")
    assert Path(out.strip()).read_bytes() == page(Stored(results))
    code, _, err = outcome("report", "--results-dir", str(tmp_path / "no"), capsys=capsys)
    assert code == 2
    assert err.startswith("error: there is no folder")


def test_ordinates_of_figure_5_say_whether_they_are_cost_or_reward(text: str) -> None:
    """They are each other's negative, and no score of Figure 4's."""
    atari = text.split('<section id="atari">')[1].split("</section>")[0]
    for title, name, label in (
        ("Figure 5, as cost", "figure5", "cost (negative reward)"),
        ("Figure 5, as cost, at the paper's sizes", "figure5_paper", "cost (negative reward)"),
        ("Figure 5, as reward", "figure5_reward", "reward of a game"),
    ):
        assert title in html.unescape(atari)
        element = f"{name}-pong".replace("_", "-")
        panel = atari.split(f'id="{element}"')[1].split("</script>")[0]
        assert f'"text":"{label}"' in panel
        assert '"text":"score"' not in panel


def test_headings_leave_greek_letters_as_they_are() -> None:
    assert sections.heading("λ of GAE") == "λ of GAE"
    assert sections.heading("line search") == "Line search"
