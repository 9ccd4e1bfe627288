"""A sampler whose draw depends on the seed, the trial's place and what is known by then, and on nothing else."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from gliocast.tuning.ledger import place_of
from gliocast.tuning.optuna_types import BaseDistribution, BaseSampler, FrozenTrial, Study


def seeded_tpe(
    study: Study, seed: int, startup_trials: int, first_point: Mapping[str, float] | None = None
) -> BaseSampler:
    """A tree-structured Parzen estimator (Bergstra et al., NeurIPS 2011) that is seeded anew for each trial.

    One seed for the whole study would draw the same points again after each resume, and in each process. Here the seed
    of a draw is derived from `seed` and the trial's place in the study, so a study that was interrupted goes on as if
    it had not been, and processes that share it draw different points. (Where one of them is killed before its draw,
    the place of another's moves up, and the next of the random draws repeats it.)

    Args:
        study: the study that is sampled for. The estimator always learns from all its trials, where Optuna would show
            it those of one Hyperband bracket alone: too few in a study of fifty.
        seed: the project's seed.
        startup_trials: trials drawn at random before the estimator is used.
        first_point: what the trial in the first place takes; None draws it like the others. No two processes that
            begin a study at once can both take it, as they could both enqueue it.
    """
    from optuna.samplers import BaseSampler, TPESampler

    class SeededTpe(BaseSampler):
        def infer_relative_search_space(self, _: Study, trial: FrozenTrial) -> dict[str, BaseDistribution]:
            return self.of(trial).infer_relative_search_space(study, trial)

        def sample_relative(
            self, _: Study, trial: FrozenTrial, search_space: dict[str, BaseDistribution]
        ) -> dict[str, Any]:
            return self.of(trial).sample_relative(study, trial, search_space)

        def sample_independent(
            self, _: Study, trial: FrozenTrial, param_name: str, param_distribution: BaseDistribution
        ) -> Any:
            if first_point and self.place(trial) == 0:
                return first_point[param_name]
            return self.of(trial, param_name).sample_independent(study, trial, param_name, param_distribution)

        def of(self, trial: FrozenTrial, param_name: str = "") -> TPESampler:
            words = [seed, self.place(trial), *param_name.encode()]
            return TPESampler(
                seed=int(np.random.SeedSequence(words).generate_state(1)[0]), n_startup_trials=startup_trials
            )

        def place(self, trial: FrozenTrial) -> int:
            return place_of(trial.number, study.get_trials(deepcopy=False))

    return SeededTpe()
