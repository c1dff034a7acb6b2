# SPDX-License-Identifier: Apache-2.0
"""Random expressions and their values as Python computes them: python expression_cases.py > expression_cases.tsv.

A line: an expression, a tab, its value for the columns a, b, c and `watch time` = 0.5, -2, 3.25 and 0. Operators bind in
Python as they do in Kindred, but that ^ is ** there and if is a function.
"""
import math
import random

COLUMNS = {"a": 0.5, "b": -2.0, "c": 3.25, "w": 0.0}
FUNCTIONS = {"min": min, "max": max, "abs": abs, "sqrt": math.sqrt, "log": math.log, "log1p": math.log1p,
             "exp": math.exp, "choose": lambda condition, x, y: x if condition != 0 else y}


def operand(draw, depth):
    kind = draw.choice(["column", "number", "brackets", "call", "choose", "many", "sign"] if depth else ["column", "number"])
    inner = [expression(draw, depth - 1) for _ in range(draw.randint(2, 3))] if depth else []
    if kind == "column":
        return draw.choice(list(COLUMNS))
    if kind == "number":
        return draw.choice(["0.", "1.0", "2.", "0.25", "1e2", ".5", "7e-1"])
    if kind == "brackets":
        return f"({inner[0]})" if draw.random() < 0.7 else f"({inner[0]} {draw.choice(['<', '<=', '>', '>=', '==', '!='])} {inner[1]})"
    if kind == "call":
        return f"{draw.choice(['abs', 'sqrt', 'log', 'log1p', 'exp'])}({inner[0]})"
    if kind == "choose":
        return f"choose({inner[0]}, {inner[1]}, {expression(draw, depth - 1)})"
    if kind == "many":
        return f"{draw.choice(['min', 'max'])}({', '.join(inner)})"
    return f"-{operand(draw, depth - 1)}"


def expression(draw, depth):
    """Operands in a row, without brackets of its own."""
    out = operand(draw, depth)
    for _ in range(draw.choice([0, 1, 1, 2, 3])):
        out += f" {draw.choice(['+', '-', '*', '/', '**'])} {operand(draw, depth)}"
    return out


def main():
    draw, seen = random.Random(20261124), set()
    while len(seen) < 300:
        text = expression(draw, draw.randint(1, 3))
        if len(text) > 140 or text in seen:
            continue
        try:
            value = eval(text, {}, {**COLUMNS, **FUNCTIONS})
        except (ValueError, OverflowError, ZeroDivisionError, TypeError):
            continue
        if isinstance(value, complex) or not math.isfinite(value):
            continue
        seen.add(text)
        print(f"{text.replace('**', '^').replace('choose', 'if').replace('w', '`watch time`')}\t{float(value)!r}")


if __name__ == "__main__":
    main()
