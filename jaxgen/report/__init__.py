"""The report of a comparison: plain figures in, one self-contained HTML file out."""

from jaxgen.report.answer import headline
from jaxgen.report.page import Extras, render, write_report
from jaxgen.report.pictures import Grid

__all__ = ["Extras", "Grid", "headline", "render", "write_report"]
