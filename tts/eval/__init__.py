"""Evaluation: the numbers of outcomes, the protocol that makes them."""

from tts.door import door

__getattr__, __dir__ = door(__name__)
