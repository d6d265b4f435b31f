r"""The words that announce an answer, in many languages, with what is stated after them.

"The answer is 42.", "**Answer:** Bo has 23 jewels.", "答案：42", "Ответ: 42", "Đáp án là 42".
"""

import re

from tts.answers._boxes import Span, formulas
from tts.answers._letters import SEVERAL
from tts.answers._sentence import CJK, NUMBER, in_prose, in_script, in_words, main_number
from tts.answers._spoken import spoken

_LINK = r"[*_`\"'】\]）)]{0,3}\s?(?:[:：=]|[—–]|\bis\b)[*_`\"']{0,3}"
_ENGLISH = (
    r"\banswers?\b(?:[ \t]+(?:to|for|of)\b[^.:\n]{0,60}?)?"
    r"(?:[*_`\"']{0,3}[ \t]?(?:[:：=]|[-–—→⇒⟶](?=\s))[*_`\"']{0,3}"
    r"|[ \t](?:is|are|must be|would be|should be|will be|seems to be"
    r"|becomes?|comes to|equals)\b:?)"
    r"|\b(?:final[ _]answer(?:[ \t]is)?|answer[ _]is|my answer(?:["
    r" \t]is)?)\b[*_`\"']{0,3}\s?(?:[:：=]|[-–—→⇒⟶](?=\s))?[*_]{0,3}(?=[ \t]*[\s$\\\d(\[-])"
    r"|(?:(?<=\n)|^)[*_ \t]{0,3}A[*_]{0,3}[:：](?=[ \t*]*[-$\\(\d])"
    r"|(?:(?<=\n)|^)[#*_ \t]{0,6}(?:result|final result|solution|ans|final_answer)[*_`\"']{0,3}["
    r" \t]?[:：=][*_`\"']{0,3}"
)
_EASTERN = (
    # Chinese, Japanese, Korean
    r"【(?:答案|解答)】[:：]?|(?:最终|最終|最后|正确|正確|参考|標準|标准)?(?:答案|正解|答え|解答|最終的な答え)(?:选|選)?"
    r"\s?(?:应该是|应为|應為|是|为|為|等于|は|[:：]|就是|即为)\s?[:：]?|(?:(?<=\n)|^)[*_ ]{0,3}(?:答|解)\s?[:：]"
    r"|故(?:选|選"
    r"|答案[是为為])\s?[:：]?"
    r"|(?:应选|應選|选择|選擇|选)(?=\s?[（(]?[A-J][)）]?(?![a-zA-Z]))[:：]?|解得"
    r"|(?:정답|답변|최종 답|답)\s?(?:은|는|이)?\s?[:：]?(?=\s?[\d$\\(*A-J-])"
)
_EUROPEAN = (
    rf"\b(?:[Пп]равильный |[Ии]тоговый |[Оо]кончательный )?[Оо]твет(?:\s?{_LINK}|\s+(?:равен|будет|есть)\b)?(?=\s)"
    rf"|\b[Вв]ідповідь\s?(?:{_LINK})"
    r"|(?i:\brespuesta|\bresposta|\brisposta|\bréponse|\bgabarito|\bantwort|\bantwoord|\bsvaret|\bsvar|\bodpowied[źz]|\bodpov[eě]ď|\brăspuns(?:ul)?"
    r"|\bvastaus|\bválasz|\bfacit|\bergebnis|\brésultat|\bresultado|\brisultato|\bsolución|\bsoluzione|\blösung)"
    r"(?:\s(?:final[e]?|correct[ae]?|endgültige|corretta|correcta|finale|final correcta))?"
    r"(?:[*_]{0,3}\s?[:：=][*_]{0,3}|[*_]{0,3}\s(?i:es|est|è|é|e'|ist|lautet|is|är|er|este|to|jest|on)\b:?)"
    # Turkish, Vietnamese, Indonesian
    r"|(?i:\b(?:doğru )?cevap|\bsonuç|\bđáp án(?: đúng)?|\bđáp số|\bcâu trả lời|\bkết quả|\bjawaban(?:nya)?|\bjawapan)"
    r"(?:\s(?i:akhir|yang benar|cuối cùng|là|adalah|ialah))*[*_]{0,3}\s?[:：=]?[*_]{0,3}(?=\s)"
)
_SOUTHERN = (
    # Swahili, Filipino, Arabic, Persian, Hebrew, Hindi, Bengali, Thai, Telugu, Tamil, Greek
    r"(?i:\bjibu|\bsagot)(?:\s(?i:la mwisho|sahihi|ni|ay))*[*_]{0,3}\s?[:：=]?[*_]{0,3}(?=\s)"
    r"|(?:الإجابة|الاجابة|الجواب|الناتج|پاسخ|جواب|תשובה|התשובה)(?:\s(?:النهائية|النهائي|الصحيحة|نهایی|הסופית))?\s?(?:هي|هو|היא|برابر|[:：])?\s?[:：]?(?=\s)"
    r"|(?:अंतिम |सही )?(?:उत्तर|जवाब)\s?(?:है|[:：])?(?=\s)"
    r"|(?:চূড়ান্ত |সঠিক )?উত্তর(?:টি)?\s?(?:হল|হলো|হচ্ছে|[:：])?\s?[:：]?(?=\s)"
    r"|คำตอบ(?:สุดท้าย|ที่ถูกต้อง|ของเรา)?\s?(?:คือ|[:：])?\s?[:：]?"
    r"|(?:సమాధానం|జవాబు)\s?[:：]?(?=\s)|(?:பதில்|விடை)\s?[:：]?(?=\s)|(?i:απάντηση)\s?(?:είναι|[:：])"
)
_FOREIGN = (
    "respuesta", "resposta", "risposta", "antwo", "svar", "odpowiedz", "vastaus", "facit", "ergebnis", "resultado",
    "risultato", "soluzione", "cevap", "jawa", "jibu", "sagot", "gabarito",
)  # fmt: skip
_CUE = re.compile(rf"(?:(?i:{_ENGLISH})|(?P<european>{_EUROPEAN})|(?P<other>{_EASTERN}|{_SOUTHERN}))\s*")
_ENGLISH_CUE = re.compile(rf"(?i:{_ENGLISH})\s*")
_LETTER_CUE = re.compile(r"(?i)(?:(?<=\n)|^)[*_ \t]{0,3}A[*_]{0,3}[:：]")
_HEADED = frozenset("#*_ \t")  # what may stand before a heading on its line
_MOST_HEADED = 6
_END = re.compile(
    r"(?<!\bi\.e)(?<!\be\.g)(?<!\bvs)(?<!\bapprox)[.!](?=\s|$|[*_]{1,3}(?:\s|$))|[。！؟।]|\n"
    r"|I hope it is correct|<[|｜]"
)
_COPULA = re.compile(r"\b(?:is|are|was|were|equals|es|est|ist|è|é)\b:?")
_LETTER = re.compile(
    r"[*_`\"'（(\s]*(?:(?i:option|choice)\s*)?(?:\(([A-J]|[a-j](?=\)(?:\s|$|[.,])))\)|([A-J])(?=$|[.:：,，。)*）\]\s_\"'—-]))"
)
_WORD = re.compile(r"(?<![\\a-zA-Z{])[^\W\d_]{4,}")
_LEAD = re.compile(
    r"(?i)^(?:(?:therefore|thus|then|hence|simply|just|exactly|approximately|about|roughly|indeed|also|only|equal to"
    r"|given by|definitely|clearly)\s+|(?:value|final|answer)\s*:\s*)+"
)
_AMONG_WORDS = re.compile(r"\s*[*_]{0,3}(?:[^\W\d_A-J][^\W\d_]*['’]?\s+){0,5}[*_(\"'«]{0,3}([A-J])(?=$|[.:,)*\s\"'»])")
_BOLD = re.compile(r"\s*\*\*\s*([^*:]{1,40}?)\s*\*\*(?=\s+[a-z])")  # **Alice** is the knight
_CERTAIN = re.compile(
    r"(?i)[\s*_\"'`:：]*(yes|no|true|false)[*_\"']{0,3}(?=\s*(?:[,.;:!]|[—–]|because\b|since\b|as\b|$))"
)
_CONTRAST = re.compile(r",? (?:not|and not|rather than|instead of) .*$")
_GLOSS = re.compile(r"(?<=\d)\s*\([a-z][a-z -]*\)$")
_LONGEST = 2000
_MOST = 20  # last announcements that are tried
_OPENING = re.compile(r"[\s*_\"'`:：=（]*(?:\\(?:boxed|mathbf|text)\{)?")


