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

    Rows with one problem text are one problem with several solutions.
    """

    data: str = Field(min_length=1)
    """Anything that `tts.read_examples` takes as text: a file, `hub:ORG/NAME[@split=...]`, `task:NAME`."""

    id: str | None = None
    """The column that names a problem. By default its usual names."""

    problem: str | None = None
    """The column of the problem's text. By default its usual names."""

    answer: str | None = None
    """The column of the gold answer. By default its usual names; where it names the solutions' column, too, the answer
    is the one that the solution ends in.
    """

    solutions: str | None = None
    """The column of worked solutions, a text or a list of them. By default there are none."""

    boxed: bool = True
    """Whether the answer of a solution whose last line is `#### 18` is put into a box, which the prompts ask for. On by
    default (our choice: GSM8K's solutions end so, and would teach to leave the box out).
    """

    pass_rate: str | None = None
    """The column of the pass rate: a number, or text such as "0.5" and "n/a". By default there is none."""

    candidates: str | None = None
    """The column of candidates, a text or a list of them, for `student.model = "recorded"`."""

    limit: int | None = Field(None, ge=1)
    """Read only so many rows. By default all."""

    def read_as(self) -> dict[str, str]:
        """The columns that `tts.read_rows` is told."""
        named = {"id": self.id, "problem": self.problem, "answer": self.answer}
        return {role: column for role, column in named.items() if column is not None}


class FilterSection(Section):
    """Which rows are used, in this order: `where` column by column, pass rate, evaluation tasks."""

    where: dict[str, bool | int | float | str] = Field(default_factory=dict)
    """Columns with the value that a row must have there. By default every row is used; the paper keeps two values of
    OpenMathReasoning (arXiv 2509.00084, Table 6).
    """

    pass_rate: tuple[float, float] | None = None
    """The lowest and the highest pass rate that is used, each a share of 0 to 1. By default any; the paper's is 0.25 to
    0.90.
    """

    evaluation: tuple[str, ...] = ()
    """Evaluation tasks, as `source.data`, whose problems are taken out. Name every task that you will evaluate on."""

    ngram: int = Field(13, ge=1)
    """Words in a row that a problem shares with an evaluation problem to count as that problem. By default 13, a usual
    number for decontamination (GPT-3, arXiv 2005.14165).
    """

    @model_validator(mode="after")
    def _runs_upwards(self) -> Self:
        if self.pass_rate is not None and self.pass_rate[0] > self.pass_rate[1]:
            raise ValueError(f"pass_rate {list(self.pass_rate)} holds nothing; give [lowest, highest]")
        return self


class DrawnSection(Section):
    """A model that answers: a reference `backend:model`, or `recorded` for what the source's own columns hold."""

    model: str = Field(min_length=1)
    """Who answers: `backend:model`, or `recorded` for what the source's own columns hold."""

    n: int = Field(ge=1)
    """Completions per prompt."""

    temperature: float = Field(ge=0)
    """Sampling temperature; 0 is greedy."""

    top_p: float = Field(0.95, gt=0, le=1)
    """Share of the probability that tokens are drawn from, above 0 and at most 1. By default the paper's (arXiv
    2509.00084).
    """

    max_tokens: int = Field(ge=1)
    """The most new tokens of a completion."""

    def sampling(self, seed: int) -> Sampling:
        """How completions are drawn."""
        return Sampling(temperature=self.temperature, top_p=self.top_p, max_tokens=self.max_tokens, seed=seed)


class StudentSection(DrawnSection):
    """The model to be trained; a newer checkpoint here refreshes the candidates on-policy."""

    n: int = Field(6, ge=1)
    """Candidates per problem. By default the paper's six (arXiv 2509.00084, section 3.2)."""

    temperature: float = Field(1.0, ge=0)
    """Sampling temperature of the candidates; 0 is greedy. By default the paper's."""

    max_tokens: int = Field(4096, ge=1)
    """The most new tokens of a candidate. By default the paper's."""


