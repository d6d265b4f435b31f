"""How people lay out responses that they have: each is read right, or refused with a sentence.

As a script it prints what becomes of each: `python tests/sources/layouts.py`.
"""

from __future__ import annotations

import csv
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

ASKED = ["What is the capital of one half?", "How many legs has a table of two and two?"]
GOLD = ["2", "4"]
SAID = [["so \\boxed{2}", "so \\boxed{3}"], ["so \\boxed{5}", "so \\boxed{4}"]]
READ = [("2", ["2", "3"]), ("4", ["5", "4"])]  # gold and answers by problem, where all is read
WIDE = [{"problem": p, "answer": a, "candidates": c} for p, a, c in zip(ASKED, GOLD, SAID, strict=True)]


class Layout(NamedTuple):
    """What to write, what its columns are said to be, what becomes of it: rows that are read, or words of a refusal."""

    name: str
    write: Callable[[Path], Any]
    becomes: list[tuple[str | None, list[str]]] | str = READ
    columns: dict[str, str] | None = None


def renamed(**names: str) -> list[dict[str, Any]]:
    """The rows of sets under other names."""
    return [{names.get(key, key): value for key, value in row.items()} for row in WIDE]


def long(**names: str) -> list[dict[str, Any]]:
    """One row for each response, by default in `response`."""
    names = {"response": "response", **names}
    return [
        {names.get("problem", "problem"): p, names.get("answer", "answer"): a, names["response"]: text}
        for p, a, c in zip(ASKED, GOLD, SAID, strict=True)
        for text in c
    ]


def lines(name: str, rows: list[Any]) -> Callable[[Path], Path]:
    """A file of JSON lines."""

    def write(folder: Path) -> Path:
        (folder / name).write_text("".join(json.dumps(row) + "\n" for row in rows), "utf-8")
        return folder / name

    return write


def document(name: str, value: Any) -> Callable[[Path], Path]:
    """A file of one JSON value."""

    def write(folder: Path) -> Path:
        (folder / name).write_text(json.dumps(value), "utf-8")
        return folder / name

    return write


def table(name: str, rows: list[dict[str, Any]]) -> Callable[[Path], Path]:
    """A file of comma-separated values."""

    def write(folder: Path) -> Path:
        with (folder / name).open("w", encoding="utf-8", newline="") as file:
            writer = csv.DictWriter(file, list(rows[0]), delimiter="\t" if name.endswith("tsv") else ",")
            writer.writeheader()
            writer.writerows(rows)
        return folder / name

    return write


def parquet(name: str, rows: list[dict[str, Any]]) -> Callable[[Path], Path]:
    """A Parquet file."""

    def write(folder: Path) -> Path:
        import pyarrow as pa
        import pyarrow.parquet as pq

        pq.write_table(pa.Table.from_pylist(rows), folder / name)
        return folder / name

    return write


def frame(_: Path) -> Any:
    """A pandas frame."""
    import pandas as pd

    return pd.DataFrame(WIDE)


def cells(dump: Callable[[Any], str]) -> list[dict[str, Any]]:
    """The rows of sets with their lists as text."""
    return [row | {"candidates": dump(row["candidates"])} for row in WIDE]


def arrays(folder: Path) -> Path:
    """What pandas writes into CSV of columns of numpy arrays."""
    return table("arrays.csv", cells(lambda texts: "[" + " ".join(map(repr, texts)) + "]"))(folder)


def numbered(name: str) -> list[dict[str, Any]]:
    """A column for each response."""
    return [
        {"problem": p, "answer": a, **{name.format(i): text for i, text in enumerate(c, 1)}}
        for p, a, c in zip(ASKED, GOLD, SAID, strict=True)
    ]


def by_epoch() -> list[dict[str, Any]]:
    """All problems once, then all of them again, each row with an id of its own."""
    rows = long()
    return [{"id": f"r{number}", **rows[place]} for number, place in enumerate([0, 2, 1, 3])]


ROLLOUTS = [
    {
        "example_id": i,
        "prompt": [{"role": "user", "content": p}],
        "completion": [{"role": "assistant", "content": text}],
        "answer": a,
        "reward": 1.0,
    }
    for i, (p, a, c) in enumerate(zip(ASKED, GOLD, SAID, strict=True))
    for text in c
]
GENERATIONS = [
    {"input": f"system\nBe brief.\nuser\n{p}\nassistant\n", "output": text, "gts": a, "score": 1.0, "step": 10}
    for p, a, c in zip(ASKED, GOLD, SAID, strict=True)
    for text in c
]
PREDICTIONS = {
    str(i): {"origin_prompt": [{"role": "HUMAN", "prompt": p}], "prediction": c, "gold": a}
    for i, (p, a, c) in enumerate(zip(ASKED, GOLD, SAID, strict=True))
}
SEARCHED = [
    {"problem": p, "solution": "…", "answer": a, "completions": c, "scores": [[0.1, 0.9], [0.2]], "pred": "\\boxed{1}"}
    for p, a, c in zip(ASKED, GOLD, SAID, strict=True)
]
MONKEYS = [
    {"orig_dset_idx": i, "question": p, "gt_answer": a, "samples": c, "is_corrects": [True, False]}
    for i, (p, a, c) in enumerate(zip(ASKED, GOLD, SAID, strict=True))
]

