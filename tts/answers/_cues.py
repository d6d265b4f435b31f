r"""The words that announce an answer, in many languages, with what is stated after them.

"The answer is 42.", "**Answer:** Bo has 23 jewels.", "答案：42", "Ответ: 42", "Đáp án là 42".
"""

import re

from tts.answers._boxes import Span, formulas, naked
from tts.answers._letters import SEVERAL

_LINK = r"[*_`\"'】\]）)]{0,3}\s?(?:[:：=]|[—–]|\bis\b)[*_`\"']{0,3}"
_ENGLISH = (
    r"\banswer\b(?:[ \t]+(?:to|for|of)\b[^.:\n]{0,60}?)?"
    r"(?:[*_`\"']{0,3}[ \t]?(?:[:：=]|[-–—](?=\s))[*_`\"']{0,3}"
    r"|[ \t](?:is|are|must be|would be|should be|will be|seems to be"
    r"|becomes?|comes to|equals)\b:?)"
    r"|\b(?:final[ _]answer(?:[ \t]is)?|answer[ _]is|my answer(?:["
    r" \t]is)?)\b[*_`\"']{0,3}\s?[:：=]?[*_]{0,3}(?=[ \t]*[\s$\\\d(\[-])"
    r"|(?:(?<=\n)|^)[#*_ \t]{0,6}(?:result|final result|solution|ans|final_answer)[*_`\"']{0,3}["
    r" \t]?[:：=][*_`\"']{0,3}"
)
_OTHERS = (
    # Chinese, Japanese, Korean
    r"【(?:答案|解答)】[:：]?|(?:最终|最終|最后|正确|正確|参考|標準|标准)?(?:答案|正解|答え|解答|最終的な答え)(?:选|選)?"
    r"\s?(?:应该是|应为|應為|是|为|為|等于|は|[:：]|就是|即为)\s?[:：]?|(?:(?<=\n)|^)[*_ ]{0,3}(?:答|解)\s?[:：]"
    r"|故(?:选|選"
    r"|答案[是为為])\s?[:：]?"
    r"|(?:应选|應選|选择|選擇|选)(?=\s?[（(]?[A-J][)）]?(?![a-zA-Z]))[:：]?|解得"
    r"|(?:정답|답변|최종 답|답)\s?(?:은|는|이)?\s?[:：]?(?=\s?[\d$\\(*A-J-])"
    # European
    rf"|\b(?:[Пп]равильный |[Ии]тоговый |[Оо]кончательный )?[Оо]твет(?:\s?{_LINK}|\s+(?:равен|будет|есть)\b)?(?=\s)"
    rf"|\b[Вв]ідповідь\s?(?:{_LINK})"
    r"|(?i:\brespuesta|\bresposta|\brisposta|\bréponse|\bantwort|\bantwoord|\bsvaret|\bsvar|\bodpowied[źz]|\bodpov[eě]ď|\brăspuns(?:ul)?"
    r"|\bvastaus|\bválasz|\bfacit|\bergebnis|\brésultat|\bresultado|\brisultato|\bsolución|\bsoluzione|\blösung)"
    r"(?:\s(?:final[e]?|correct[ae]?|endgültige|corretta|correcta|finale))?"
    r"(?:[*_]{0,3}\s?[:：=][*_]{0,3}|[*_]{0,3}\s(?i:es|est|è|é|e'|ist|lautet|is|är|er|este|to|jest|on)\b:?)"
    # Turkish, Vietnamese, Indonesian, Swahili, Filipino
    r"|(?i:\bcevap|\bsonuç|\bđáp án(?: đúng)?|\bđáp số|\bcâu trả lời|\bkết quả|\bjawaban(?:nya)?|\bjawapan"
    r"|\bjibu|\bsagot)"
    r"(?:\s(?i:akhir|cuối cùng|là|adalah|ialah|ni|ay))*[*_]{0,3}\s?[:：=]?[*_]{0,3}(?=\s)"
    # Arabic, Persian, Hebrew, Hindi, Bengali, Thai, Telugu, Tamil, Greek
    r"|(?:الإجابة|الاجابة|الجواب|الناتج|پاسخ|جواب|תשובה|התשובה)(?:\s(?:النهائية|النهائي|الصحيحة|نهایی|הסופית))?\s?(?:هي|هو|היא|برابر|[:：])?\s?[:：]?(?=\s)"
    r"|(?:अंतिम )?(?:उत्तर|जवाब)\s?(?:है|[:：])?(?=\s)|উত্তর(?:টি)?\s?(?:হল|হলো|[:：])?(?=\s)"
    r"|คำตอบ(?:สุดท้าย)?\s?(?:คือ|[:：])?"
    r"|(?:సమాధానం|జవాబు)\s?[:：]?(?=\s)|(?:பதில்|விடை)\s?[:：]?(?=\s)|(?i:απάντηση)\s?(?:είναι|[:：])"
)
_CUE = re.compile(rf"(?:(?i:{_ENGLISH})|{_OTHERS})\s*")
_HINTS = re.compile(
    r"(?i)answer|result|solution|\bans\b|final|[^\x00-\x7f]|respuesta|resposta|risposta|antwo|svar|jawa|cevap|jibu|sagot|ergebnis|facit|resultado|risultato|vastaus"
)
_END = re.compile(r"[.!](?=\s|$|[*_]{1,3}(?:\s|$))|[。！؟।]|\n|I hope it is correct|<[|｜]")
_COPULA = re.compile(r"\b(?:is|are|was|were|equals|es|est|ist|è|é)\b:?")
_LETTER = re.compile(
    r"[*_`\"'（(\s]*(?:(?i:option|choice)\s*)?(?:\(([A-J]|[a-j](?=\)(?:\s|$|[.,])))\)|([A-J])(?=$|[.:：,，。)*）\]\s_\"'—-]))"
)
_WORD = re.compile(r"(?<![\\a-zA-Z{])[^\W\d_]{4,}")
_LEAD = re.compile(
    r"(?i)^(?:(?:therefore|thus|then|hence|simply|just|exactly|approximately|about|roughly|indeed|also|only|equal to"
    r"|given by|definitely|clearly)\s+|(?:value|final|answer)\s*:\s*)+"
)
_GLOSS = re.compile(r"(?<=\d)\s*\([a-z][a-z -]*\)$")
_NUMBER = re.compile(
    r"(?<![\w.])[-\u2212]?(?:(?:\d{1,3}(?:,\d{3})+(?!\d)|\d+)(?:[.,]\d+)?(?:[eE][-+]?\d+\b|/\d+)?|\.\d+)%?"
)
_CJK = re.compile(r"[\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af\u0e00-\u0e7f]")
_CJK_NUMBER = re.compile(r"[-\u2212]?(?:\d{1,3}(?:,\d{3})+|\d+)(?:\.\d+)?(?:/\d+)?%?")
# A number after these is when or among how many, rarely the answer.
_ASIDE = re.compile(
    r"(?i)\b(?:(?:over|in|after|within|during|every|for|by|at|until|past|next|last|first|out of|of the|from|per|since"
    r"|en|por|durante|dans|pendant|pro|in|nach|über|за|в|через|entro|dopo)\s+(?:a |the |all |about |each |les |los )*"
    r"(?=[\d.,]+\s+(?:seconds?|minutes?|hours?|days?|weeks?|months?|years?|nights?|mornings?|people|persons?|trips?|times"
    r"|o'clock|am|pm|jours?|heures?|semaines?|mois|ans|días|dias|horas|semanas|meses|años|tagen?|stunden?|wochen?|monate"
    r"|jahren?|giorni|ore|settimane|mesi|anni|дн\w+|час\w*|недел\w+|лет|месяц\w*)\b)"
    r"|(?:in|among|across|into|within)\s+(?:the |all |each )*(?=[\d.,]+\s+[a-z]{3,}))"
)
_MONEY = re.compile(r"(?<![\\\w])(?:\\?\$|€|£)\s?(?=\d)")
_LONGEST = 2000
_MOST = 20  # last announcements that are tried
_OPENING = re.compile(r"[\s*_\"'`:：=（]*(?:\\(?:boxed|mathbf|text)\{)?")


