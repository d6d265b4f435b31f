"""Gaps of several runs, and the protocol's folder that they are read from."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, ClassVar, Literal

import pytest
from click.testing import CliRunner
from doubles import sums

import tts
from tts.cli import main
from tts.eval import Prices, evaluate, gap_table, read_gaps


def test_gaps_are_read_from_folders_and_summaries(fake: Any, tmp_path: Path) -> None:
    fake()
    found = evaluate(sums(8), tmp_path / "small", model="fake:small", n=4, k=2, strategies=["majority", "gsr"])
    other = tts.compare(sums(8, 20), strategies=["majority", "gsr"], k=2, model="fake:large")
    other.save(tmp_path / "large.json")
    small, large = read_gaps([tmp_path / "small", tmp_path / "large.json"])
    assert small.gap == found.comparison.gap("gsr", "majority")
    assert large.refined == other.accuracy("gsr")
    assert (small.run, small.model, large.run) == ("small", "fake:small (fake)", "large.json")
    table = gap_table([small, large])
    assert [row[0] for row in table.rows] == ["small", "large.json"]
    shown = CliRunner().invoke(main, ["gaps", str(tmp_path / "small")], prog_name="tts").stdout
    assert f"{100 * small.gap.mean:+.1f}" in shown
    (line,) = CliRunner().invoke(main, ["gaps", str(tmp_path / "small"), "--json"], prog_name="tts").stdout.splitlines()
    assert json.loads(line)["gap"]["mean"] == small.gap.mean


def test_the_page_goes_where_it_is_asked_for(fake: Any, tmp_path: Path) -> None:
    fake()
    evaluate(sums(2), tmp_path / "a", model="fake:m", n=2, k=2, strategies=["majority"], report=tmp_path / "p.md")
    assert (tmp_path / "p.md").read_text().startswith("# majority on")
    assert not (tmp_path / "a" / "report.html").exists()
    with pytest.raises(tts.ConfigError, match=r"cannot write a report to .*page.docx"):
        evaluate(sums(2), tmp_path / "b", model="fake:m", n=2, k=2, strategies=["majority"], report="page.docx")
    assert not (tmp_path / "b").exists(), "said before anything is sampled"


def test_without_matplotlib_the_rest_is_written(
    fake: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    fake()
    monkeypatch.setattr("tts.eval.protocol.find_spec", lambda _name: None)
    evaluate(sums(2), tmp_path, model="fake:m", n=2, k=2, strategies=["majority"])
    assert "charts need matplotlib; pip install 'ttscale[report]'" in caplog.text
    assert (tmp_path / "report.md").exists() and not (tmp_path / "report.html").exists()
    evaluate(sums(2), tmp_path / "b", model="fake:m", n=2, k=2, strategies=["majority"], report="page.md")
    assert (tmp_path / "b" / "page.md").exists(), "Markdown has no figures"
    with pytest.raises(tts.ConfigError, match=r"cannot write a report to .*page.docx"):
        evaluate(sums(2), tmp_path / "c", model="fake:m", n=2, k=2, strategies=["majority"], report="page.docx")


def test_what_is_no_run_is_one_sentence(fake: Any, tmp_path: Path) -> None:
    with pytest.raises(tts.ConfigError, match="give a folder of `tts eval`"):
        read_gaps([tmp_path / "none"])
    fake()
    tts.compare(sums(3), strategies=["majority"], k=2, model="fake:m").save(tmp_path / "a.json")
    with pytest.raises(tts.ConfigError, match="is no summary with gold answers, 'majority' and 'gsr'"):
        read_gaps([tmp_path / "a.json"])


def test_a_protocol_asks_for_outputs_and_says_its_estimator(fake: Any, tmp_path: Path) -> None:
    fake()
    strategies = ["first", "majority", tts.strategy("gsr", outputs=1)]
    found = evaluate(sums(6), tmp_path, model="fake:m", n=4, k=2, outputs=3, estimator="subsets", strategies=strategies)
    rows = {row[0]: row for row in found.tables()[0].rows}
    assert rows["majority"][3] == "all subsets of 2 of 4"
    unbiased = found.comparison.curves()["maj@k"].points[2]
    assert rows["majority"][1] == f"{100 * unbiased.mean:.1f}"
    assert rows["gsr"][3:] == ["groups of 2", "1"], "what the strategy says itself counts"
    assert found.comparison.unbiased("first") == found.comparison.curves()["pass@k"].points[1]
    assert found.comparison.unbiased("gsr") is None
    plain = evaluate(
        sums(6), tmp_path, model="fake:m", n=4, k=2, outputs=3, strategies=["majority", "gsr"], overwrite=True
    )
    assert [row[3:] for row in plain.tables()[0].rows[-2:]] == [["groups of 2", "1"], ["groups of 2", "3"]]
    assert plain.protocol["strategies"]["gsr"]["outputs"] == 3
    assert "all subsets" not in str(plain.tables()[0].rows[-2:])


def test_a_vote_of_another_kind_has_no_curve(fake: Any, helpers: None, tmp_path: Path) -> None:
    fake()
    both = [tts.strategy("weighted_majority"), tts.strategy("weighted_majority", reduce="max")]
    found = tts.compare(sums(4), strategies=both, k=3, model="fake:m", scorer="fake:m")
    assert found.unbiased("weighted_majority") == found.curves()["weighted maj@k"].points[3]
    assert found.unbiased("weighted_majority(reduce=max)") is None


def test_the_strategies_are_those_whose_models_are_there(fake: Any, helpers: None, tmp_path: Path) -> None:
    fake()
    stored = tmp_path / "sets.jsonl"
    rows = [{"problem": f"{i}+1", "answer": "2", "candidates": ["\\boxed{1}", "\\boxed{2}"] * 2} for i in range(3)]
    stored.write_text("".join(json.dumps(row) + "\n" for row in rows))
    asked = {"n": 4, "k": 2}
    assert evaluate(stored, tmp_path / "a", **asked).comparison.strategies == ["first", "majority"]
    scored = evaluate(stored, tmp_path / "b", scorer="fake:m", **asked).comparison.strategies
    assert scored == ["first", "majority", "best_of_n", "weighted_majority"]
    sampled = evaluate(sums(2), tmp_path / "c", model="fake:m", **asked).comparison.strategies
    assert sampled == ["first", "majority", "gsr"]


def test_the_command(fake: Any, tmp_path: Path) -> None:
    fake()
    problems, prices = tmp_path / "p.jsonl", tmp_path / "prices.toml"
    problems.write_text("".join(json.dumps({"problem": f"{i}+1", "answer": str(i + 1)}) + "\n" for i in range(4)))
    prices.write_text("[policy]\ngenerated = 2.0\n")
    folder = tmp_path / "run"
    asked = ["eval", problems, "-o", folder, "-m", "fake:m", "-k", "2", "--samples", "4", "--prices", prices]
    done = CliRunner().invoke(main, [*map(str, asked), "--check-grades"], prog_name="tts")
    assert done.exit_code == 0, done.stderr
    assert "Accuracy: 4 problems, 8 groups of k=2, source p.jsonl" in done.stdout
    assert "price, USD" in done.stdout
    assert "0 answers on which graders disagree" in done.stdout
    report = json.loads((folder / "report.json").read_text())
    usage = report["costs"]["gsr"]["policy"]
    tokens = usage["thinking_tokens"] + usage["answer_tokens"]
    assert report["price"]["gsr"] == pytest.approx(Prices(policy={"generated": 2}).policy.generated * tokens / 1e6)
    assert "seconds" not in (folder / "results.jsonl").read_text()
    bad = CliRunner().invoke(main, ["eval", str(problems), "-o", str(folder), "-p", "outputs=2"], prog_name="tts")
    assert "error: -p needs -s" in bad.stderr


class Plurality(tts.Strategy):
    """A stranger's vote, which says what it is."""

    name: ClassVar[str] = "plurality"

    def curve(self) -> Literal["maj@k"]:
        return "maj@k"

    async def aggregate(self, ctx: tts.Context) -> tts.Decision:
        found = await ctx.candidates()
        return tts.Decision(text=found[0].text, chosen=0)


def test_what_a_strategy_declares_counts_not_its_name(fake: Any) -> None:
    fake()
    found = tts.compare(sums(4), strategies=["first", Plurality()], k=3, model="fake:m")
    assert found.unbiased("plurality") == found.curves()["maj@k"].points[3]
    assert (found.baseline, found.refinement_gap("first")) == ("plurality", found.gap("first", "plurality"))
    assert found.refinement_gap("plurality") is None
    alone = tts.compare(sums(4), strategies=["first"], k=3, model="fake:m")
    assert (alone.baseline, alone.refinement_gap("first")) == (None, None)
