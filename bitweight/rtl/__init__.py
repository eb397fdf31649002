"""Amaranth generators: the RTL twin of each model, same path, same name."""

from bitweight.rtl import datapaths, engines, pe
from bitweight.rtl.build import component, emit

__all__ = ["component", "datapaths", "emit", "engines", "pe"]
