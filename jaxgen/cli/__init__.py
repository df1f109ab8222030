"""The command `jaxgen`: words in, an exit code out. JAX is imported by the command that needs it, once it needs it."""

import contextlib
import errno
import os
import sys
from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple, NoReturn

from jaxgen.cli import commands, compare, prepare, runs
from jaxgen.cli.parser import Parser, Usage, nearest
from jaxgen.system.signals import Interrupted, Stopped, interruptible

DONE, FAILED, REFUSED, DIVERGED, INTERRUPTED, UNREAD = 0, 1, 2, 3, 130, 141


class Command(NamedTuple):
    """One row of `jaxgen --help`."""

    summary: str
    parser: Callable[[], Parser]
    run: Callable[[Parser, Sequence[str]], None]  # takes that parser and the words after the command


COMMANDS = {
    "compare": Command(
        "train VAE and GAN on your data and report which to choose", compare.compare_parser, compare.compare
    ),
    "train": Command("train one recipe, or go on with a run that stopped", commands.train_parser, commands.train),
    "evaluate": Command("measure the samples of a trained run", runs.evaluate_parser, runs.evaluate),
    "sample": Command("draw new examples from a trained run", runs.sample_parser, runs.sample),
    "export": Command("write the parameters of a run as named arrays", runs.export_parser, runs.export),
    "prepare": Command("prepare an official data set from downloaded files", prepare.prepare_parser, prepare.prepare),
    "recipes": Command("list the recipes and their options", commands.recipes_parser, commands.recipes),
}


def main(argv: Sequence[str] | None = None, *, early: Sequence[int] = ()) -> int:
    """Runs the command that `argv` names (`sys.argv[1:]` where None) and returns its exit code.

    0 done; 1 the machine failed; 2 a bad request; 3 training diverged; 129, 130, 138 and 143 stopped by SIGHUP, SIGINT,
    SIGUSR1 and SIGTERM; 141 nobody reads the output any more. All but the first and the last say why in one line on
    stderr; an error that this program does not know keeps its traceback. `early` are signals that came before: the
    first of them stops it.
    """
    return exit_code("jaxgen", _dispatch, argv, early)


def exit_code(
    program: str, dispatch: Callable[[list[str]], None], argv: Sequence[str] | None, early: Sequence[int] = ()
) -> int:
    """Runs `dispatch(argv)`; the code and the line on stderr that `main` promises, for any program of this project."""
    argv = sys.argv[1:] if argv is None else argv
    for name in ("stdout", "stderr"):
        if getattr(sys, name) is None:  # closed by who started this: nobody reads it, and work goes on
            setattr(sys, name, open(os.devnull, "w"))  # noqa: SIM115  # for the life of the process
    with interruptible() as struck:  # before JAX is imported, and while the line is printed
        try:
            if early:
                raise Interrupted(early[0])
            with contextlib.suppress(SystemExit):  # argparse has printed a help text
                dispatch(list(argv))
            if struck:  # a library swallowed the exception
                raise Interrupted(struck[0])
            sys.stdout.flush()
            return DONE
        except BrokenPipeError:
            _leave_pipe()
            return UNREAD
        except (Exception, KeyboardInterrupt) as problem:
            code, line = explain(problem, argv)
            if code is None and struck:
                code, line = explain(Interrupted(struck[0]))
            if code is None:
                raise
            with contextlib.suppress(OSError):  # nobody may be there to read it: the code says it too
                print(f"{program}: {' '.join(line.split())}", file=sys.stderr)
            return code


def leave(code: int) -> NoReturn:
    """Ends the process with the code of `main`; where that is no success, without taking Python down.

    An exception that struck inside JAX's compiled code is kept there, and freed when the modules in its traceback are
    gone: a segmentation fault in place of the code.
    """
    if code == DONE:
        sys.exit(DONE)
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(OSError):
            stream.flush()
    os._exit(code)


def _dispatch(argv: list[str]) -> None:
    word = argv[0] if argv else "--help"
    if word in ("-h", "--help"):
        print(_help())
    elif word == "--version":
        from importlib.metadata import version

        print(f"jaxgen {version('jaxgen')}")
    elif word in COMMANDS:
        COMMANDS[word].run(COMMANDS[word].parser(), argv[1:])
    elif word == "--completion":
        from jaxgen.cli import completion

        print(completion.script(" ".join(argv[1:]), {name: row[:2] for name, row in COMMANDS.items()}))
    else:
        kind = "flag" if word.startswith("-") else "command"
        known = ("--help", "--version", "--completion") if kind == "flag" else COMMANDS
        raise Usage(f"unknown {kind} {word!r}: {nearest(word, known)} See jaxgen --help.")