def cues(text: str) -> list[Span]:
    """Each announcement that states something, in order, with the answer stated; the last twenty."""
    if _HINTS.search(text) is None:
        return []
    found = []
    for cue in list(_CUE.finditer(text))[-_MOST:]:
        quote = text[max(0, cue.start() - 1) : cue.start()]
        if quote and quote in "\"'" and quote in cue.group():
            continue  # the name of a field
        stated = _after(text, cue.end())
        if stated is not None:
            found.append(Span(cue.start(), stated.end, stated.content))
    return found


def _after(text: str, start: int) -> Span | None:
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
    answer = stated(sentence)
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


def stated(phrase: str) -> str | None:
    """The answer in what follows an announcement: all of it when short, else its last statement, formula or number."""
    phrase = phrase.strip(" \t*_\"'`：:=").removeprefix("}").strip()
    if SEVERAL.fullmatch(phrase.rstrip(" .*)")):
        return ", ".join(re.findall("[A-J]", phrase))
    letter = _LETTER.match(phrase)
    if letter is not None and not _continues(phrase[letter.end() :]):
        return letter[1] or letter[2]
    if _CJK.search(phrase):
        return _in_script(phrase)
    phrase = _GLOSS.sub("", _LEAD.sub("", _COPULA.split(phrase)[-1].strip(" *_"), count=1))
    if phrase.endswith(")") and phrase.count("(") < phrase.count(")"):
        phrase = phrase[:-1]
    sentence = phrase[:1].isupper() and " " in phrase and _WORD.search(phrase) and len(_NUMBER.findall(phrase)) == 1
    if sentence or _ASIDE.search(phrase) or len(_WORD.findall(phrase)) > 2 or len(phrase) > 300:
        return _in_prose(phrase)
    spans = formulas(phrase)
    if spans and len(phrase) - sum(span.end - span.start for span in spans) > 40:
        return spans[-1].content
    return phrase.rstrip(".!").strip("$ *_`") or None


