"""A run trains a plan on data, in memory or in a folder from which it can be resumed."""

import dataclasses
import os
import sys
from collections.abc import Callable, Mapping
from typing import Any

import optax

from jaxgen import recipes
from jaxgen.core import BadRequest, Game
from jaxgen.data import Data
from jaxgen.recipes import Recipe
from jaxgen.runs import folder, recorder
from jaxgen.runs.config import (
    Config,
    Job,
    check_bare,
    check_domains,
    check_settings,
    check_whole,
    recipe_plan,
    replacing,
    settled,
)
from jaxgen.runs.inputs import Trained, data_of, fitted, is_streamed, place_of, plan_of, recipe_of, source_of
from jaxgen.runs.play import Record, Run, begin, compiled, proceed, prolonged
from jaxgen.runs.restore import abstract, job_of, model_of, read_meta
from jaxgen.system import files, hosts
from jaxgen.system.machine import changes
from jaxgen.system.signals import stoppable
from jaxgen.training import checkpoint
from jaxgen.training.loop import Diverged
from jaxgen.training.program import Plan
from jaxgen.training.step import PATIENCE

__all__ = ["Config", "Run", "fit", "resume", "train"]

SECONDS = 30.0  # least time between checkpoints


def fit(
    what: Recipe | str | Plan | Game,
    data: Trained,
    *,
    steps: int,
    seed: int = 0,
    condition: str | None = None,
    options: Mapping[str, Any] | None = None,
    out: str | os.PathLike | None = None,
    batch_size: int | None = None,
    precision: str = "float32",
    micro_batches: int | None = None,
    remat: bool = False,
    domains: tuple[str, ...] = (),
    optimizers: Mapping[str, optax.GradientTransformation] | None = None,
    turns: tuple[tuple[str, ...], ...] | None = None,
    rule: Callable | None = None,
    stream: bool | None = None,
    size: int | None = None,
    labels: str | os.PathLike | None = None,
    on_record: Record | None = None,
    quiet: bool = True,
) -> Run:
    """Trains `what` on `data` for `steps` steps.

    If there are several processes (each called `jax.distributed.initialize` first), they train together on the devices
    of all. Each process loads its part of a batch, and process 0 writes to `out`, a folder that all of them can read.

    Args:
      what: a recipe or its name, a plan, or a game. A recipe is any function (spec, *, options) -> Plan. A game gets
        Adam(1e-3) for each player and, if `turns` is None, the turns that it names, or one turn for each of its losses
        in their order.
      data: a name, a path, a `Data`, an array [N, ...], (x, label), or {name: x} of several sets. An array is converted
        as if it were read from a file, and all of it is training data; floats stay as they are, except that the pixels
        of images with values outside 0 to 1 are rounded. A table by name or path is standardised, and `run.model`
        samples in standardised units: with `mean, std = run.data.scale`, `run.model.sample(noise) * std + mean` is in
        the units of the data, as `jaxgen sample --out x.npz` is. A data set with random access, such as a
        `grain.MapDataset` of one epoch, is streamed (`jaxgen.data.datasets.of_dataset`).
      steps: the number of training steps; every step takes every turn once.
      seed: the seed of the initial params, the order of the data, the noise and the evaluation.
      condition: an input of the networks beside x or the noise: "label", or "small:4" for the images reduced to 4
        pixels a side. A plan or a game gets it as `Batch.condition`.
      options: options of the recipe that replace its defaults, such as {"gamma": 0.5}.
      out: a new folder to write to. If it is given, Ctrl-C and signals such as SIGTERM write a checkpoint and raise
        `Stopped`.
      batch_size: the number of examples in a batch; by default that of the plan, and at most the number of examples.
      precision: the dtype in which the networks of a recipe compute, "float32" or "bfloat16".
      micro_batches: the number of parts of a batch whose gradients are computed one after the other and averaged, to
        save memory; by default that of the plan.
      remat: the networks of a recipe compute their forward pass again in the backward pass, to save memory.
      domains: two classes of the data to translate between; by default all classes, if there are two. A plan or a game
        gets them as a dict, `Batch.x`.
      optimizers: an optimiser by player, in place of those of the plan. `optimizers`, `turns` and `rule` have to be
        passed to `resume` again.
      turns: the turns in place of those of the plan, each a tuple: `(("critic",), ("generator",))`.
      rule: the update rule in place of that of the plan, such as `jaxgen.objectives.extragradient`.
      stream: whether each batch is copied to the devices when it is needed, and images by path stay on the disk; by
        default if the examples take more than half of the memory of a device, or a quarter of that of the host.
      size: images are resized to squares of that many pixels a side, 8 to 64, as by `jaxgen.data.load`. By default the
        images of a folder get a size that depends on them, and so do other images with a side above 64 if a recipe of
        jaxgen is trained; a plan, a game or another recipe gets them unchanged.
      labels: a CSV file with the labels of the images of a folder (`jaxgen.data.label_file.of_images`).
      on_record: a function that is called after each chunk of steps with its line of the history. If it raises, the run
        ends, after a checkpoint if there is a folder.
      quiet: whether to print no progress on stderr.

    Raises:
      BadRequest: if an argument is invalid; nothing has been computed or written then.
      Diverged: if ten steps in a row were not finite, or if the params are not finite after a chunk of steps.
      Exception: that of `on_record`, with a note that says so and which step is saved.

    A line of the history is a dict: "step", "seed", "seconds" (of training by the wall clock, from the first step on),
    "steps_per_s", "finite", and figures such as "critic/loss", None if one is not finite. `on_record` can log it:

        # Weights & Biases
        import wandb
        wandb.init(project="digits")
        jaxgen.fit("vae", "digits", steps=2000, on_record=wandb.log)

        # MLflow
        import mlflow
        log = lambda line: mlflow.log_metrics({k: v for k, v in line.items() if v is not None}, step=line["step"])
        jaxgen.fit("vae", "digits", steps=2000, on_record=log)

        # TensorBoard
        from tensorboardX import SummaryWriter
        writer = SummaryWriter("logs")
        log = lambda line: [writer.add_scalar(k, v, line["step"]) for k, v in line.items() if v is not None]
        jaxgen.fit("vae", "digits", steps=2000, on_record=log)
    """
    for name, value, least in (("steps", steps, 1), ("seed", seed, 0), ("batch_size", batch_size, 1)):
        check_whole(name, value, least=least)
    check_whole("micro_batches", micro_batches, least=1)
    check_settings(precision, condition)
    if out is not None:
        out = files.expanded(out)
        folder.check_new(out)
    replaced, recipe = replacing(optimizers=optimizers, turns=turns, rule=rule), recipe_of(what)
    if recipe is None:
        check_bare(options, precision, remat)
    loaded = data_of(data, stream=stream, size=size, labels=labels)
    if recipe is not None and recipes.RECIPES.get(recipes.name_of(recipe)) is recipe:
        loaded, size = fitted(loaded, size)
    config: dict[str, Any] = {
        "recipe": None,
        "data": source_of(data) if isinstance(data, str | os.PathLike) else None,
        "size": None if size is None else int(size),
        "labels": None if labels is None else place_of(labels),
        "steps": int(steps),
        "seed": int(seed),
        "batch_size": batch_size,
        "condition": condition,
        "domains": list(domains),
        "precision": precision,
        "micro_batches": micro_batches,
        "remat": remat,
        "stream": is_streamed(loaded, stream),
        "options": {},
        "replaced": list(replaced),
    }
    if recipe is None:
        plan = plan_of(what)
    else:
        config["options"] = {**recipes.defaults(recipe), **recipes.check(recipe, options or {})}
        plan = recipe_plan({**config, "recipe": recipe}, folder.summary(loaded))
        check_domains(domains, plan)
        name = recipes.name_of(recipe)
        if recipes.RECIPES.get(name) is recipe and not replaced:
            config["recipe"] = name
    plan, config = settled(plan._replace(**replaced), config, len(loaded.train.x))
    return begin(Job(config, plan, loaded), out, quiet, SECONDS, on_record)


