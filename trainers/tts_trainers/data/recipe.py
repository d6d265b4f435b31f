"""The recipe of `tts train-data`: every setting of the pipeline, with the paper's values as defaults where it has any.

The numbers are those of arXiv 2509.00084 (section 3.2 and Table 6).
"""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal, Self

from pydantic import Field, model_validator

from tts import Sampling
from tts_trainers.recipe import Section

RECORDED = "recorded"  # in place of a model: what the source's own columns hold

Share = Annotated[float, Field(ge=0, le=1)]


class SourceSection(Section):
    """Where problems come from and what their columns are called.

    `data` is anything that `tts.read_examples` takes as text: a file, `hub:ORG/NAME[@split=...]`, `task:NAME`. Rows
    with one problem text are one problem with several solutions. `solutions` and `candidates` hold a text or a list of
    them. Where `answer` and `solutions` name one column, the answer is the one that the solution ends in.
    """

    data: str = Field(min_length=1)
    id: str | None = None
    problem: str | None = None
    answer: str | None = None
    solutions: str | None = None
    pass_rate: str | None = None
    candidates: str | None = None
    limit: int | None = Field(None, ge=1)

    def read_as(self) -> dict[str, str]:
        """The columns that `tts.read_rows` is told."""
        named = {"id": self.id, "problem": self.problem, "answer": self.answer}
        return {role: column for role, column in named.items() if column is not None}


class FilterSection(Section):
    """Which rows are used, in this order: `where` column by column, pass rate, evaluation tasks."""

    where: dict[str, bool | int | float | str] = Field(default_factory=dict)
    pass_rate: tuple[float, float] | None = None
    evaluation: tuple[str, ...] = ()
    ngram: int = Field(13, ge=1)

    @model_validator(mode="after")
    def _runs_upwards(self) -> Self:
        if self.pass_rate is not None and self.pass_rate[0] > self.pass_rate[1]:
            raise ValueError(f"pass_rate {list(self.pass_rate)} holds nothing; give [lowest, highest]")
        return self


class DrawnSection(Section):
    """A model that answers: a reference `backend:model`, or `recorded` for what the source's own columns hold."""

    model: str = Field(min_length=1)
    n: int = Field(ge=1)
    temperature: float = Field(ge=0)
    top_p: float = Field(0.95, gt=0, le=1)
    max_tokens: int = Field(ge=1)

    def sampling(self, seed: int) -> Sampling:
        """How completions are drawn."""
        return Sampling(temperature=self.temperature, top_p=self.top_p, max_tokens=self.max_tokens, seed=seed)


class StudentSection(DrawnSection):
    """The model to be trained; a newer checkpoint here refreshes the candidates on-policy."""

    n: int = Field(6, ge=1)
    temperature: float = Field(1.0, ge=0)
    max_tokens: int = Field(4096, ge=1)


class TeacherSection(DrawnSection):
    """The model that answers the refine prompts; where all of its answers are right, `of_all_correct` of them stay."""

    n: int = Field(10, ge=1)
    temperature: float = Field(0.7, ge=0)
    max_tokens: int = Field(16384, ge=1)
    of_all_correct: int = Field(4, ge=1)


class LabelSection(Section):
    """What counts as correct.

    Without gold answers the label is the majority of the candidates (of at least `minimum_share`) or the answer of the
    one that `scorer` likes best: what the paper names as its limitation, and as noisy as it sounds.
    """

    kind: Literal["gold", "majority", "reward-model"] = "gold"
    minimum_share: float = Field(0.5, ge=0, le=1)
    scorer: str | None = None
    extractor: str = "boxed"
    grader: str = "math"

    @model_validator(mode="after")
    def _scorer_where_it_is_asked(self) -> Self:
        if (self.kind == "reward-model") != (self.scorer is not None):
            raise ValueError("kind = 'reward-model' and scorer = 'backend:model' go together: give both or neither")
        return self


class PromptSection(Section):
    """What a refine prompt shows, and which are left out.

    `mix` is the largest share of the prompts for each N_c (how many of the candidates shown are correct) that it names;
    the others are not limited. `{ 4 = 0.3 }`: at most 30 % show four correct candidates, which teaches to copy.
    """

    shown: int = Field(4, ge=1)
    mix: dict[int, Share] = Field(default_factory=dict)
    refine_template: str = "refine"
    direct_template: str = "direct"
    candidate_tokens: int = Field(1536, ge=1)
    max_tokens: int = Field(8192, ge=1)

    @model_validator(mode="after")
    def _mixes_what_there_is(self) -> Self:
        if wrong := [n for n in self.mix if not 0 <= n <= self.shown]:
            raise ValueError(f"mix: no prompt of {self.shown} candidates has N_c = {wrong[0]}")
        if len(self.mix) > self.shown and sum(self.mix.values()) < 1 - 1e-9:
            raise ValueError(f"mix: the shares of all N_c sum to {sum(self.mix.values()):g}, which is less than 1")
        return self


class DirectSection(Section):
    """The direct half: `per_refine` rows for each refine row.

    They are drawn from the given solutions or from the student's own correct candidates.
    """

    origin: Literal["solutions", "candidates"] = "solutions"
    per_refine: float = Field(1.0, ge=0)
    check: bool = True  # only solutions that end in the label


class OutputSection(Section):
    """The files: `evaluation_share` of the problems, with all their rows, are set apart for evaluation."""

    format: Literal["parquet", "jsonl"] = "parquet"
    evaluation_share: float = Field(0.01, ge=0, lt=1)


class DataRecipe(Section):
    """From raw problems to training rows."""

    own_prefix: ClassVar[str] = "data-"
    seed: int = 0
    source: SourceSection
    filter: FilterSection = FilterSection()
    student: StudentSection
    label: LabelSection = LabelSection()
    prompt: PromptSection = PromptSection()
    teacher: TeacherSection
    direct: DirectSection = DirectSection()
    output: OutputSection = OutputSection()

    @model_validator(mode="after")
    def _sections_fit_together(self) -> Self:
        shown, sampled = self.prompt.shown, self.student.n
        if shown > sampled:
            raise ValueError(f"prompt.shown = {shown} candidates are chosen from student.n = {sampled}; sample more")
        if self.filter.pass_rate is not None and self.source.pass_rate is None:
            raise ValueError("filter.pass_rate needs source.pass_rate, the name of its column")
        if self.student.model == RECORDED and self.source.candidates is None:
            raise ValueError("student.model = 'recorded' needs source.candidates, the name of their column")
        if self.source.solutions is None and self.teacher.model == RECORDED:
            raise ValueError("teacher.model = 'recorded' needs source.solutions, the name of their column")
        if self.source.solutions is None and self.direct.origin == "solutions" and self.direct.per_refine > 0:
            raise ValueError(
                "direct.origin = 'solutions' needs source.solutions, their column; or set it to 'candidates'"
            )
        return self
