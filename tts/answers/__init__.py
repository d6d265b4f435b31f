"""Final answers: extraction, mathematical equality, equivalence classes, grading."""

from tts.door import door

__getattr__, __dir__ = door(__name__)
