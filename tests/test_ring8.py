"""Eight modes, ten seeds, one setting, the last moving average: measured, not selected.

`pytest -m slow -s tests/test_ring8.py` prints the seeds; `python -m experiments mode_collapse` has the other losses.
"""

import jax
import numpy as np
import pytest

from jaxgen import data as sources
from jaxgen.metrics.modes import count_modes
from jaxgen.recipes import Spec, find
from jaxgen.training.loop import train
from jaxgen.training.models import compile_model
from jaxgen.training.program import compile_loop, run_keys
from jaxgen.training.sources import arrays
from jaxgen.training.step import evaluation_params

STEPS, SEEDS = 30_000, range(10)


@pytest.mark.slow
def test_r3gan_keeps_all_modes():
    # Kills: a penalty that is dropped or on the wrong side; an EMA that is not evaluated; noise that repeats.
    with jax.numpy_rank_promotion("raise"):
        data = sources.load("ring8")
        plan = find("r3gan")(Spec(data.shape), latent_dim=1, learning_rate=2e-3)
        program, bind = compile_loop(plan, arrays(data.train.x), batch_size=128, chunk=1000), compile_model(plan.game)
        rows = []
        for seed in SEEDS:
            keys = run_keys(seed)
            for chunk in train(program, program.init(keys.init), keys, steps=STEPS):
                state = chunk.state
            model = bind(evaluation_params(state), state.context.state)
            found = count_modes(np.asarray(model.sample(model.draw(keys.evaluation, 2500))), data.modes)
            rows.append((found.captured, found.high_quality_percent, found.reverse_kl))
            print("seed {}: {} modes, {:.1f} % of high quality, {:.3f} nats".format(seed, *rows[-1]))
    modes, quality, kl = np.mean(rows, axis=0)
    print(f"on average {modes:.1f} modes, {quality:.1f} % of high quality, {kl:.3f} nats")
    assert sum(row[0] == 8 for row in rows) >= 9 and quality >= 90
