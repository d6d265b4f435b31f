"""Mathematical benchmarks whose answers are one number or expression: AIME, AMC, MATH-500, GSM8K."""

from __future__ import annotations

from typing import ClassVar

from tts.rows.files import Row
from tts.tasks._pinned import Benchmark, Pin
from tts.vocabulary.records import Example


class Aime24(Benchmark):
    """AIME I and II of 2024: 30 problems, answers 0 to 999."""

    name: ClassVar[str] = "aime24"
    pin: ClassVar[Pin] = Pin(
        hub="HuggingFaceH4/aime_2024",
        split="train",
        revision="2fe88a2f1091d5048c0f36abc874fb997b3dd99a",
        checksums={30: "26b2e319e14bdec5"},
        files=("aime2024", "aime_2024"),
    )


class Aime25(Benchmark):
    """AIME I and II of 2025: 30 problems, answers 0 to 999."""

    name: ClassVar[str] = "aime25"
    pin: ClassVar[Pin] = Pin(
        hub="yentinglin/aime_2025",
        split="train",
        revision="6f71d77b0b89b9dabe07ab466c51df33f514df7f",
        checksums={30: "a0239316151158f3"},
        files=("aime2025", "aime_2025"),
    )


class Amc(Benchmark):
    """AMC 12 of 2022 and 2023, the 83 problems with an integer answer."""

    name: ClassVar[str] = "amc22_23"
    pin: ClassVar[Pin] = Pin(
        hub="AI-MO/aimo-validation-amc",
        split="train",
        revision=None,
        checksums={83: "cb96ef45d39fb671"},
        files=("amc", "aimo-validation-amc"),
    )


class Math500(Benchmark):
    """500 problems of MATH's test split, answers in LaTeX (Lightman et al. 2023, arXiv 2305.20050)."""

    name: ClassVar[str] = "math500"
    pin: ClassVar[Pin] = Pin(
        hub="HuggingFaceH4/MATH-500",
        split="test",
        revision="6e4ed1a2a79af7d8630a6b768ec859cb5af4d3be",
        checksums={500: "aa253d39c4d8c269"},
        files=("math_500", "MATH-500"),
    )


class Gsm8k(Benchmark):
    """1,319 word problems of primary school, the test split (Cobbe et al. 2021, arXiv 2110.14168)."""

    name: ClassVar[str] = "gsm8k"
    pin: ClassVar[Pin] = Pin(
        hub="openai/gsm8k",
        split="test",
        revision="740312add88f781978c0658806c59bc2815b9866",
        checksums={1319: "a7866b369c33070b"},
        config="main",
        files=("gsm8k_test",),
    )

    def example(self, row: Row, position: int) -> Example:
        """As everywhere, with `2,125` written as `2125`, as other copies have it."""
        example = super().example(row, position)
        return example.model_copy(update={"answer": example.answer.replace(",", "") if example.answer else None})