class TeacherSection(DrawnSection):
    """The model that answers the refine prompts; its wrong answers are dropped."""

    n: int = Field(10, ge=1)
    """Answers per refine prompt. By default the paper's ten (arXiv 2509.00084, section 3.2)."""

    temperature: float = Field(0.7, ge=0)
    """Sampling temperature of the answers; 0 is greedy. By default the paper's."""

    max_tokens: int = Field(16384, ge=1)
    """The most new tokens of an answer. By default the paper's."""

    instruction: str | None = None
    """What is added to a refine prompt for the teacher only, never to the row, such as "Check the numbers of each
    candidate against the problem before you use a line of it." By default nothing, as in the paper.
    """

    of_all_correct: int = Field(4, ge=1)
    """How many answers stay, at random, where all of them are right. By default the paper's four."""


class LabelSection(Section):
    """What counts as correct.

    Labels other than gold are what the paper names as its limitation, and as noisy as it sounds.
    """

    kind: Literal["gold", "majority", "reward-model"] = "gold"
    """What counts as correct: the gold answer, the majority of the candidates, or the answer of the one that a reward
    model likes best. By default gold, as in the paper.
    """

    minimum_share: float = Field(0.5, ge=0, le=1)
    """Share of the candidates that a majority must have to be a label, 0 to 1. By default half (our choice)."""

    scorer: str | None = None
    """The reward model, as `scorer:model`; for `kind = "reward-model"` only."""

    extractor: str = "boxed"
    """What finds the final answer in a visible text, by name. By default the box that the prompts ask for."""

    grader: str = "math"
    """What compares an answer with the label, by name. By default mathematical equality."""

    @model_validator(mode="after")
    def _scorer_where_it_is_asked(self) -> Self:
        if (self.kind == "reward-model") != (self.scorer is not None):
            raise ValueError("kind = 'reward-model' and scorer = 'backend:model' go together: give both or neither")
        return self


class PromptSection(Section):
    """What a refine prompt shows, and which are left out."""

    shown: int | Annotated[tuple[Annotated[int, Field(ge=1)], ...], Field(min_length=1)] = Field(4)
    """Candidates in a refine prompt: correct ones first, filled with wrong ones, shuffled. A list such as
    `[1, 2, 4, 4, 10]` draws one of its numbers for each prompt. By default the paper's four (arXiv 2509.00084).
    """

    mix: dict[int, Share] = Field(default_factory=dict)
    """The largest share of the prompts for each N_c (how many of the candidates shown are correct) that is named, 0 to
    1; `{ 4 = 0.3 }`: at most 30 % show four correct ones, which teaches to copy. By default none is limited, as in the
    paper.
    """

    refine_template: str = "refine"
    """The refine prompt: a name of ours, or the path of a Jinja file with the fields `problem` and `candidates`."""

    direct_template: str = "direct"
    """The direct prompt: a name of ours, or the path of a Jinja file with the field `problem`."""

    candidate_tokens: int | None = Field(None, ge=1)
    """Budget in tokens for the summary of each candidate. By default none is cut, as in the paper's training data: its
    6,144 tokens for four are a budget of inference (`prompts.candidate_tokens` of `tts train hybrid`).
    """

    max_tokens: int = Field(8192, ge=1)
    """The most tokens of a refine prompt; longer ones are left out and counted. By default the paper's."""

    @property
    def numbers(self) -> tuple[int, ...]:
        """How many candidates prompts show: one of these numbers each."""
        return (self.shown,) if isinstance(self.shown, int) else self.shown

    @model_validator(mode="after")
    def _mixes_what_there_is(self) -> Self:
        most = max(self.numbers)
        if min(self.numbers) < 1:
            raise ValueError(f"shown = {self.shown}: a refine prompt shows at least one candidate")
        if wrong := [n for n in self.mix if not 0 <= n <= most]:
            raise ValueError(f"mix: no prompt of {most} candidates has N_c = {wrong[0]}")
        if len(self.mix) > most and sum(self.mix.values()) < 1 - 1e-9:
            raise ValueError(f"mix: the shares of all N_c sum to {sum(self.mix.values()):g}, which is less than 1")
        return self


