r"""Letters of a multiple choice in a response, in the spellings that models have for them."""

import re
import unicodedata

_ANY = r"[A-J]"
_CASELESS = r"[A-Ja-j]"
_OPEN, _SHUT = (
    r"[*_`\"'（(\[{$\s→⇒➜✅✓☑]*(?:\\(?:text|mathrm|mathbf|textbf|mathit|textrm)[a-z]*\s*\{\s*\(?\s*)?",
    r"[*_`\"')）\]}$.\s]*",
)
SEVERAL = re.compile(rf"\(?{_ANY}\)?(?:\s*(?:,\s*and|,|;|/|&|and|or|、|和|及)\s*\(?{_ANY}\)?)+(?![a-zA-Z])")
_RUN = re.compile(r"(?<![A-Za-z])[A-J]{2,6}(?![A-Za-z])")
_WITH_TEXT = re.compile(rf"{_OPEN}\(?({_ANY})(?:\)|\}}|[.:：、]|\s*[—–-]\s)\s*\)?\s*\}}?.*", re.DOTALL)
_ALONE = re.compile(rf"{_OPEN}\(?({_CASELESS})\)?{_SHUT}")
_OPTION = re.compile(
    rf"(?i:\b(?:option|choice|answer|letter|choose|chose|pick|select|go with|opción|option|alternativa"
    rf"|вариант(?: ответа)?"
    rf"|antwort|letra|lettera|lettre|буква|đáp án|pilihan|lựa chọn|seçenek|选项|選項|选择|विकल्प|বিকল্প|ข้อ|الخيار))\s*"
    rf"(?:(?:correct[ae]?|correta|corretta|richtige?)\s+)?(?:is\s+"
    r"|(?:es|est|é|è|ist)\s+(?:l[ae]\s+|a\s+|die\s+)?|[—–-]\s*"
    rf"|would be\s+|seems to be\s+|:\s*)?{_OPEN}({_ANY})(?![a-zA-Z'])"
)
_CORRECT = re.compile(
    rf"(?:^|[\s,.;:，。（(*]){_OPEN}({_ANY})\)?[*_`\s]*(?:is|are|would be|must be|=|是)\s*(?:the\s+)?(?:only\s+)?"
    r"(?:(?:best|most)\s+)*(?:correct|right|true|accurate|appropriate|answer|best|对的|對的|正确的?|正確的?)"
)
_ONLY = re.compile(
    r"(?:只有|选项[是为應应]|应选|應選|故选|故選|选|選|正解は|答案[是为為]?)\s*(?:选项|選項)?\s*[:：]?\s*[（(]?([A-J])(?![a-zA-Z])"
)
_CONCLUDED = re.compile(
    rf"(?i:(?:^|\W)(?:so|thus|hence|therefore|must be|say|it's|it is|correct|solution is|leaves(?: us with)?"
    rf"|left with|remaining(?: \w+)? is))\s*[:：,-]?\s*"
    rf"{_OPEN}([A-J])\)?[.\s*_`]*$"
)
_MARKED = re.compile(r"(?:\s|^|\*)(?:\\text(?:bf)?\{)?\(([A-J])\)|\*\*\(?([A-J])\)?[.):]?\*\*")
_ALL_CORRECT = re.compile(
    rf"(?i:\b(?:options|choices|answers|statements)\s+(?:(?:[a-z]+\s+){{0,4}}(?:are|is))?\s*:?\s*)({SEVERAL.pattern})"
    rf"|({SEVERAL.pattern})\s+are\s+(?:both\s+|all\s+)?(?:the\s+)?(?:correct|true|right)"
)
_DENIED = re.compile(r"(?i)\b(?:not|isn't|wrong|incorrect|cannot|eliminat\w+|rule[sd]? out)\b|不|错|錯")
_IS_DENIED = re.compile(r"(?i)\W*(?:is|are)?\W*(?:not|isn't|wrong|incorrect|cannot|eliminat\w+|rule[sd]? out|不|错|錯)")


def letter_of(text: str) -> str | None:
    r"""The letter of a short text that is one, in whatever dress: `(c)`, `\textbf{(C) }42`, `C: 42`, `**C**`."""
    text = unicodedata.normalize("NFKC", text.strip()[:300])
    several = SEVERAL.fullmatch(text.rstrip("."))
    if several is not None:
        return ", ".join(re.findall(_ANY, text))
    alone = _ALONE.fullmatch(text)
    if alone is not None:
        return alone[1].upper()
    option = re.fullmatch(rf"(?i:option|choice)\s*{_OPEN}({_CASELESS}){_SHUT}", text)
    if option is not None:
        return option[1].upper()
    described = _WITH_TEXT.fullmatch(text)
    return described[1] if described is not None else None


def letters_of(text: str) -> str | None:
    """Several letters, `AC` or `A, B and C`, between commas; one letter as it is."""
    run = _RUN.fullmatch(text.strip().strip(".*()"))
    if run is not None and len(set(run.group())) == len(run.group()) and list(run.group()) == sorted(run.group()):
        return ", ".join(run.group())
    return letter_of(text)


def claimed(text: str) -> str | None:
    """The letter that the last claim in a text is about: `I choose C`, `(C) is correct`, `选项B是对的`."""
    claims = [(match.end(), ", ".join(re.findall(_ANY, match[1] or match[2]))) for match in _ALL_CORRECT.finditer(text)]
    for pattern in (_OPTION, _CORRECT, _ONLY, _CONCLUDED):
        for match in pattern.finditer(text):
            before = re.split(r"[,.;，。；]", text[max(0, match.start() - 12) : match.start()])[-1]
            after = text[match.end() : match.end() + 20]
            if not _DENIED.search(before) and not _IS_DENIED.match(after):
                claims.append((match.end(), match[1]))
    return max(claims, key=lambda claim: (claim[0], len(claim[1])))[1] if claims else None


def marked(text: str) -> str | None:
    """The last letter between brackets or in bold."""
    found = [match[1] or match[2] for match in _MARKED.finditer(text)]
    return str(found[-1]) if found else None
