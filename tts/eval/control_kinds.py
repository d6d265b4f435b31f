"""What is done to a group of candidates before a strategy sees it."""

from __future__ import annotations

import random
import re
from collections.abc import Callable, Sequence
from typing import NamedTuple

from tts.contracts.task import Fault
from tts.contracts.task import task as task_of
from tts.sources.reference import parse_reference
from tts.vocabulary.records import Candidate, Problem

Plant = Callable[[Problem, Fault, random.Random], str | None]
Groups = Callable[["Group"], "Sequence[Candidate | str] | None"]

_NUMBER = re.compile(r"(?<![\w.,])\d+(?:\.\d+)?(?![\w])")
_BOX = re.compile(r"\\boxed\s*\{")
NOTHING = "…"  # a blank candidate would not be shown at all


class Group(NamedTuple):
    """The k candidates of one problem that a control changes, with what it may know to do so.

    `correct` has a verdict for each candidate. `wrong` and `right` are all candidates of the problem that are so,
    `donor` is the group of another problem with another gold answer, `donor_gold` that answer.
    """

    problem: Problem
    gold: str
    candidates: tuple[Candidate, ...]
    correct: tuple[bool, ...]
    wrong: tuple[Candidate, ...]
    right: tuple[Candidate, ...]
    donor: tuple[Candidate, ...]
    donor_gold: str | None
    plant: Plant
    rng: random.Random


class Control(NamedTuple):
    """A named change of candidates; `says` is what is done, in the table's words.

    `change` gives candidates as they are, or texts that become candidates; `None` where the group has not what it
    takes, such as a wrong candidate.
    """

    name: str
    says: str
    change: Groups


