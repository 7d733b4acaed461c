"""`benchmarks.arm_code`: innermost loops are found, lanes counted, and code is compiled for Arm with four lanes."""

from benchmarks import arm_code

ASSEMBLY = """f:
.LBB0_1:
\tmov\tx9, x1
.LBB0_2:
\tldr\tq0, [x9]
\tfmla\tv1.4s, v0.4s, v2.4s
\tfmul\tv3.2s, v0.2s, v2.2s
\tfmadd\ts1, s2, s3, s4
\tfmov\ts1, w2
\tld1\t{ v4.s }[1], [x8]
\tb.ne\t.LBB0_2
\tcbnz\tx3, .LBB0_1
\tret
"""
SUM = """define void @f(ptr %a, ptr %b) {
entry:
  br label %loop
loop:
  %i = phi i64 [0, %entry], [%next, %loop]
  %p = getelementptr float, ptr %a, i64 %i
  %q = getelementptr float, ptr %b, i64 %i
  %x = load float, ptr %p
  %y = load float, ptr %q
  %z = fmul contract float %x, %x
  %s = fadd contract float %z, %y
  store float %s, ptr %q
  %next = add nuw nsw i64 %i, 1
  %more = icmp ult i64 %next, 64
  br i1 %more, label %loop, label %end
end:
  ret void
}
"""


def test_the_innermost_loop_is_counted():
    (body,) = arm_code.innermost_loops(ASSEMBLY)
    assert arm_code.counts(body) == {"4 lanes": 1, "2 lanes": 1, "scalar": 1, "fmla": 1, "fmul": 1, "fmadd": 1, "gathered": 1}


def test_code_becomes_that_of_neon():
    text = arm_code.assembly(SUM)
    assert "fmla" in text and ".4s" in text