def _continues(rest: str) -> bool:
    """Whether a letter goes on as a word or a formula: `A = 5`, `A perfect answer`."""
    return bool(re.match(r"\s*[=+<>^/]|\s+[a-z]{2,}|\s*-\s*\d|\s?\w", rest)) and not re.match(
        r"\s*(?:because|since|as|is|and|,|or|none|all|—|-\s|\(|für|porque|car|weil)\b", rest
    )


def _in_script(phrase: str) -> str | None:
    """In a script without spaces: the first formula, else the first number, else the first letter of a choice."""
    spans = formulas(phrase)
    if spans:
        return spans[0].content
    number = _CJK_NUMBER.search(phrase)
    if number is not None:
        return number.group()
    letter = re.search(r"(?<![A-Za-z])[A-J](?![A-Za-z])", phrase)
    if letter is not None:
        return letter.group()
    return phrase.strip() if len(phrase) < 30 else None


def _in_prose(phrase: str) -> str | None:
    """The formula, the bold number, the amount of money or the number that a sentence states."""
    spans = formulas(phrase)
    if spans:
        return spans[-1].content
    loose = naked(phrase)
    if loose is not None:
        return loose.content
    bold = re.findall(r"\*\*\s*\$?([^*]{1,40}?)\s*\*\*", phrase)
    if bold and _NUMBER.search(bold[-1]):
        phrase = bold[-1]
    return main_number(phrase) or (phrase.rstrip(".!").strip("*_ ") if len(phrase) < 60 else None)


def main_number(sentence: str) -> str | None:
    """The number of a sentence: an amount of money before any other, the last one that is no time or share aside."""
    aside = {match.end() for match in _ASIDE.finditer(sentence)}
    numbers = list(_NUMBER.finditer(sentence))
    money = {match.end() for match in _MONEY.finditer(sentence)}
    for wanted in (
        [one for one in numbers if one.start() in money and one.start() not in aside],
        [one for one in numbers if one.start() not in aside],
        numbers,
    ):
        if wanted:
            return wanted[-1].group()
    return None
