"""The result of a comparison."""

from pathlib import Path
from typing import Any, NamedTuple

from jaxgen.report import headline


class Comparison(NamedTuple):
    """A finished comparison."""

    report: dict[str, Any]  # as in report.json: "data", "models", "advice", "budget", "protocol", "notes", "settings"
    out: Path  # the folder of report.html and report.json

    @property
    def advice(self) -> list[dict[str, Any]]:
        """The answers: for each setting a dict with "setting", "choose" and "because"."""
        return self.report["advice"]

    def __repr__(self) -> str:
        """One line, because the whole report would be too long to print."""
        data = self.report["data"]
        return f"Comparison({data['name']}, {self.out}: {headline(self.advice, data['kind'])})"