def cues(text: str) -> list[Span]:
    """Each announcement that states something, in order, with the answer stated; the last twenty."""
    low = text.lower()
    foreign = not text.isascii() or any(word in low for word in _FOREIGN)
    found: list[Span] = []
    for cue in (list(_CUE.finditer(text)) if foreign else _english_cues(text, low))[-_MOST:]:
        quote = text[max(0, cue.start() - 1) : cue.start()]
        if quote and quote in "\"'" and quote in cue.group():
            continue  # the name of a field
        tongue = cue.groupdict()
        language = "points" if tongue.get("european") else "other" if tongue.get("other") else ""
        said = _after(text, cue.end(), language)
        if said is not None:
            found.append(Span(cue.start(), said.end, said.content))
    return found


def _english_cues(text: str, low: str) -> list[re.Match[str]]:
    """What `_ENGLISH_CUE.finditer` finds, tried only where one may begin: most of most texts has no such word."""
    starts: set[int] = set()
    for word in ("answer", "ans", "result", "solution"):
        place = low.find(word)
        while place >= 0:
            for before in ("", "final ", "final_", "my "):
                begin = place - len(before)
                if low.startswith(before, max(begin, 0)) and begin >= 0:
                    starts.add(begin)
                    line = text.rfind("\n", 0, begin) + 1
                    if begin - line <= _MOST_HEADED and _HEADED.issuperset(text[line:begin]):
                        starts.add(line)
            place = low.find(word, place + 1)
    if "a:" in low or "a*" in low or "a_" in low:
        starts.update(match.start() for match in _LETTER_CUE.finditer(text))
    found: list[re.Match[str]] = []
    for start in sorted(starts):
        match = _ENGLISH_CUE.match(text, start) if not found or start >= found[-1].end() else None
        if match is not None:
            found.append(match)
    return found


