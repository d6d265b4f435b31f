"""What can be told of a completion while its tokens come: the beginning of the text that it will have."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial

from tts import Request
from tts_backends.checkpoints.chat import Chat

_HALF = "\ufffd"  # how a character is decoded of which tokens are missing


class Telling:
    """Tokens of one completion as text, told bit by bit.

    Kept back are characters of which a part is missing, and as many as a stop string may begin with. Decoded is what
    came last with some tokens before it, since a decoder treats the first of a text in its own way.
    """

    def __init__(self, chat: Chat, tell: Callable[[str], None], stops: Sequence[str] = ()) -> None:
        self._chat, self._tell, self._stops = chat, tell, [stop for stop in stops if stop]
        self._held = max(map(len, self._stops), default=1) - 1
        self._before = self._read = 0  # of the tokens: from where they are decoded, how many have been read
        self._text = ""
        self._told = 0  # of its characters

    def more(self, tokens: Sequence[int]) -> None:
        """Tell what is new of the text of all tokens so far."""
        if len(tokens) <= self._read:
            return
        along = self._chat.decode(tokens[self._before : self._read])
        text = self._chat.decode(tokens[self._before :])
        if text.endswith(_HALF) or not text.startswith(along):
            return
        self._before, self._read = self._read, len(tokens)
        self._text += text[len(along) :]
        ends = [place for stop in self._stops if (place := self._text.find(stop, self._told)) >= 0]
        self._say(min([len(self._text) - self._held, *ends]))

    def end(self, text: str) -> None:
        """Tell what has not been told of the whole text, unless it has become another one."""
        if text.startswith(self._text[: self._told]):
            self._text = text
            self._say(len(text))

    def _say(self, upto: int) -> None:
        if upto > self._told:
            told, self._told = self._told, upto
            self._tell(self._text[told:upto])


def tellings(request: Request, chat: Chat) -> dict[int, Telling]:
    """Those of each completion of a request, where somebody reads along."""
    tell, stops = request.on_text, request.sampling.stop
    return {} if tell is None else {place: Telling(chat, partial(tell, place), stops) for place in range(request.n)}
