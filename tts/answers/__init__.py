"""Final answers: their extraction, equality as mathematics, classes, grading."""

from tts.door import door

__getattr__, __dir__ = door(__name__)