def _help() -> str:
    rows = "\n".join(f"  {name:<10} {command.summary}" for name, command in COMMANDS.items())
    return (
        "usage: jaxgen COMMAND ...\n\n"
        "VAE or GAN? Train both on your data, measure them, and read the answer.\n\n"
        f"commands:\n{rows}\n\n"
        "  jaxgen COMMAND --help     what a command takes\n"
        "  jaxgen --version\n"
        "  jaxgen --completion bash  print a script for completion of commands,\n"
        "                            flags, paths; also for zsh, fish, tcsh, powershell\n\n"
        "start here:\n"
        "  jaxgen compare"
    )


_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
# The second and third line: what network file systems, FUSE and overlays say of their own state.
_FAULTS = (
    *(*_FULL, errno.EIO, errno.EMFILE, errno.ENFILE, errno.ENOMEM),
    *(errno.EBUSY, errno.ESTALE, errno.EXDEV, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOSYS, errno.ENOLCK),
    *(errno.ETIMEDOUT, errno.ENOTCONN, errno.ECONNABORTED, errno.EHOSTDOWN, errno.ENXIO, errno.ENODEV),
    *(getattr(errno, name) for name in ("EREMOTEIO", "ENOMEDIUM") if hasattr(errno, name)),
)
_BARRED = (errno.EACCES, errno.EPERM, errno.EROFS, errno.ENAMETOOLONG, errno.ELOOP)

_LESS = {
    "compare": "use fewer examples or smaller images, or ",
    "train": "lower --batch-size, or ",
    "sample": "lower --n, or ",
}


def explain(problem: BaseException, words: Sequence[str] = ()) -> tuple[int | None, str]:
    """The exit code that an exception means, and its line; (None, "") for one that is a fault of this program.

    `words` are those of the command line: what would take less memory depends on them.

    >>> explain(Usage("give --out."))
    (2, 'give --out.')
    >>> explain(ZeroDivisionError())
    (None, '')
    """
    if isinstance(problem, Usage):
        return REFUSED, str(problem)
    if isinstance(problem, Interrupted | Stopped):
        return 128 + problem.signal, str(problem)
    if isinstance(problem, KeyboardInterrupt):
        return INTERRUPTED, "interrupted."
    try:
        from jaxgen.core import BadRequest
        from jaxgen.system.hosts import Lost
        from jaxgen.training.checkpoint import CheckpointCorrupt
        from jaxgen.training.loop import Diverged
    except ValueError as error:  # JAX reads its variables when it is imported
        return REFUSED, f"JAX refuses a variable of the environment: {error}. Correct it, or unset it."
    if isinstance(problem, BadRequest | CheckpointCorrupt):
        return REFUSED, str(problem)
    if isinstance(problem, Lost):
        return FAILED, str(problem)
    if (full := _machine(problem, words)) is not None:
        return FAILED, f"{full} The last checkpoint is kept: resume from it; where there is none yet, start again."
    if isinstance(problem, OSError) and problem.errno in _BARRED:
        return REFUSED, f"{problem.filename}: {problem.strerror}: choose another place, or change its permissions."
    if isinstance(problem, Diverged):
        return DIVERGED, str(problem)
    if (missing := _no_device()) is not None:
        return FAILED, missing
    return None, ""


def _no_device() -> str | None:
    """What to say if JAX finds no device to compute on."""
    import jax

    try:
        jax.devices()
    except (RuntimeError, AssertionError) as error:
        platforms = os.environ.get("JAX_PLATFORMS")
        advice = f"unset JAX_PLATFORMS, which is {platforms!r}, or install" if platforms else "install"
        reason = " ".join(str(error).split())[:200].rstrip(".")
        return f"JAX finds no device{f' ({reason})' if reason else ''}: {advice} what it needs, such as 'jax[cuda12]'."
    return None


def _machine(problem: BaseException, words: Sequence[str]) -> str | None:
    for error in _chain(problem):
        if isinstance(error, OSError) and error.errno in _FAULTS:
            advice = "Free some space" if error.errno in _FULL else "See to the machine"
            return f"the machine failed: {error.strerror} ({error.filename or 'no file named'}). {advice}."
        text = str(error)
        if "No space left on device" in text:
            return "the machine failed: no space left on the device. Free some space."
        if isinstance(error, MemoryError) or "RESOURCE_EXHAUSTED" in text or "Out of memory" in text:
            word = "" if "--resume" in words else next(iter(words), "")  # a run that goes on keeps its batch size
            return f"the machine is out of memory: {_LESS.get(word, '')}close other programs."
    return None


def _chain(problem: BaseException | None) -> Iterator[BaseException]:
    seen = set()
    while problem is not None and id(problem) not in seen:
        seen.add(id(problem))
        yield problem
        problem = problem.__cause__ or problem.__context__


def _leave_pipe() -> None:
    # Python flushes stdout once more at exit: give it somewhere to go.
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
