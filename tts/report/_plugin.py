"""The built-in sections, declared as a stranger would declare them."""

from __future__ import annotations

from tts.vocabulary.hooks import Entry, hookimpl

_HERE = {
    "summary": ("_sections", "who is better, by how much, at what cost, and whether one can tell"),
    "strategies": ("_sections", "accuracy of each strategy with its interval"),
    "curves": ("_sections", "accuracy against k, strategies and oracle"),
    "frontier": ("_sections", "accuracy against generated tokens"),
    "equal_budgets": ("_sections_budget", "what a vote reaches for what each strategy costs"),
    "by_n_correct": ("_sections", "accuracy by number of correct candidates"),
    "calibration": ("_sections_confidence", "whether decisions are right as often as they are sure"),
    "selective": ("_sections_confidence", "what is gained by leaving unsure decisions out"),
    "strata": ("_sections_strata", "accuracy and gaps by a column of the problems, by difficulty"),
    "rescue": ("_sections", "right where a baseline is wrong, and the reverse"),
    "origins": ("_sections_cost", "copied, merged or novel answers"),
    "positions": ("_sections_cost", "which of the shown candidates is followed, by position"),
    "judge_bias": ("_sections_bias", "whether who chooses minds position, length, or who wrote a candidate"),
    "controls": ("_sections_controls", "what strategies do where their candidates were changed"),
    "candidates": ("_sections_cost", "truncated, answerless and failed candidates; share of the summary"),
    "pairs": ("_sections", "a paired verdict on every two strategies"),
    "outputs": ("_sections_cost", "length of what is written, and the share of the answer in it"),
    "cost": ("_sections_cost", "calls, tokens and prices by role and kind"),
    "checks": ("_sections_checks", "problems that are there twice, answers on which graders disagree"),
    "time": ("_sections_checks", "seconds, model-seconds, cached tokens, what was really spent"),
    "setup": ("_sections_cost", "models, parameters, seed, version"),
}


@hookimpl
def tts_reports() -> list[Entry]:
    """The built-in sections."""
    return [
        Entry(name=name, target=f"tts.report.{module}:{name}", summary=summary)
        for name, (module, summary) in _HERE.items()
    ]


@hookimpl
def tts_pages() -> list[Entry]:
    """What `Comparison.report` writes."""
    summary = "a page in HTML, Markdown, LaTeX tables, or a folder of all"
    return [Entry(name="report", target="tts.report.writer:write_report", summary=summary)]