LAYOUTS = [
    Layout("a list of mappings", lambda _: WIDE),
    Layout("a pandas frame", frame),
    Layout("JSON lines", lines("a.jsonl", WIDE)),
    Layout("a JSON array", document("a.json", WIDE)),
    Layout("CSV with JSON in its cells", table("a.csv", cells(json.dumps))),
    Layout("CSV with lists as Python prints them", table("a.csv", cells(str))),
    Layout("TSV with JSON in its cells", table("a.tsv", cells(json.dumps))),
    Layout("Parquet", parquet("a.parquet", WIDE)),
    *(
        Layout(f"lists called {name}", lines("a.jsonl", renamed(candidates=name)))
        for name in ("samples", "generations", "outputs", "completions", "predictions", "model_output", "response")
    ),
    Layout("lists, named", lines("a.jsonl", renamed(candidates="tries")), READ, {"candidates": "tries"}),
    Layout("numbered columns", table("a.csv", numbered("response_{}"))),
    Layout("numbered columns, named", table("a.csv", numbered("try {}")), READ, {"candidates": "try"}),
    Layout("one response in each row", lines("a.jsonl", long())),
    Layout("one response in each row, as CSV", table("a.csv", long(response="generation"))),
    Layout("one response in each row, all problems before they come again", lines("a.jsonl", by_epoch())),
    Layout("one response in each row, named", table("a.csv", long(response="code")), READ, {"candidates": "code"}),
    Layout("lists of conversations", lines("a.jsonl", [
        {"prompt": [{"role": "user", "content": p}], "answer": a,
         "completions": [[{"role": "assistant", "content": text}] for text in c]}
        for p, a, c in zip(ASKED, GOLD, SAID, strict=True)])),
    Layout("rollouts of verifiers", lines("results.jsonl", ROLLOUTS)),
    Layout("generations of verl", lines("10.jsonl", GENERATIONS)),
    Layout("predictions of OpenCompass", document("sums.json", PREDICTIONS)),
    Layout("search-and-learn's columns", lines("a.jsonl", SEARCHED)),
    Layout("Large Language Monkeys' columns", lines("a.jsonl", MONKEYS)),
    Layout("an iterator of sets", lambda _: iter(WIDE), "give them as a list"),
    Layout("CSV with numpy arrays in its cells", arrays, "the column 'candidates' holds"),
    Layout("candidates that are one text", table("a.csv", cells(lambda texts: texts[0])), "so: columns={'candidates'"),
    Layout("candidates that are a number", lines("a.jsonl", [row | {"candidates": 7} for row in WIDE]), "holds 7"),
    Layout("a broken list", table("a.csv", cells(lambda texts: json.dumps(texts)[:-2])), "'candidates' holds"),
    Layout("a column of another name", lines("a.jsonl", long(response="code")), "--columns candidates=code"),
    Layout("lists of another name", lines("a.jsonl", renamed(candidates="tries")), "--columns candidates=tries"),
    Layout("one response for each problem", lines("a.jsonl", long()[::2]), "--columns candidates=response"),
    Layout("problems under a name of one's own", lines("a.jsonl", renamed(problem="riddle")), "tts adopt"),
    Layout("two columns that could be it", lines("a.jsonl", [
        row | {"outputs": row["candidates"], "samples": row["candidates"], "candidates": 0} for row in WIDE
    ]), "holds 0"),
    Layout("two known lists", lines("a.jsonl", [
        {"problem": row["problem"], "outputs": row["candidates"], "samples": row["candidates"]} for row in WIDE
    ]), "could both be the candidates"),
    Layout("problems alone", lines("a.jsonl", [{"problem": p, "answer": a} for p, a in zip(ASKED, GOLD, strict=True)]),
           "the built-in model only knows sums; name one with --model"),
    Layout("problems alone, in memory", lambda _: [{"problem": ASKED[0]}], "the built-in model only knows sums"),
    Layout("golds that differ in one problem", lines("a.jsonl", [
        {"problem": "One?", "answer": "1", "response": "1"}, {"problem": "One?", "answer": "2", "response": "2"}
    ]), "the gold answer is '2' here and '1' in another row"),
]  # fmt: skip


def outcome(layout: Layout, folder: Path) -> tuple[list[tuple[str | None, list[str | None]]] | str, list[str]]:
    """What `tts.compare` makes of a layout: gold and answers by problem, or its refusal; and the models it loaded."""
    import tts

    class Reads(tts.Strategy):
        """Reads all candidates."""

        name = "reads"

        async def aggregate(self, ctx: Any) -> tts.Decision:
            found = await ctx.candidates()
            return tts.Decision(text=found[0].text, chosen=0)

    loaded: list[str] = []

    def heard(event: Any) -> None:
        if event.kind == "loading":
            loaded.append(event.message)

    try:
        found = tts.compare(
            layout.write(folder), strategies=[Reads()], k=2, columns=layout.columns, grader="numeric", listeners=[heard]
        )
    except tts.TTSError as error:
        return str(error), loaded
    rows = [row.outcome for row in found.rows]
    return [(one.answer, [candidate.answer for candidate in one.candidates]) for one in rows], loaded


if __name__ == "__main__":
    import tempfile

    for one in LAYOUTS:
        with tempfile.TemporaryDirectory() as place:
            told, _ = outcome(one, Path(place))
        print(f"{one.name:<62} {'read' if not isinstance(told, str) else f'refused: {told}'}")
