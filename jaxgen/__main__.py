"""`python -m jaxgen` is the command `jaxgen`."""

from typing import NoReturn

from jaxgen.cli import leave, main


def enter() -> NoReturn:
    """The process `jaxgen`, from its words to its exit code."""
    leave(main())


if __name__ == "__main__":
    enter()
