"""Data sets: known names, arrays in files, folders of images; uint8 or float32, split once, with a digest."""

from jaxgen.data.sources import load, names
from jaxgen.data.splits import Data, Modes, Split, as_float, subset

__all__ = ["Data", "Modes", "Split", "as_float", "load", "names", "subset"]
