"""Hybrid SFT: TRL's `SFTTrainer` with the two objectives of GSR (arXiv 2509.00084, section 3).

Rows are TRL's conversational `prompt` / `completion` with the columns of `tts_trainers.rows.Row`. The loss is on
completion tokens only. Both losses are logged apart, as `loss_direct` and `loss_refine`; on an evaluation split also by
N_c, as `eval_loss_refine_n0` and so on.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, cast

import torch
from accelerate import PartialState  # type: ignore[import-untyped]  # no py.typed
from datasets import Dataset
from torch.utils.data import Sampler
from transformers import PreTrainedModel, PreTrainedTokenizerBase, TrainerCallback, TrainerControl, TrainerState
from transformers.trainer_utils import EvalLoopOutput, TrainOutput
from trl.trainer.sft_config import SFTConfig
from trl.trainer.sft_trainer import SFTTrainer

from tts import ConfigError
from tts_trainers.hybrid.collate import StrataCollator, add_strata, batch_lengths, check_joinable, pack
from tts_trainers.hybrid.objectives import (
    STRATA,
    evaluation_losses,
    group_sums,
    objective_counts,
    objective_of,
    token_weights,
)
from tts_trainers.hybrid.sampler import LENGTH_WINDOW, AlternatingSampler
from tts_trainers.recipe import Normalisation
from tts_trainers.rows import OBJECTIVES
from tts_trainers.runtime.checkpoints import last_checkpoint


class HybridSFTTrainer(SFTTrainer):
    """`SFTTrainer` whose loss is L_direct + lambda * L_selfR.

    `length_window` is explained at `AlternatingSampler`; without `alternate` both objectives are shuffled into each
    batch, so that no row comes twice in an epoch. `normalisation` is explained at `objectives.token_weights`; token
    counts are those of the whole optimiser step, so gradient accumulation, packing and several ranks give the loss of
    one large batch.

    Evaluation rows are never packed, so that each is counted once and under its own N_c; `eval_loss` is the objective
    of the whole split, not a mean over batches. `train(resume_from_checkpoint=True)` goes on from the last checkpoint
    that was written to its end, and starts from the beginning where there is none.

    Raises `ConfigError` for settings of TRL that would replace or distort this loss.
    """

    loss_is_scaled_for_ga: bool = True  # type: ignore[assignment]  # the weights already span the optimiser step

    def __init__(
        self,
        model: PreTrainedModel | str,
        args: SFTConfig,
        *,
        train_dataset: Dataset,
        processing_class: PreTrainedTokenizerBase,
        eval_dataset: Dataset | None = None,
        refine_weight: float = 1.0,
        normalisation: Normalisation = "objective",
        length_window: int = LENGTH_WINDOW,
        alternate: bool = True,
        callbacks: Sequence[TrainerCallback] = (),
        **kwargs: Any,
    ) -> None:
        _check(args)
        if args.packing:
            args.eval_packing = False
        self._refine_weight = refine_weight
        self._normalisation = normalisation
        self._since_log = torch.zeros(2, len(OBJECTIVES))  # sums and token counts
        self._evaluated = torch.zeros(STRATA, 2, dtype=torch.float64)
        self._sampler: AlternatingSampler | None = None
        self._length_window, self._alternate = length_window, alternate
        super().__init__(
            model=model,
            args=args,
            train_dataset=train_dataset,
            eval_dataset=eval_dataset,
            processing_class=processing_class,
            callbacks=[*callbacks, _EpochOfSampler(self)],
            **kwargs,
        )
        self.data_collator = StrataCollator(self.data_collator)
        self._since_log = self._since_log.to(self.accelerator.device)
        if self.padding_free:
            with self.accelerator.autocast():
                check_joinable(cast("PreTrainedModel", self.model))

    def _prepare_dataset(self, dataset: Dataset, *args: Any, **kwargs: Any) -> Dataset:
        """TRL's preparation, with the stratum of each token; packing is ours, since TRL's drops our columns."""
        processing_class, settings, packing, *rest = args
        if "strata" in dataset.column_names:
            return dataset
        prepared = super()._prepare_dataset(dataset, processing_class, settings, False, *rest, **kwargs)
        with PartialState().main_process_first():
            with_strata = add_strata(prepared)
            return pack(with_strata, settings.max_length) if packing else with_strata

    def _set_signature_columns_if_needed(self) -> None:
        super()._set_signature_columns_if_needed()  # type: ignore[no-untyped-call]
        columns: Any = self._signature_columns
        if "strata" not in columns:
            columns.append("strata")

    def _get_train_sampler(self, train_dataset: Dataset | None = None) -> Sampler[int]:  # noqa: ARG002
        # The rows given lack the columns that the model does not take; these are the same rows with all of them.
        objectives, lengths = batch_lengths(self.train_dataset)
        if not self._alternate:
            objectives = [0] * len(objectives)  # as if there were one
        batch_size = self._train_batch_size * self.accelerator.num_processes
        self._sampler = AlternatingSampler(
            objectives, lengths, batch_size=batch_size, seed=self.args.seed, length_window=self._length_window
        )
        return self._sampler

    def train(self, resume_from_checkpoint: str | bool | None = None, *args: Any, **kwargs: Any) -> TrainOutput:
        """As `Trainer.train`; `True` passes over half-written checkpoints, and starts anew where there is none."""
        if resume_from_checkpoint is True:
            if self.args.save_only_model:
                raise ConfigError("save_only_model keeps no optimiser to resume with; turn it off or start anew")
            checkpoint = last_checkpoint(str(self.args.output_dir))
            resume_from_checkpoint = None if checkpoint is None else str(checkpoint)
        return super().train(resume_from_checkpoint, *args, **kwargs)

    def _save_rng_state(self, output_dir: str) -> None:
        # The main process writes trainer_state.json next, which marks the checkpoint as complete for all ranks.
        super()._save_rng_state(output_dir)
        self.accelerator.wait_for_everyone()

    def _get_num_items_in_batch(
        self, batch_samples: list[dict[str, torch.Tensor]], device: torch.device
    ) -> torch.Tensor:
        """Target tokens of each objective in the whole optimiser step: [2]."""
        total = torch.zeros(len(OBJECTIVES), dtype=torch.long, device=device)
        for batch in batch_samples:
            total += objective_counts(batch["labels"][:, 1:], objective_of(batch["strata"][:, 1:])).to(device)
        gathered: torch.Tensor = self.accelerator.reduce(total, reduction="sum")
        # Ranks that share a batch have each counted it.
        return gathered / (self.get_tp_size() * self.get_cp_size() * self.get_sp_size())

    def compute_loss(
        self,
        model: torch.nn.Module,
        inputs: dict[str, Any],
        return_outputs: bool = False,
        num_items_in_batch: torch.Tensor | int | None = None,
    ) -> Any:
        """The share of one micro-batch in the loss of its optimiser step."""
        scored = _score(model, inputs, aux_loss=self.aux_loss_enabled)
        objective = objective_of(scored.strata)
        counts = objective_counts(scored.targets, objective)
        step = num_items_in_batch if isinstance(num_items_in_batch, torch.Tensor) else None
        loss = (scored.nll * self._weights(objective, counts if step is None else step)).sum()
        if step is not None:
            # DDP, FSDP and DeepSpeed average gradients over ranks, while the counts are sums over them.
            loss = loss * (self.accelerator.num_processes // self.get_tp_size())
        if self.aux_loss_enabled:
            loss = loss + self.router_aux_loss_coef * scored.outputs.aux_loss / self.current_gradient_accumulation_steps
        sums = group_sums(scored.nll.detach(), objective, len(OBJECTIVES))
        self._since_log += torch.stack([sums.float(), counts.float()])
        return (loss, scored.outputs) if return_outputs else loss

    def _weights(self, objective: torch.Tensor, counts: torch.Tensor) -> torch.Tensor:
        return token_weights(objective, counts, refine_weight=self._refine_weight, normalisation=self._normalisation)

    def log(self, logs: dict[str, float], start_time: float | None = None) -> None:
        """Add `loss_direct` and `loss_refine`, means over the target tokens since the last log of training."""
        if "loss" in logs or "train_loss" in logs:
            sums, counts = self.accelerator.reduce(self._since_log, reduction="sum").tolist()
            for name, total, count in zip(OBJECTIVES, sums, counts, strict=True):
                if count:
                    logs[f"loss_{name}"] = total / count
            self._since_log.zero_()
        super().log(logs, start_time)

    def evaluation_loop(
        self,
        dataloader: Any,
        description: str,
        prediction_loss_only: bool | None = None,
        ignore_keys: list[str] | None = None,
        metric_key_prefix: str = "eval",
    ) -> EvalLoopOutput:
        """As `Trainer.evaluation_loop`, with the losses of `objectives.evaluation_losses` over the whole split."""
        self._evaluated.zero_()
        output = super().evaluation_loop(dataloader, description, prediction_loss_only, ignore_keys, metric_key_prefix)
        losses = evaluation_losses(
            self._evaluated, refine_weight=self._refine_weight, normalisation=self._normalisation
        )
        ours = {f"{metric_key_prefix}_{name}": value for name, value in losses.items()}
        return output._replace(metrics=(output.metrics or {}) | ours)

    def prediction_step(
        self,
        model: torch.nn.Module,
        inputs: dict[str, Any],
        prediction_loss_only: bool,  # noqa: ARG002  # the fused head makes no logits
        ignore_keys: list[str] | None = None,  # noqa: ARG002
    ) -> tuple[torch.Tensor, None, None]:
        """The loss of one batch; what its rows add to the strata is kept for the end of the split."""
        inputs = self._prepare_inputs(inputs)
        rows = inputs["rows"]
        with torch.no_grad(), self.compute_loss_context_manager():
            scored = _score(model, inputs, aux_loss=False)
        size = int(rows.max()) + 1
        groups = rows[:, 1:] * STRATA + scored.strata
        parts = [
            group_sums(one, groups, size * STRATA) for one in (scored.nll.float(), scored.targets.ne(-100).float())
        ]
        per_row = torch.stack(parts, 1).view(size, STRATA, 2)
        # Gathered by row: accelerate fills the last batch with rows seen before, and drops them again here.
        self._evaluated += self.accelerator.gather_for_metrics(per_row).sum(0).cpu()
        objective = objective_of(scored.strata)
        weights = self._weights(objective, objective_counts(scored.targets, objective))
        return (scored.nll * weights).sum(), None, None


class _EpochOfSampler(TrainerCallback):
    """Tells the sampler its epoch: accelerate's own way ends at its shards when a run of several ranks is resumed."""

    def __init__(self, trainer: HybridSFTTrainer) -> None:
        self._trainer = trainer

    def on_epoch_begin(self, args: Any, state: TrainerState, control: TrainerControl, **kwargs: Any) -> None:  # noqa: ARG002
        if self._trainer._sampler is not None:  # noqa: SLF001  # one class in two, as callbacks want it
            self._trainer._sampler.set_epoch(int(state.epoch or 0))  # noqa: SLF001