def _after(text: str, start: int, language: str) -> Span | None:
    """The formula that begins here, or else what the sentence states."""
    rest = text[start : start + _LONGEST]
    opening = _OPENING.match(rest)
    shift = opening.end() if opening is not None and not opening.group().rstrip().endswith("{") else 0
    spans = formulas(rest)
    if spans and spans[0].start <= shift:
        last = _group(rest, spans)
        return Span(start, start + last.end, last.content)
    lead = len(rest) - len(rest.lstrip())
    sentence = _END.split(rest[lead:], maxsplit=1)[0]
    answer = _foreign(sentence, points=language == "points") if language else None
    answer = answer or stated(sentence)
    return None if answer is None else Span(start, start + lead + len(sentence), answer)


_JOINER = re.compile(r"(?:[\s,;&]|(?:and|or|y|et|und|,)\b|\\text\s*\{\s*(?:and|or)\s*\}){1,8}")


def _group(text: str, spans: list[Span]) -> Span:
    """The first formula with those that are joined to it."""
    group = [spans[0]]
    for span in spans[1:]:
        gap = text[group[-1].end : span.start]
        if len(gap) > 12 or not _JOINER.fullmatch(gap) or not re.search(r"[,;]|and|or", gap):
            break
        group.append(span)
    return Span(group[0].start, group[-1].end, "; ".join(dict.fromkeys(one.content for one in group)))


def _foreign(phrase: str, *, points: bool) -> str | None:
    """What a phrase in another language than English states, where words stand around it."""
    letter = _AMONG_WORDS.match(phrase)
    if letter is not None and not _continues(phrase[letter.end() :]):
        return letter[1]
    return None if CJK.search(phrase) else in_words(phrase, points=points)


def stated(phrase: str) -> str | None:
    """The answer in what follows an announcement: all of it when short, else its statement, formula or number."""
    bold = _BOLD.match(phrase)
    if bold is not None and not NUMBER.search(phrase, bold.end()):
        phrase = bold[1]
    certain = _CERTAIN.match(phrase)
    if certain is not None:
        return certain[1]
    phrase = phrase.strip(" \t*_\"'`：:=").removeprefix("}").strip()
    if SEVERAL.fullmatch(phrase.rstrip(" .*)")):
        return ", ".join(re.findall("[A-J]", phrase))
    letter = _LETTER.match(phrase)
    if letter is not None and not _continues(phrase[letter.end() :]):
        return letter[1] or letter[2]
    if CJK.search(phrase):
        return in_script(phrase)
    contrast = _CONTRAST.search(phrase)
    if contrast is not None and (NUMBER.match(phrase) or spoken(phrase[: contrast.start()]) is not None):
        phrase = phrase[: contrast.start()]
    phrase = _GLOSS.sub("", _LEAD.sub("", _COPULA.split(phrase)[-1].strip(" *_"), count=1))
    if phrase.endswith(")") and phrase.count("(") < phrase.count(")"):
        phrase = phrase[:-1]
    numbers = len(NUMBER.findall(phrase))
    sentence = phrase[:1].isupper() and " " in phrase and _WORD.search(phrase) and numbers == 1
    aside = numbers > 1 and "\\" not in phrase and len(_WORD.findall(phrase)) and main_number(phrase)
    if sentence or aside or len(_WORD.findall(phrase)) > 2 or len(phrase) > 300:
        return in_prose(phrase)
    spans = formulas(phrase)
    if spans and len(phrase) - sum(span.end - span.start for span in spans) > 40:
        return spans[-1].content
    return phrase.rstrip(".!").strip("$ *_`") or None


def _continues(rest: str) -> bool:
    """Whether a letter goes on as a word or a formula: `A = 5`, `A perfect answer`."""
    if re.match(r"\s*[^\x00-\x7f]", rest):
        return False  # another script goes on, as a sentence does after its letter
    return bool(re.match(r"\s*[=+<>^/]|\s+[a-z]{2,}|\s*-\s*\d|\s?\w", rest)) and not re.match(
        r"\s*(?:because|since|as|is|and|,|or|none|all|—|-\s|\(|für|porque|car|weil)\b", rest
    )
