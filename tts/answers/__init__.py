"""Final answers: extraction, mathematical equality, equivalence classes, grading."""

from tts.answers._clusters import Clusters, Conflict
from tts.answers._equality import fast_equal
from tts.answers._extract import EXTRACTORS, Extractor, extract, extract_with
from tts.answers._service import Answers, Stats

__all__ = [
    "EXTRACTORS",
    "Answers",
    "Clusters",
    "Conflict",
    "Extractor",
    "Stats",
    "extract",
    "extract_with",
    "fast_equal",
]
