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

from tts.answers._boxes import Span, boxes, formulas, naked
from tts.answers._cues import cues, stated
from tts.answers._fields import fields
from tts.answers._letters import claimed, letter_of, letters_of, marked
from tts.answers._plain import plain_answer
from tts.answers._sentence import FURTHER, NUMBER, in_words, main_number, whole
from tts.answers._tongues import writes_commas
from tts.answers._worded import day_of, worded
from tts.vocabulary.thinking import split_thinking

_JOINER = re.compile(
    r"(?:[\s,;$&.*]|\\[()\[\],;! ]|\\q?quad(?![a-z])|\\text\s*\{\s*,?\s*(?:and|or)\s*\}|(?:and|or)\b"
    r"|[A-Za-z](?:_\{?\w\}?)?\s*=){1,12}"
)
_GSM8K = re.compile(r"####[ \t]*([^\n]*\S)")
_BOLD = re.compile(r"\*\*\s*([^*\n]{1,60}?)\s*\*\*")
_WORD = re.compile(r"(?<![\\a-zA-Z{])[a-zA-Z]{2,}(?=['\s])")
_TAIL_TOKENS = re.compile(
    r"(?:\s*(?:<[|\uff5c][^<>|\uff5c\s]{1,40}[|\uff5c]>|</?s>|<eos>|<end_of_turn>|\[/INST\]|<\|end_of_solution\|>))+\s*$"
)
_HEAD_TOKENS = re.compile(r"^\s*(?:<\|begin_of_solution\|>|<\|im_start\|>assistant|<s>)\s*")
_NEXT_TURN = re.compile(
    r"<\|im_start\|>\s*user|<\|user\|>|<\|start_header_id\|>user|\[INST\]"
    r"|\n[ \t]{0,8}(?:#{1,4} ?)?(?:Question|Q|Problem|Human|User|Exercise|Instruction|Example \d+|问题|題目|题目)(?:"
    r" \d+)?\s?[:：]"
)
_RESULT = re.compile(r"=\s*\$?-?[\d.,]*\d[%.]?\s*$")
_DELIMITER = re.compile(r"(?<!\\)\\[(\[]")
_SENTENCE = re.compile(r"(?<=[.!?])\s+(?=[A-Z])")
_ITEM = r"\$?(?:[a-z]\s*=\s*)?-?\d+(?:[./]\d+)?\$?"
_LISTED = re.compile(  # the solutions are 5 and 7; the cubes are 1331 and 1728
    rf"(?i)\b(?:are|were):?\s+((?:{_ITEM},?\s*(?:and\s+|or\s+)?){{2,10}})(?=\.?\s*$)"
)
_PAIRED = re.compile(r"(?<![\w)])\(\s*-?[\d./]+(?:\s*,\s*-?[\d./]+){1,4}\s*\)(?=\.?\s*$)")  # the vertex is at (2, -1)
_SAID_ASIDE = re.compile(r"(?i)\((?:and|since|because|not|as|where|which|with|so|here|note|the other|rejecting|discarding)\b[^()]*\)")
_FENCED = re.compile(r"\n[ \t]*```\s*$")
_SIGN = re.compile(r"\\(?:blacksquare|square|qed|Box|checkmark|qedsymbol|therefore|because|implies|Rightarrow|to)\b\s*")
_TITLE = re.compile(r"(?i)answer|solution|result|conclusion|summary|explanation|reasoning|verification")
_CLOCK = re.compile(r"\b\d{1,2}:\d{2}\s?[AaPp]\.?[Mm]\b\.?")
# What only checks the answer that stands before.
_CHECKED = re.compile(
    r"\n[ \t]*[*_(]{0,3}(?:(?:Check|Checking|Verification|Verify|Let's (?:check|verify))\b[:.]?"
    r"|(?:(?:Side |Foot)?[Nn]ote|NB|N\.B\.|Remark|P\.S\.|Explanation|PS)\b[*_]{0,2}[:.])(?s:.{0,1500})$"
)
# Code after an answer, which is not the output of any.
_CODE = re.compile(r"\n[ \t]*```(?:python|py|javascript|js|java|c|cpp|matlab|julia|r|sympy)\b(?:(?!```)(?s:.)){0,1500}```\s*$")
_TAIL_OF_CHECKS = 2000
_FEWEST_WORDS = 3
_SHORT_LINE = 8
_LAYERS = 3  # a box in a formula in a sentence
_TAIL = 400  # characters in which tokens at the end are looked for
_TAILS = (200, 4096)  # the last plain number is looked for among this many last characters
_LONGEST_FIELD = 400  # characters of a tag's content that may be the answer itself


class Statement(NamedTuple):
    """An answer that a response states: by which rule it was found, between which places of the text."""

    answer: str
    rule: str
    start: int
    end: int


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


def _groups(text: str, spans: list[Span]) -> list[Span]:
    """Spans, those that only a joiner separates made one; what is said twice is said once."""
    groups: list[list[Span]] = []
    for span in spans:
        if groups and _joined(text[groups[-1][-1].end : span.start]):
            groups[-1].append(span)
        else:
            groups.append([span])
    return [
        Span(group[0].start, group[-1].end, "; ".join(dict.fromkeys(one.content for one in group))) for group in groups
    ]


def _joined(gap: str) -> bool:
    if len(gap) > 60:
        return False
    if gap == "" or (gap.isspace() and "\n" in gap and gap.count("\n") < 3):
        return True
    return bool(_JOINER.fullmatch(gap) and re.search(r"[,;]|and|or", gap))