class KindsSection(Section):
    """Which groups refine prompts show, as weights: a prompt is of one kind, and of the others in proportion.

    A refiner that only ever saw its own candidates of the very problem need not read the problem. Errors are planted by
    the task where the source is one that can (`tts.Task.planted`), else made by changing a candidate's text. A kind
    that cannot be made of a problem's candidates gives way to `own`, and the data card counts both.
    """

    own: float = Field(1.0, ge=0)
    """The student's own candidates, correct ones first. By default all are of this kind, as in the paper."""

    slip: float = Field(0.0, ge=0)
    """A step that comes out wrong, in 1 to all of the candidates. By default none."""

    miscopied: float = Field(0.0, ge=0)
    """A number of the problem miscopied, in 1 to all of the candidates. By default none."""

    missing: float = Field(0.0, ge=0)
    """A step left out, in 1 to all of the candidates. By default none."""

    repeated: float = Field(0.0, ge=0)
    """A step written twice, in 1 to all of the candidates. By default none."""

    truncated: float = Field(0.0, ge=0)
    """1 to all of the candidates cut off on the way. By default none."""

    empty: float = Field(0.0, ge=0)
    """No text in 1 to all of the candidates. By default none."""

    noise: float = Field(0.0, ge=0)
    """The words of 1 to all of the candidates in random order. By default none."""

    boxes: float = Field(0.0, ge=0)
    """Answers in their boxes without the solutions. By default none."""

    other: float = Field(0.0, ge=0)
    """Responses to another problem in place of 1 to all of the candidates. By default none."""

    consensus: float = Field(0.0, ge=0)
    """Solutions that all end in one wrong answer. By default none."""

    all_right: float = Field(0.0, ge=0)
    """Correct candidates only. By default none beside those that `own` gives."""

    one_right: float = Field(0.0, ge=0)
    """A single correct candidate among wrong ones. By default none beside those that `own` gives."""

    duplicates: float = Field(0.0, ge=0)
    """One candidate several times. By default none."""

    @property
    def weights(self) -> dict[str, float]:
        """The kinds that occur, with their weights."""
        return {name: weight for name, weight in self.model_dump().items() if weight > 0}

    @model_validator(mode="after")
    def _some_kind(self) -> Self:
        if not self.weights:
            raise ValueError("all weights are 0, so there is no refine prompt to make; give one of them a weight")
        return self


class DirectSection(Section):
    """The direct half of the rows."""

    origin: Literal["solutions", "candidates"] = "solutions"
    """Where direct rows are drawn from: the given solutions, or the student's own correct candidates. By default the
    solutions, as in the paper.
    """

    per_refine: float = Field(1.0, ge=0)
    """Direct rows for each refine row, at least 0. By default as many, as in the paper."""

    check: bool = True
    """Use only solutions that end in the label. On by default (our choice: a source may hold wrong ones)."""


class OutputSection(Section):
    """The files, for training and for evaluation."""

    format: Literal["parquet", "jsonl"] = "parquet"
    """The kind of the files. By default Parquet (our choice: it is small and typed)."""

    evaluation_share: float = Field(0.01, ge=0, lt=1)
    """Share of the problems that are set apart for evaluation, with all their rows; at least 0 and below 1. By default
    one in a hundred (our choice).
    """

    arms: int | None = Field(None, ge=2)
    """Rows of each arm of an ablation, over the same problems: `direct/`, `refine/` and `hybrid/` in the folder get so
    many, the last one half of each kind; each problem gives one row to each arm. By default there is no ablation; the
    paper's has 20,000 (arXiv 2509.00084, Table 2).
    """


class DataRecipe(Section):
    """From raw problems to training rows."""

    own_prefix: ClassVar[str] = "data-"
    seed: int = 0
    """Seed of sampling, choice, order and split."""

    source: SourceSection
    """The raw problems."""

    filter: FilterSection = FilterSection()
    """Which of them are used."""

    student: StudentSection
    """Whose candidates are shown."""

    label: LabelSection = LabelSection()
    """What counts as correct."""

    prompt: PromptSection = PromptSection()
    """What a refine prompt shows."""

    kinds: KindsSection = KindsSection()
    """Which groups of candidates refine prompts show."""

    teacher: TeacherSection
    """Who answers the refine prompts."""

    direct: DirectSection = DirectSection()
    """The direct half."""

    output: OutputSection = OutputSection()
    """The files."""

    @model_validator(mode="after")
    def _sections_fit_together(self) -> Self:
        shown, sampled = max(self.prompt.numbers), self.student.n
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
