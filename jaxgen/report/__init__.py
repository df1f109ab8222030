"""The report of a comparison: plain figures in, one self-contained HTML file out."""

from jaxgen.report.answer import headline
from jaxgen.report.extras import Extras
from jaxgen.report.grids import Grid
from jaxgen.report.page import render, write_report

__all__ = ["Extras", "Grid", "headline", "render", "write_report"]