@dataclass
class _Scored:
    outputs: Any
    nll: torch.Tensor  # negative log-likelihood of each target, zero elsewhere: [rows, tokens]
    targets: torch.Tensor  # what each position predicts, -100 where nothing: [rows, tokens]
    strata: torch.Tensor  # of each target: [rows, tokens]


def _score(model: torch.nn.Module, inputs: dict[str, Any], *, aux_loss: bool) -> _Scored:
    """Run the model on a batch; `strata`, `rows` and the mask are taken out of it."""
    strata = inputs.pop("strata")
    inputs.pop("rows")
    if aux_loss:
        inputs["output_router_logits"] = True
    if (shifted := inputs.get("shift_labels")) is not None:
        # Context parallelism has cut the sequences, but a row of an unpacked batch has one stratum.
        outputs = model(**inputs, fused_lm_head=True)
        return _Scored(outputs, -outputs.log_probs, shifted, strata[:, :1].expand_as(shifted))
    if not aux_loss:  # which counts the tokens that the mask leaves
        # TRL pads on the right, where a causal model does not look; without a mask attention can skip what lies ahead.
        inputs.pop("attention_mask", None)
    targets = inputs["labels"][:, 1:]
    if targets.device.type == "cpu":
        outputs, nll = _score_on_cpu(model, inputs, targets)
    else:
        outputs = model(**inputs, fused_lm_head=True)
        nll = -outputs.log_probs
    return _Scored(outputs, nll, targets, strata[:, 1:])


