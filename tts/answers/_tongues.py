"""Whether a text is in a language that writes 1.250,5 for what is 1,250.5 in English."""

import re

# Words that a text in one of these languages can hardly avoid.
_WORDS = re.compile(
    r"(?i)\b(?:der|die|das|und|wie viele?|jeden?|hat|es|sie|er|ist|sind|insgesamt|bleiben|kostet|verdient|macht"
    r"|zusammen|cuánt[oa]s?|cada|tiene|los|las|una?|el|ella|gana|quedan|en total|combien|chaque|des|est|dans|le|la|il"
    r"|elle|au total|cela|fait|reste|quant[ieao]s?|ogni|uma|della|ha|hoeveel|het|een|сколько"
    r"|каждый|на|по|всего|она?|скільки|kaç|tane|toplam"
    r"|berapa|yang|setiap|bao nhiêu|mỗi|hur många|och|ile|każdy)\b"
)
_ENGLISH = re.compile(r"(?i)\b(?:the|of|and|is|how|many|what|find|each|are|in|he|she|it|to|has)\b")
_ACCENTS = re.compile(r"(?i)[€¿¡àâäçèéêëìíîïñòóôöùúûüßœáãõа-яąćęłńśźżğışđạảấầ]")
_FEWEST = 3  # words, of which English has some as well
_FEWEST_ALONE = 2  # without any of English; one where there are accents


def writes_commas(text: str) -> bool:
    """Whether the words say so: some of those languages, few or none of English."""
    words, english = len(_WORDS.findall(text)), len(_ENGLISH.findall(text))
    fewest = _FEWEST if english else _FEWEST_ALONE - (_ACCENTS.search(text) is not None)
    return words >= fewest and words > 2 * english
