"""Sample k candidates once, then turn them into one answer with any strategy."""

from tts.door import door

__getattr__, __dir__ = door(__name__)
