"""Optimizer steps with a step-size schedule, a running mean of the weights, and exact resume."""

import copy
import math
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

import numpy as np
import torch
from torch import Tensor

from latentloop.errors import NotFiniteError
from latentloop.training.processes import Alone, Processes

MakeOptimizer = Callable[[list[dict[str, Any]]], torch.optim.Optimizer]
"""Creates an optimizer from groups of parameters."""
adam: MakeOptimizer = partial(torch.optim.Adam, betas=(0.9, 0.99))
"""Adam with a shorter second-moment memory (beta2 0.99) than PyTorch's default."""


class Learner:
    """Takes optimizer steps on parameters; their running mean is the result.

    The step size grows linearly to its largest, then falls to 0 along a cosine over the last part of the run.
    """

    def __init__(
        self,
        groups: Sequence[tuple[Mapping[str, Tensor], float]],
        *,
        steps: int,
        warm_up: int,
        average: float,
        clip: float = math.inf,
        optimizer: MakeOptimizer = adam,
        processes: Processes | None = None,
        ramp_down: float = 1.0,
        patient: bool = False,
    ) -> None:
        """Start at step 0.

        Args:
            groups: Parameters by name, each group with its largest step size.
            steps: Number of steps of the whole run.
            warm_up: Number of steps in which the step size grows.
            average: Decay of the running mean.
            clip: Largest gradient norm over all parameters; a longer gradient is scaled down to it.
            optimizer: Creates the optimizer from groups of parameters.
            processes: Processes that train together; None for this one alone.
            ramp_down: Share of the run, at the end, over which the step size falls.
            patient: Test numbers for finiteness only in `check`, not in each step, which would make an accelerator
                wait.
        """
        self.step = 0
        self.parameters = {name: parameter for group, _ in groups for name, parameter in group.items()}
        self.average = {name: parameter.detach().clone() for name, parameter in self.parameters.items()}
        self._sizes = [lr for _, lr in groups]
        self._steps, self._warm_up, self._keep, self._clip = steps, warm_up, average, clip
        self._processes, self._ramp_down = processes or Alone(), ramp_down
        self._unchecked: list[Tensor] | None = [] if patient else None
        self._checked: dict[str, Any] = {}
        self._optimizer = optimizer([{"params": list(group.values())} for group, _ in groups])

    def learn(self, loss: Tensor, *, progress: float | None = None) -> None:
        """Take a step on a loss, or on the sum of the processes' losses.

        Args:
            loss: Scalar loss.
            progress: Share of the run that is done, from 0 to 1; None for that of the steps.

        Raises:
            NotFiniteError: The loss or its gradient is not finite; nothing is changed. A patient learner raises it in
                `check`.
        """
        # The total, not the own loss, is tested: all processes then refuse the same step.
        total = self._processes.total(loss.detach())
        self._refuse(total, "loss")
        self._optimizer.zero_grad()
        loss.backward()
        if self._processes.count > 1:
            self._add_up_gradients()
        # The returned norm is that before clipping, and not finite if any gradient is.
        norm = torch.nn.utils.clip_grad_norm_(self.parameters.values(), self._clip)
        self._refuse(norm, "gradient")
        if self._unchecked is not None:
            self._unchecked.append(torch.stack([total.isfinite(), norm.isfinite()]))
        # Set anew in each step, from the progress alone: resuming needs no state of a scheduler.
        for group, size in zip(self._optimizer.param_groups, self._sizes, strict=True):
            group["lr"] = size * self.ramp(progress)
        with self._processes.mixed_precision():  # Muon multiplies matrices
            self._optimizer.step()
        self.step += 1
        # Short memory at first, growing with the steps; otherwise the initial weights would dominate the mean.
        keep = min(self._keep, self.step / (self.step + 10))
        # One call for all parameters; a loop would launch a kernel for each.
        torch._foreach_lerp_(list(self.average.values()), [p.detach() for p in self.parameters.values()], 1 - keep)

    def check(self) -> None:
        """Test all numbers since the last check; remember the state if they are finite, else restore the last.

        It does nothing unless the learner is patient.

        Raises:
            NotFiniteError: A loss or its gradient was not finite; the state is that of the last check.
        """
        if self._unchecked is None:
            return
        for i, finite in enumerate(torch.stack(self._unchecked).tolist() if self._unchecked else ()):
            if not all(finite):
                number, what = self.step - len(self._unchecked) + i + 1, "gradient" if finite[0] else "loss"
                self._unchecked.clear()
                self.load_state(self._checked)
                raise NotFiniteError(f"the {what} of step {number} is not finite")
        self._unchecked.clear()
        # `state` refers to the live tensors, which the next step changes.
        self._checked = copy.deepcopy(self.state())

    def ramp(self, progress: float | None = None) -> float:
        """Return the next step's size as a share of the largest, at a given progress of the run."""
        done = min(1.0, self.step / self._steps if progress is None else progress)
        # Above 0 from the start, so that the first step moves, too.
        up = min(1.0, (self.step + 1) / (self._warm_up + 1))
        if done <= 1 - self._ramp_down:
            return up
        return up * (0.5 + 0.5 * math.cos(math.pi * (done - (1 - self._ramp_down)) / self._ramp_down))

    def _refuse(self, number: Tensor, what: str) -> None:
        if self._unchecked is None and not number.isfinite():
            raise NotFiniteError(f"the {what} of step {self.step + 1} is not finite")

    def _add_up_gradients(self) -> None:
        for parameter in self.parameters.values():
            if parameter.grad is None:  # unused on this process's share, but maybe not on another's
                parameter.grad = torch.zeros_like(parameter)
        gradients = [parameter.grad for parameter in self.parameters.values() if parameter.grad is not None]
        # One reduction of all gradients, in the parameters' order, which is the same in all processes. Simpler than
        # DDP, at the price of not overlapping with the backward pass.
        total = self._processes.total(torch.cat([gradient.flatten() for gradient in gradients]))
        for gradient, part in zip(gradients, total.split([g.numel() for g in gradients]), strict=True):
            gradient.copy_(part.view_as(gradient))

    def state(self) -> dict[str, Any]:
        """Return the state to resume from; it must be written before the next step, which changes it in place."""
        learning = {name: parameter.detach() for name, parameter in self.parameters.items()}
        return {
            "step": self.step,
            "learning": learning,
            "average": self.average,
            "optimizer": self._optimizer.state_dict(),
        }

    def load_state(self, state: Mapping[str, Any]) -> None:
        """Restore the state that `state` returned."""
        self.step = state["step"]
        # In place: network and optimizer hold these very tensors.
        for name, parameter in self.parameters.items():
            parameter.data.copy_(state["learning"][name])
            self.average[name].copy_(state["average"][name])
        self._optimizer.load_state_dict(state["optimizer"])


def randomness_of(seed: int, number: int, purpose: int = 0) -> torch.Generator:
    """Create a random generator on the CPU that depends only on a seed, the number of a step or pool, and a purpose."""
    # SeedSequence ignores trailing zeros: purpose 0 is the stream that a run without purposes had.
    words = np.random.SeedSequence([seed, number, purpose]).generate_state(1, np.uint64)
    return torch.Generator().manual_seed(int(words[0]))