def train(
    config: Config,
    out: str | os.PathLike,
    *,
    checkpoint_seconds: float = SECONDS,
    on_data: Callable[[Data], object] | None = None,
    on_record: Record | None = None,
) -> Run:
    """Trains what `config` asks for into the new folder `out`, with progress on stderr.

    Images with a side above 64, which no recipe takes, become smaller squares, with a note, and `size` in `config.json`
    says so. A checkpoint is written at step 0, at the end, on a signal that stops it, and between chunks of steps once
    `checkpoint_seconds` have passed since the last. `on_data` is called with the data once they are loaded, before
    anything is compiled, and `on_record` as by `fit`.

    Raises:
      BadRequest: whatever cannot be, before anything is computed or written.
      Diverged: ten steps in a row were not finite; the last finite checkpoint is there.
      Stopped: by a signal; a checkpoint is there.
    """
    out = files.expanded(out)
    folder.check_new(out)
    loaded, size = fitted(
        data_of(config.data, stream=config.stream, size=config.size, labels=config.labels), config.size
    )
    recipe = recipes.find(config.recipe)
    options = {**recipes.defaults(recipe), **recipes.check(recipe, config.options)}
    whole = {**dataclasses.asdict(config), "data": source_of(config.data), "options": options}
    whole |= {"size": size, "labels": None if config.labels is None else place_of(config.labels)}
    whole |= {"domains": list(config.domains), "stream": is_streamed(loaded, config.stream), "replaced": []}
    plan = recipe_plan(whole, folder.summary(loaded))
    check_domains(config.domains, plan)
    plan, whole = settled(plan, whole, len(loaded.train.x))
    if on_data is not None:
        on_data(loaded)
    return begin(Job(whole, plan, loaded), out, False, checkpoint_seconds, on_record)