def _hashes(text: str) -> list[Span]:
    """What follows each `####` on its line, without emphasis; headings in words are none."""
    if "####" not in text:
        return []
    spans = []
    for match in _GSM8K.finditer(text):
        content = match[1].strip().strip("*_` ").rstrip(".").strip()
        if content:
            spans.append(Span(match.start(), match.end(), content))
    return spans


def _heading(content: str) -> bool:
    return len(_WORD.findall(content + " ")) > 1 or content.rstrip().endswith(":") or _TITLE.fullmatch(content) is not None


def _marks(text: str) -> list[Statement]:
    """Boxes, fields, tags and what stands behind `####`, in order; a box in a field speaks for it."""
    boxed_spans = _groups(text, [span for span in boxes(text) if span.content])
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


def _weak(text: str) -> Statement | None:
    """What merely stands there: a bare answer, a letter, a formula, a number, in the order of what they are worth."""
    text = _FENCED.sub("", _without_checks(text))
    last_line = text.rstrip().rpartition("\n")[2][-500:]
    end = len(text.rstrip())
    plain = plain_answer(text) or plain_answer(last_line)
    if plain is not None:
        return Statement(plain, "plain", end - len(last_line), end)
    letter = claimed(last_line) or marked(last_line) or _lone_letter(last_line) or _first_letter(text)
    if letter is not None:
        return Statement(letter, "letter", end - len(last_line), end)
    bold = [one for one in _BOLD.findall(last_line) if not one.endswith(":")]
    if bold and not re.search(r"[\d$\\]", last_line) and len(bold[-1].split()) <= _FEWEST_WORDS:
        return Statement(bold[-1].rstrip("."), "bold", end - len(last_line), end)
    day = day_of(last_line)
    said = (day and Statement(day, "words", end - len(last_line), end)) or _formula_or_number(text)
    if said is None:
        words = worded(last_line)
        said = Statement(words, "words", end - len(last_line), end) if words is not None else None
    return said


def _without_checks(text: str) -> str:
    """What stands before a check of the answer, a note on it, code that computes it again."""
    place = max(0, len(text) - _TAIL_OF_CHECKS)
    for pattern in (_CODE, _CHECKED):
        further = pattern.search(text, place)
        if further is not None and NUMBER.search(text, 0, further.start()):
            text = text[: further.start()]
    return text


def _lone_letter(line: str) -> str | None:
    return letter_of(line) if len(line.strip()) < 30 and not re.search(r"[=\\]|\$\$", line) else None


def _first_letter(text: str) -> str | None:
    """The letter of a response that begins with it alone on a line, then explains."""
    first, further, _ = text.lstrip().partition("\n\n")
    return letter_of(first) if further and len(first.strip()) < _SHORT_LINE and first.strip(" *().`")[:1].isupper() else None


def _formula_or_number(text: str) -> Statement | None:
    text, spans = _valued(text)
    spans = _groups(text, spans)
    loose = naked(text[-4096:]) if "\\" in text[-4096:] else None
    shift = max(0, len(text) - 4096)
    if loose is not None:
        span = Span(loose.start + shift, loose.end + shift, loose.content)
        if not spans or span.start >= spans[-1].end:
            spans.append(span)
    start = spans[-1].end if spans else 0
    number_found = _of_sentence(text[start:]) or _plain_number(text[start:])
    if number_found is not None:
        place = text.rfind(number_found)
        return Statement(number_found, "number", place, place + len(number_found))
    return Statement(spans[-1].content, "formula", spans[-1].start, spans[-1].end) if spans else None


def _valued(text: str) -> tuple[str, list[Span]]:
    """Text and formulas up to where its last line only tells more of a formula; signs that end a proof are none."""
    spans = [span for span in formulas(text) if not _SIGN.fullmatch(span.content)]
    begin = text.rstrip().rfind("\n") + 1
    for said in reversed([*_SAID_ASIDE.finditer(text, begin)]):
        if any(begin <= span.start < said.start() for span in spans):
            spans = [span for span in spans if not said.start() < span.start < said.end()]
            text = text[: said.start()] + " " * len(said.group()) + text[said.end() :]
    here = next((span for span in spans if span.start >= begin), None)
    for further in FURTHER.finditer(text, here.end) if here is not None else ():
        if not any(span.start < further.start() < span.end for span in spans):
            return text[: further.start()], [span for span in spans if span.end <= further.start()]
    return text, spans


def _of_sentence(text: str) -> str | None:
    """The number that the last line states, where that is a sentence with words in it."""
    line = text.rstrip().rpartition("\n")[2].replace("**", "")
    if len(line) > _TAIL or len(_WORD.findall(line + " ")) < _FEWEST_WORDS:
        return None
    sentences = [one for one in _SENTENCE.split(line) if NUMBER.search(one)]
    if not sentences:
        return None
    listed = _LISTED.search(sentences[-1])
    if listed is not None:
        return listed[1].replace("$", "").strip()
    paired = _PAIRED.search(sentences[-1])
    if paired is not None:
        return paired.group()
    clock = _CLOCK.findall(sentences[-1])
    if clock:
        return clock[-1]
    if writes_commas(sentences[-1]):
        return in_words(sentences[-1], points=True, last=True)
    return main_number(sentences[-1], last=True)


def _plain_number(text: str) -> str | None:
    for tail in (*_TAILS, len(text)):
        part = text[-tail:] if tail else ""
        found = [*NUMBER.finditer(part)]
        # A number at the start of a tail may be the end of a longer one.
        if found and (tail >= len(text) or len(found) > 1):
            return whole(part, found[-1])
    return None


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
        weak = _weak(shown.text)
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
    groups = _groups(text, [span for span in boxes(text) if span.content])
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
    return _plain_number(boxed(text) or gsm8k(text) or text)
