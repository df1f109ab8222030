"""What a comparison leaves behind."""

from pathlib import Path
from typing import Any, NamedTuple

from jaxgen.report import headline


class Comparison(NamedTuple):
    """A comparison that is done."""

    report: dict[str, Any]  # as in report.json: "data", "models", "advice", "budget", "protocol", "notes", "settings"
    out: Path  # the folder of report.html and report.json

    @property
    def advice(self) -> list[dict[str, Any]]:
        """The answer by setting: {"setting", "choose", "because"} each."""
        return self.report["advice"]

    def __repr__(self) -> str:
        """One line: the report would be a thousand."""
        data = self.report["data"]
        return f"Comparison({data['name']}, {self.out}: {headline(self.advice, data['kind'])})"
