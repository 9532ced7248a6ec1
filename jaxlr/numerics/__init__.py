"""Floats beyond float32; knows no schedule.

Why: a rate must be the nearest float32, or next to it, for every count up to 2**31 - 1, on devices without float64
whose `log` may be off by thousands of units in the last place, under compilers that contract and reorder.
`init * (1 - n / steps)` in plain float32 loses all bits near its end.

How, in the order in which a schedule needs it:

1. A count and a length are integers, and their ratio is a long division of integers (`wide.ratio`): two digits are
   guessed by floats, what they leave is computed exactly, so a bad division costs nothing. The logarithm of the ratio
   is that of another ratio of integers, of their difference and their sum.
2. sin, exp and log are polynomials on integers (`fixed`): no rounding, hence the same bits by every compiler. They have
   28 bits or more, four more than the result keeps. Where a function is small, what is computed is its quotient with
   its argument, so that it has its bits there too.
3. Numbers are sums of two float32 (`wide.Wide`), and so are the results. Only exact products enter a sum whose last
   bits matter, so it is the same whether the compiler contracts it or not. What is only added to a number of its size
   needs no more than 33 bits (`Wide.roughly`).
4. A value lies between two ends, and is the nearer end plus a part of the way to the middle: nothing cancels for ends
   of one sign, and at the end nothing is added.

A float32 is off by half a unit in the last place however it was computed; what a family may lose besides, in units in
the last place, is its budget (a test compares it with what the families lose):

| family | loses in | budget |
| --- | --- | --- |
| linear, triangular | the ratio and one product | 0.001 |
| inverse_time, inverse_sqrt, rex, noam | a ratio and a root or a quotient | 0.001 |
| cosine, warm-up, one_cycle, warmup_stable_decay | the versine, 30 bits | 0.03 |
| exponential, step_decay, natural_exponential | exp2, 29 bits | 0.05 |
| polynomial, k_decay, tanh | log, 33 bits times the exponent; exp2 | 0.25 |
| cosine_restarts | the versine and exp2 | 0.08 |
| time_based | the sum of logarithms, exp2 | 0.25 |

`elementary` has exp, log and the root on these; `triple.Triple`, three float32, is for the one place where a difference
of large numbers keeps its last bits; `fusion` keeps XLA from computing large formulas twice.

What it costs: operations, hence compilation. `tests/contract/test_equations.py` has the numbers.
"""
