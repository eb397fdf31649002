"""Bit- and cycle-exact models, Verilog and costs of quantised LLM arithmetic."""

__version__ = "0.1.0"