def resume(
    out: str | os.PathLike,
    *,
    steps: int | None = None,
    what: Recipe | Plan | Game | None = None,
    data: Trained | None = None,
    optimizers: Mapping[str, optax.GradientTransformation] | None = None,
    turns: tuple[tuple[str, ...], ...] | None = None,
    rule: Callable | None = None,
    checkpoint_seconds: float = SECONDS,
    on_data: Callable[[Data], object] | None = None,
    on_record: Record | None = None,
) -> Run:
    """Goes on with the run in `out` from its last checkpoint, bit for bit; says on stderr where.

    Several processes all resume, from one folder on a disk that they share.

    Args:
      out: the folder of the run.
      steps: the step to end at, if it is to be another than the run was started with.
      what: what it trains, if it was started from Python with something that is no recipe of this package.
      data: its data, if it was started from Python with arrays or a `Data`.
      optimizers, turns, rule: as for `fit`, those of them that `fit` was given.
      checkpoint_seconds: as for `train`.
      on_data: as for `train`.
      on_record: as for `fit`.

    Raises:
      BadRequest: no run; a checkpoint of another configuration or of other data; fewer steps than were played; a part
        that the run was started with and that is not handed in, or the reverse.
      CheckpointCorrupt: a damaged checkpoint.
      Diverged, Stopped: as for `train`.
    """
    out = files.expanded(out)
    check_whole("steps", steps, least=1)
    replaced = replacing(optimizers=optimizers, turns=turns, rule=rule)
    settings = folder.read_settings(out)
    with folder.held(out, new=False):
        step, meta = read_meta(out)
        if not hosts.same(step):
            raise BadRequest(f"the processes see different checkpoints in {out}: it must be on a disk that all share.")
        job = job_of(out, meta, what, data, replaced)
        if on_data is not None:
            on_data(job.data)
        folder.same_data(job.config["data"] or "the data given", folder.summary(job.data), meta["data"])
        state, _ = checkpoint.restore(out / "checkpoints", abstract(meta, job.plan), step=step)
        if int(state.streak) >= PATIENCE:
            raise Diverged(f"this run diverged by step {step} and cannot go on: start another.")
        if steps is not None and steps != job.config["steps"]:
            job = prolonged(out, job, settings, step, int(steps))
        quiet = not hosts.writes()
        if (changed := changes(settings)) and not quiet:
            print(f"bits may differ from an unbroken run: {', '.join(changed)}", file=sys.stderr)
        if not quiet:
            print(f"resumed at {step}", file=sys.stderr, flush=True)
        history = recorder.keep_until(out / "metrics.jsonl", step)
        left = job.config["steps"] - step
        if left <= 0:
            return Run(model_of(job.plan, state), state, history, job.plan, job.data, job.config)
        program = compiled(job, left, quiet)
        with stoppable() as caught:  # before it a signal ends this at once, and the run is as it was
            written = (out, caught, checkpoint_seconds)
            return proceed(job, program, program.place(state), history, quiet, on_record, written)
