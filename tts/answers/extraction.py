r"""Final answers found in a response's visible text.

Decisions: what an author marks beats what he says, and what he says beats what merely stands there. Marks are boxes,
`####`, fields and tags named like an answer; sayings are "the answer is" in many languages; what stands there are a
choice letter in the last line, the last formula, the last number. Among marks the last one counts, and so does a saying
after the last mark if it is of its kind. Neighbouring boxes joined only by "and", "or", a comma or a line break are one
answer. A box that is never closed is read to the end of its line, for an earlier box is not the answer. Thinking,
tokens that end a turn, a next question that a base model goes on with are none of the answer.
"""

import re
from typing import NamedTuple

from tts.answers._boxes import Span, boxes
from tts.answers._cues import cues, stated
from tts.answers._fields import fields
from tts.answers._letters import claimed, letter_of, letters_of, marked
from tts.answers._plain import plain_answer
from tts.answers._sentence import NUMBER
from tts.answers._standing import plain_number, standing
from tts.answers._statement import Statement, groups_of
from tts.vocabulary.thinking import split_thinking

_GSM8K = re.compile(r"####[ \t]*([^\n]*\S)")
_WORD = re.compile(r"(?<![\\a-zA-Z{])[a-zA-Z]{2,}(?=['\s])")
_TAIL_TOKENS = re.compile(
    r"(?:\s*(?:<[|\uff5c][^<>|\uff5c\s]{1,40}[|\uff5c]>|</?s>|<eos>|<end_of_turn>|\[/INST\]|<\|end_of_solution\|>))+\s*$"
)
_HEAD_TOKENS = re.compile(r"^\s*(?:<\|begin_of_solution\|>|<\|im_start\|>assistant|<s>)\s*")
_NEXT_TURN = re.compile(
    r"<\|im_start\|>\s*user|\n[ \t]{0,8}\[(?:Question|Problem|User|Human|Task)\]|<\|user\|>|<\|start_header_id\|>user"
    r"|\[INST\]"
    r"|\n[ \t]{0,8}(?:#{1,4} ?)?(?:Question|Q|Problem|Human|User|Exercise|Instruction|Example \d+|问题|題目|题目)(?:"
    r" \d+)?\s?[:：]"
)
_RESULT = re.compile(r"=\s*\$?-?[\d.,]*\d[%.]?\s*$")
_DELIMITER = re.compile(r"(?<!\\)\\[(\[]")
_TITLE = re.compile(r"(?i)answer|solution|result|conclusion|summary|explanation|reasoning|verification")
_LAYERS = 3  # a box in a formula in a sentence
_TAIL = 400  # characters in which tokens at the end are looked for
_LONGEST_FIELD = 400  # characters of a tag's content that may be the answer itself


class Extraction(NamedTuple):
    """What was found in a response: the statement that counts, and the others, which it outranks, in their order."""

    found: Statement | None
    rivals: tuple[Statement, ...] = ()

    @property
    def contradicted(self) -> bool:
        """Whether a statement of its own rank, a mark or a saying, gives another text."""
        return self.found is not None and any(one.answer != self.found.answer for one in self.rivals)


def _named(rule: str, spans: list[Span]) -> list[Statement]:
    return [Statement(span.content, rule, span.start, span.end) for span in spans]


def _hashes(text: str) -> list[Span]:
    """What follows each `####` on its line, without emphasis; headings in words are none."""
    if "####" not in text:
        return []
    spans: list[Span] = []
    for match in _GSM8K.finditer(text):
        content = match[1].strip().strip("*_` ").rstrip(".").strip()
        if content:
            spans.append(Span(match.start(), match.end(), content))
    return spans


def _heading(content: str) -> bool:
    return (
        len(_WORD.findall(content + " ")) > 1 or content.rstrip().endswith(":") or _TITLE.fullmatch(content) is not None
    )


def _marks(text: str) -> list[Statement]:
    """Boxes, fields, tags and what stands behind `####`, in order; a box in a field speaks for it."""
    boxed_spans = groups_of(text, [span for span in boxes(text) if span.content])
    found = _named("box", boxed_spans)
    for span in fields(text):
        if not any(span.start <= box.start and box.end <= span.end for box in boxed_spans):
            inner = _inside(span.content)
            if inner is not None:
                found.append(Statement(inner, "field", span.start, span.end))
    found += _named("####", [span for span in _hashes(text) if not _heading(span.content)])
    return sorted(found, key=lambda one: one.end)


def _inside(content: str) -> str | None:
    """The answer in a field: all of it when it is short, else what is found in it."""
    if len(content) <= _LONGEST_FIELD and not _dressed(content):
        return (
            stated(content) or content if len(_WORD.findall(content + " ")) > 1 and NUMBER.search(content) else content
        )
    found = extract(content) if len(content) < 50_000 else None
    return found or (content if len(content) <= _LONGEST_FIELD else None)