def _score_on_cpu(model: torch.nn.Module, inputs: dict[str, Any], targets: torch.Tensor) -> tuple[Any, torch.Tensor]:
    """TRL's fused head needs Triton to be fast; here the head runs on the columns that hold a target and no others."""
    columns = targets.ne(-100).any(0).nonzero().flatten()
    if not len(columns):
        columns = columns.new_zeros(1)  # one column of nothing keeps the gradient a zero
    without_labels = {name: value for name, value in inputs.items() if name != "labels"}
    outputs = model(**without_labels, use_cache=False, logits_to_keep=columns)
    logits = outputs.logits.float().flatten(0, 1)
    nll = torch.nn.functional.cross_entropy(logits, targets[:, columns].flatten(), reduction="none")
    everywhere = nll.new_zeros(targets.shape)
    return outputs, everywhere.index_copy(1, columns, nll.view(len(targets), -1))


def _check(args: SFTConfig) -> None:
    """Refuse settings that would change the loss behind the user's back."""
    if args.loss_type != "nll":
        raise ConfigError(f"loss_type {args.loss_type!r} is not a hybrid loss; leave it at 'nll'")
    if args.label_smoothing_factor:
        raise ConfigError(f"label_smoothing_factor {args.label_smoothing_factor} has no place in the loss; set it to 0")
    if not args.average_tokens_across_devices:
        raise ConfigError("average_tokens_across_devices must be on: the loss is a mean over the tokens of all ranks")
    if args.packing and args.packing_strategy != "bfd":
        raise ConfigError(f"packing_strategy {args.packing_strategy!r} cuts rows apart; use 'bfd'")
    if args.packing and args.eval_packing:
        raise ConfigError("eval_packing would lose which row a loss belongs to; leave it off")
