"""The report of a comparison: plain figures in, one self-contained HTML file out."""

from jaxgen.report.page import Extras, render, write_report
from jaxgen.report.pictures import Grid
from jaxgen.report.words import headline

__all__ = ["Extras", "Grid", "headline", "render", "write_report"]
