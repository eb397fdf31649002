"""Faults planted in emitted Verilog: one signal of one module is driven by something else."""

import re
from dataclasses import dataclass

ANOTHER_BEAT = r"c beat \d+, lane \d+ \(output \d+, \d+\): RTL 0x[0-9a-f]+, model 0x[0-9a-f]+"
OTHER_EDGES = r"RTL takes \d+ edges, model \d+ cycles"


@dataclass(frozen=True)
class Mutant:
    """A fault: one signal of one module is driven by something else.

    Attributes:
        name: What is broken.
        design: The engine that it is planted in.
        module: Pattern of the module's name after the design's.
        signal: Pattern of the one whose driver is changed.
        driver: The new one; ``{old}`` in it stands for the one that was.
        fault: Pattern of the line that must report it.
        stalls: Whether it shows only when streams stall.
    """

    name: str
    design: str
    module: str
    signal: str
    driver: str
    fault: str = ANOTHER_BEAT
    stalls: bool = False


def plant(text: str, top: str, mutant: Mutant) -> str:
    """Return ``text`` with the fault; the signal must have one driver in one module."""
    head = re.compile(rf"module {top}{mutant.module}\b")
    # An assign, a register's clocked line, or the one branch of a block that is not the default.
    driver = re.compile(rf"(?m)^( +(?:assign )?{mutant.signal} +<?= )(?!1'h0;)(.*?) ?;$")
    planted, count = [], 0
    for module in re.split(r"(?m)^(?=module )", text):
        edit = driver if head.match(module) else NOTHING
        changed_module, found = edit.subn(lambda old: changed(old, mutant.driver), module)
        planted.append(changed_module)
        count += found
    assert count == 1, f"{mutant.signal} has {count} drivers in {top}{mutant.module}"
    return "".join(planted)


# Matches nowhere.
NOTHING = re.compile(r"(?!)")


def changed(old: re.Match[str], driver: str) -> str:
    return f"{old[1]}{driver.format(old=old[2] + ' ')};"
