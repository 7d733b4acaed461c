"""What Arm processors will run: the hot loops of the merge cross-compiled to AArch64 with NEON, and the vector instructions in them counted.

`python -m benchmarks.arm_code [--cpu NAME] [--assembly FOLDER]`. Numba's intermediate code, not yet optimised, is optimised and compiled by LLVM for the other
processor as numba does on it. Nothing is run: this tells lanes and instructions, not speed.
"""

from __future__ import annotations

import argparse
import os
import re
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from burstsr.cli.console import echo, table

TRIPLE = "aarch64-unknown-linux-gnu"
CPU = "cortex-a76"  # of the Raspberry Pi 5; 128-bit NEON, as all of AArch64
LOOPS = ("weigh", "residual_row", "kernels_of")
_GENERIC = {"NUMBA_OPT": "0", "NUMBA_LOOP_VECTORIZE": "0", "NUMBA_CPU_NAME": "generic", "NUMBA_CPU_FEATURES": "", "NUMBA_CACHE_DIR": os.devnull}
_LABEL, _JUMP = re.compile(r"^(\.\w+):"), re.compile(r"^\s+(?:b|b\.\w+|cbn?z|tbn?z)\s.*?(\.\w+)$")
_INSTRUCTION = re.compile(r"^\s+([a-z]\w*)\s+(.*)$")


def generic_code(name: str) -> str:
    """Return numba's intermediate code of a loop, not optimised, compiled in a process of its own."""
    program = [sys.executable, "-m", "benchmarks.arm_code", "--emit", name]
    return subprocess.run(program, env={**os.environ, **_GENERIC}, capture_output=True, text=True, check=True).stdout


def _emit(name: str) -> str:
    import numba

    from burstsr.merge import frame_loops, weigh_loops

    types: Any = numba.types
    float32, float64, int64, uint64 = types.float32, types.float64, types.int64, types.uint64

    def array(kind: Any, axes: int) -> Any:  # noqa: ANN401  numba has no types
        return types.Array(kind, axes, "C")

    line, cells, red = array(float32, 1), array(float32, 2), types.UniTuple(int64, 2)
    loops: dict[str, tuple[Any, Any]] = {
        "weigh": (weigh_loops.weigh, (line, line, uint64, line, *[int64] * 5, line, uint64, types.none)),
        "kernels_of": (weigh_loops.kernels_of, (array(float32, 3), *[int64] * 4, array(float32, 3))),
        "residual_row": (
            frame_loops.residual_row,
            (line, int64, red, array(float32, 3), line, float64, line, line, array(int64, 1), cells, line, types.none, float32),
        ),
    }
    loop, of = loops[name]
    loop.compile(of)
    return str(loop.inspect_llvm(loop.signatures[0]))


def assembly(code: str, cpu: str = CPU) -> str:
    """Return the assembly of intermediate code on an Arm processor, optimised as numba optimises."""
    import llvmlite.binding as llvm

    llvm.initialize_all_targets()
    llvm.initialize_all_asmprinters()
    machine = llvm.Target.from_triple(TRIPLE).create_target_machine(cpu=cpu, features="+neon", opt=3)
    code = re.sub(r'^target (triple|datalayout) = ".*"$', "", code, flags=re.M)
    code = re.sub(r'"(target-cpu|target-features|tune-cpu)"="[^"]*"', "", code)
    module = llvm.parse_assembly(code)
    module.triple, module.data_layout = TRIPLE, str(machine.target_data)
    for level, vectorise in ((0, False), (3, True)):  # as numba does: a cheap round to inline, then all
        options = llvm.create_pipeline_tuning_options(speed_level=level)
        options.loop_vectorization = vectorise
        options.slp_vectorization = False
        builder = llvm.create_pass_builder(machine, options)
        if not level:
            _each_function(module, llvm.create_pass_builder(machine, llvm.create_pipeline_tuning_options(speed_level=3)))
        passes = builder.getModulePassManager()
        if not level:
            passes.add_loop_rotate_pass()
            passes.add_instruction_combine_pass()
            passes.add_jump_threading_pass()
        passes.add_refprune_pass(llvm.RefPruneSubpasses.ALL)  # counts of references would keep loops from vectorising
        passes.run(module, builder)
    return str(machine.emit_assembly(module))


def _each_function(module: Any, builder: Any) -> None:  # noqa: ANN401
    """Optimise each function of a module by itself."""
    for function in module.functions:
        builder.getFunctionPassManager().run(function, builder)


def innermost_loops(text: str) -> Iterator[list[str]]:
    """Yield the instructions of each innermost loop: from a label to the jump back to it, without other such jumps between."""
    lines, labels, found = text.splitlines(), dict[str, int](), list[tuple[int, int]]()
    for at, line in enumerate(lines):
        if label := _LABEL.match(line):
            labels[label[1]] = at
        elif (jump := _JUMP.match(line)) and jump[1] in labels:
            start = labels[jump[1]]
            if not any(start < a for a, _ in found):
                found.append((start, at))
    for start, end in found:
        yield [line for line in lines[start : end + 1] if _INSTRUCTION.match(line)]


def counts(body: list[str]) -> Counter[str]:
    """Count a loop's floating-point instructions: of four lanes, of other vectors, scalar; and its loads of scalars into lanes."""
    found: Counter[str] = Counter()
    for line in body:
        name, operands = _INSTRUCTION.match(line).groups()  # type: ignore[union-attr]
        if name.startswith("f") and not name.startswith("fmov"):
            lanes = "4 lanes" if ".4s" in operands else "2 lanes" if re.search(r"\.(2s|2d)", operands) else "scalar"
            found[lanes] += 1
            found[f"{name}"] += 1
        elif name == "ld1" and re.search(r"\}\[\d\]", operands):
            found["gathered"] += 1
    return found


def main(arguments: list[str] | None = None) -> int:
    """Run the command; return the exit status."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.arm_code", description="Hot loops of the merge cross-compiled to AArch64, and what is in them.")
    parser.add_argument("--cpu", default=CPU, help=f"LLVM's name of the processor (default {CPU})")
    parser.add_argument("--assembly", type=Path, metavar="FOLDER", help="also write the assembly")
    parser.add_argument("--emit", choices=LOOPS, help=argparse.SUPPRESS)
    args = parser.parse_args(arguments)
    if args.emit:
        sys.stdout.write(_emit(args.emit))
        return 0
    rows = []
    for name in LOOPS:
        text = assembly(generic_code(name), args.cpu)
        if args.assembly:
            args.assembly.mkdir(parents=True, exist_ok=True)
            (args.assembly / f"{name}.s").write_text(text)
        bodies = sorted(innermost_loops(text), key=len, reverse=True)
        for body in bodies:
            c = counts(body)
            if c["4 lanes"] + c["2 lanes"] + c["scalar"] >= 4:
                kinds = ", ".join(f"{n} {k}" for k, n in c.most_common() if k not in ("4 lanes", "2 lanes", "scalar", "gathered"))
                rows.append((name, str(len(body)), str(c["4 lanes"]), str(c["2 lanes"]), str(c["scalar"]), str(c["gathered"]), kinds))
    head = ("loop", "instructions", "4 lanes", "2 lanes", "scalar", "gathered", "of which")
    echo(table(head, rows, right=head[1:-1]))
    return 0


if __name__ == "__main__":
    sys.exit(main())
