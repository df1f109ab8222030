"""Data sets: known names, arrays in files, folders of images; uint8 or float32, split once, with a digest."""

from jaxgen.core import as_float
from jaxgen.data.sources import load, names
from jaxgen.data.splits import Data, Modes, Split, subset

__all__ = ["Data", "Modes", "Split", "as_float", "load", "names", "subset"]