def controls_of(k: int) -> list[Control]:
    """Every control for groups of k, in the order of the table; the first changes nothing."""
    counts = sorted({1, k // 2, k} - {0})
    return [
        Control("own", "the candidates as they are", lambda group: group.candidates),
        Control("shuffled", "the same in another order", _shuffled),
        Control("traces", "their thinking before each solution", _traces),
        Control("signed", "authors named, one of them an expert", _signed),
        Control("other", "those of another problem", lambda group: group.donor),
        Control("empty", "no text in any", lambda group: [NOTHING] * len(group.candidates)),
        Control("noise", "their words in random order", _noise),
        Control("boxes", "their answers without the solutions", _boxes),
        Control("unanswered", "their solutions without the answers", _unanswered),
        Control("right", "all correct", lambda group: _repeated(group.right, len(group.candidates))),
        Control("right boxes", "the right answer without a solution", _right_boxes),
        Control("copies", "one wrong candidate, k times", _copies),
        Control("consensus", "every answer replaced by one wrong answer", _consensus),
        *(Control(f"slip in {j}", f"an arithmetic slip in {j} of {k}", _planted("slip", j)) for j in counts),
        *(Control(f"misread in {j}", f"a number miscopied in {j} of {k}", _planted("miscopied", j)) for j in counts),
    ]


def plant_of(source: str) -> Plant:
    """What plants faults in solutions of a source: its task where it names one (`task:NAME@...`), else nothing does."""

    def nothing(_problem: Problem, _fault: Fault, _rng: random.Random) -> str | None:
        return None

    if not source.startswith("task:"):
        return nothing
    reference = parse_reference(source.removeprefix("task:"))
    return task_of(reference.name, **reference.options).planted


def visible(candidate: Candidate) -> str:
    """What a reader sees of a candidate."""
    return (candidate.summary or "").strip() or candidate.text.strip()


def miscopied(problem: Problem, text: str, rng: random.Random) -> str | None:
    """The text with one number of the problem replaced, wherever it stands; `None` where it quotes none.

    The new number has as many digits, so that it looks like one of the problem's. Nothing is worked out anew: that
    needs a task which can (`Task.planted`).
    """
    given = list(dict.fromkeys(_NUMBER.findall(problem.text)))
    quoted = [number for number in given if re.search(_alone(number), text)]
    if not quoted:
        return None
    old = rng.choice(quoted)
    taken = {int(number) for number in given if number.isdigit()}
    if not old.isdigit():
        return re.sub(_alone(old), f"{float(old) + 1:g}", text)
    free = [number for number in range(10 ** (len(old) - 1) - (len(old) == 1), 10 ** len(old)) if number not in taken]
    return re.sub(_alone(old), str(rng.choice(free)), text) if len(old) < 7 and free else None


def slipped(text: str, rng: random.Random) -> str | None:
    """The text with one number after an equals sign off by a little; `None` where there is none."""
    results = list(re.finditer(r"(?<==)\s*(\d{1,12})(?![\w.])", text))
    if not results:
        return None
    found = rng.choice(results)
    return f"{text[: found.start(1)]}{int(found[1]) + rng.choice((1, 2, 10))}{text[found.end(1) :]}"


def _alone(number: str) -> str:
    return rf"(?<![\w.,]){re.escape(number)}(?![\w])(?!\.\d)"


def _repeated(candidates: Sequence[Candidate], k: int) -> list[Candidate] | None:
    return [candidates[i % len(candidates)] for i in range(k)] if candidates else None


def _shuffled(group: Group) -> list[Candidate]:
    return group.rng.sample(group.candidates, len(group.candidates))


def _traces(group: Group) -> list[str] | None:
    if not any(one.thinking for one in group.candidates):
        return None
    return [f"{one.thinking or ''}\n\n{visible(one)}".strip() for one in group.candidates]


def _signed(group: Group) -> list[str]:
    expert = group.rng.randrange(len(group.candidates))
    names = ("a beginner", "a world-class expert")
    return [f"Written by {names[i == expert]}.\n\n{visible(one)}" for i, one in enumerate(group.candidates)]


def _noise(group: Group) -> list[str]:
    words = [visible(one).split() for one in group.candidates]
    return [" ".join(group.rng.sample(one, len(one))) or NOTHING for one in words]


def _boxes(group: Group) -> list[str]:
    return [NOTHING if one.answer is None else rf"\boxed{{{one.answer}}}" for one in group.candidates]


def _right_boxes(group: Group) -> list[str]:
    return [rf"\boxed{{{group.gold}}}"] * len(group.candidates)


def _unanswered(group: Group) -> list[str] | None:
    texts = [without_answer(visible(one), one.answer) for one in group.candidates]
    return None if any(text is None for text in texts) else [text for text in texts if text is not None]


def without_answer(text: str, answer: str | None) -> str | None:
    """The text up to its last statement of the answer; `None` where nothing stands before it."""
    if answer is None:
        return text
    boxes = [found.start() for found in _BOX.finditer(text)]
    end = boxes[-1] if boxes else text.rfind(answer)
    before = text[: max(end, 0)].rstrip()
    return before or None


def _copies(group: Group) -> list[Candidate] | None:
    return [group.rng.choice(group.wrong)] * len(group.candidates) if group.wrong else None


def _consensus(group: Group) -> list[str] | None:
    """All solutions end in one wrong answer; the candidates that gave it keep theirs as it was."""
    wrong = [one.answer for one in group.wrong if one.answer]
    if not wrong:
        return None
    answer = group.rng.choice(wrong)
    bodies = [without_answer(visible(one), one.answer) or "" for one in group.candidates]
    return [f"{body}\n\\boxed{{{answer}}}".strip() for body in bodies]


def _planted(fault: Fault, count: int) -> Groups:
    """`count` of the candidates with a fault of a kind: the task's where it can plant one, else the general one."""

    def change(group: Group) -> list[Candidate | str] | None:
        places = sorted(group.rng.sample(range(len(group.candidates)), min(count, len(group.candidates))))
        changed: list[Candidate | str] = list(group.candidates)
        for place in places:
            text = group.plant(group.problem, fault, group.rng)
            if text is None:
                text = _general(fault, group, visible(group.candidates[place]))
            if text is None:
                return None
            changed[place] = text
        return changed

    return change


def _general(fault: Fault, group: Group, text: str) -> str | None:
    return miscopied(group.problem, text, group.rng) if fault == "miscopied" else slipped(text, group.rng)