def _strong(text: str) -> list[Statement]:
    """Marks and sayings, the one that counts last: the last mark, or a saying of its kind after it."""
    sayings = _named("saying", cues(text))
    listed = _marks(text)
    boxed_at = [one for one in listed if one.rule == "box"]
    if boxed_at:  # what only a heading or a total stands for yields to a box
        listed = [
            one for one in listed if one.rule != "####" or one.end < boxed_at[-1].start or _like(one, boxed_at[-1])
        ]
    if not listed:
        return sayings
    last = listed[-1]
    before = [one for one in sayings if one.end <= last.end or _overlap(one, listed)]
    after = [one for one in sayings if one not in before and _like(one, last)]
    return [*sorted([*before, *listed[:-1]], key=lambda one: one.end), last, *after]


def _overlap(saying: Statement, marks: list[Statement]) -> bool:
    return any(mark.start < saying.end and saying.start < mark.end for mark in marks)


def _like(one: Statement, other: Statement) -> bool:
    """Whether two statements are of one kind: a letter, something with a number in it, or else words."""
    if letter_of(other.answer) is not None:
        return letter_of(one.answer) is not None
    digits = [any(sign.isdigit() or sign == "\\" for sign in statement.answer) for statement in (one, other)]
    return digits[0] if digits[1] else len(one.answer) < 40


class Visible(NamedTuple):
    """The part of a response that may hold its answer, and where it begins."""

    text: str
    start: int


def visible(text: str) -> Visible:
    """A response without its thinking, the tokens around its turn, and what a base model goes on with after it."""
    summary = split_thinking(text).summary
    if summary is None:
        return Visible("", len(text))
    start = max(text.rfind(summary), 0) if summary else len(text)
    head = _HEAD_TOKENS.match(summary)
    if head is not None:
        summary, start = summary[head.end() :], start + head.end()
    if summary.rstrip()[-1:] in {">", "]"}:
        kept = max(0, len(summary) - _TAIL)
        summary = summary[:kept] + _TAIL_TOKENS.sub("", summary[kept:])
    turn = _NEXT_TURN.search(summary)
    if turn is not None:
        before = summary[: turn.start()]
        if NUMBER.fullmatch(before.strip()) or plain_answer(before) or _RESULT.search(before) or _strong(before):
            summary = before
    return Visible(summary, start)


def find_answer(text: str) -> Extraction:
    """The statement that is the final answer of a response, with its rule, its place and its rivals; never raises."""
    shown = visible(text)
    strong = _strong(shown.text)
    if not strong:
        weak = standing(shown.text)
        strong = [weak] if weak is not None else []
    placed = [one._replace(start=one.start + shown.start, end=one.end + shown.start) for one in strong]
    return Extraction(placed[-1], tuple(placed[:-1])) if placed else Extraction(None)


def extract(text: str) -> str | None:
    r"""Final answer of a response's visible text, or None when it has none.

    Looks for the last mark (`\boxed{}`, a field or tag named like an answer, `#### x`), then "the answer is x" in many
    languages, then a choice letter in the last line, then the last formula or plain number. Never raises; linear in the
    length of the text.
    """
    found = find_answer(text).found
    return found.answer if found is not None else None


def boxed(text: str) -> str | None:
    """The last box that holds something."""
    groups = groups_of(text, [span for span in boxes(text) if span.content])
    return groups[-1].content if groups else None


def gsm8k(text: str) -> str | None:
    """What follows the last `####`."""
    found = _hashes(text)
    return found[-1].content if found else None


def answer_is(text: str) -> str | None:
    """What follows the last "the answer is" or "answer:", in many languages."""
    found = cues(text)
    return found[-1].content if found else None


def verbatim(text: str) -> str | None:
    """The whole visible text, without white space around it."""
    return text.strip() or None


def bare(answer: str) -> str:
    """The answer without the sentence, box or delimiters around it; itself when it has none of them."""
    for _ in range(_LAYERS):
        if not _dressed(answer):
            break
        inner = find_answer(answer).found
        if inner is None or inner.rule == "words" or inner.answer == answer:
            break  # a sentence in words is an answer as it is
        answer = inner.answer
    return answer


def _dressed(answer: str) -> bool:
    if "boxed" in answer or "nswer" in answer or _DELIMITER.search(answer):
        return True
    dollars = answer.count("$") - answer.count("\\$")
    whole = dollars == 2 and answer[:1] == "$" == answer[-1:]
    sentence = answer.count(" ", 0, 200) > 2 and len(_WORD.findall(answer[:200])) > 3
    return sentence or (dollars > 0 and not whole)


def choice(text: str) -> str | None:
    """The letter of a multiple choice, several between commas: in a mark, else stated, else claimed, else bracketed."""
    shown = visible(text).text
    for statement in reversed(_strong(shown)):
        letter = letters_of(statement.answer)
        if letter is not None:
            return letter
    return claimed(shown) or marked(shown) or letters_of(shown.rstrip().rpartition("\n")[2])


def number(text: str) -> str | None:
    """The last plain number: in the box, else after `####`, else in the text."""
    return plain_number(boxed(text) or gsm8k(text) or text)
