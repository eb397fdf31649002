"""Costs measured: from a spec over Verilog, synthesis and timing to the shipped data files."""
