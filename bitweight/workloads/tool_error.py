"""The error of programs that bitweight runs: simulators, synthesis, timing, place and route."""


class ToolError(RuntimeError):
    """A program that is missing, or that did not do what it was asked to."""
