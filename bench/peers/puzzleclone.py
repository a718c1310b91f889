"""Puzzles with Z3, the way PuzzleClone's authors solve and generate: the peer of `offprint bench puzzleclone --peer PYTHON`.

Needs torch (for the protocol) and z3-solver. Benches: `queens`, every solution of n queens; `sudoku`, a solution and the
proof that there is no other; `knapsack`, an optimum; `islanders`, a puzzle of truth-tellers solved; `generate`, puzzles
of truth-tellers drawn, solved and written until each has one solution. As in the released code every solution is excluded by
its values and the solver asked again, and the constraints are built for every puzzle.
"""

import random

from peer import serve
from z3 import And, Bool, Distinct, If, Int, Not, Optimize, Or, Solver, Sum, is_true, sat

GIVEN = "530070000600195000098000060800060003400803001700020006060000280000419005000080079"


def solutions(constraints, unknowns, most):
    """Values of the unknowns in each solution, at most `most`."""
    solver = Solver()
    solver.add(*constraints)
    found = []
    while len(found) < most and solver.check() == sat:
        model = solver.model()
        values = [model.eval(unknown, model_completion=True) for unknown in unknowns]
        found.append(values)
        solver.add(Or([unknown != value for unknown, value in zip(unknowns, values, strict=True)]))
    return found


def queens(n=8):
    def run():
        rows = [Int(f"q{row}") for row in range(n)]
        constraints = [And(1 <= q, q <= n) for q in rows]
        constraints += [
            Distinct(rows),
            Distinct([q + row for row, q in enumerate(rows)]),
            Distinct([q - row for row, q in enumerate(rows)]),
        ]
        return solutions(constraints, rows, 10**6)

    return run


def sudoku(n=3):
    side = n * n

    def run():
        cells = [[Int(f"c{row}_{column}") for column in range(side)] for row in range(side)]
        flat = [cell for row in cells for cell in row]
        constraints = [And(1 <= cell, cell <= side) for cell in flat]
        for i in range(side):
            row, column = i // n * n, i % n * n
            constraints += [
                Distinct(cells[i]),
                Distinct([line[i] for line in cells]),
                Distinct([cells[row + j // n][column + j % n] for j in range(side)]),
            ]
        constraints += [cell == int(given) for cell, given in zip(flat, GIVEN, strict=True) if given != "0"]
        return solutions(constraints, flat, 2)

    return run


def knapsack(n=14):
    weights = [(7 * i + 3) % 11 + 1 for i in range(n)]
    worth = [(5 * i + 4) % 13 + 1 for i in range(n)]

    def run():
        packed = [Bool(f"b{i}") for i in range(n)]
        optimizer = Optimize()
        optimizer.add(Sum([If(p, w, 0) for p, w in zip(packed, weights, strict=True)]) <= sum(weights) // 2)
        total = optimizer.maximize(Sum([If(p, w, 0) for p, w in zip(packed, worth, strict=True)]))
        assert optimizer.check() == sat
        return total.value()

    return run


def islanders(n=5):
    def run():
        knights = [Bool(f"k{i}") for i in range(n)]
        says = [Not(knight) for knight in knights[1:]] + [Sum([If(k, 1, 0) for k in knights]) == 2]
        return solutions([k == s for k, s in zip(knights, says, strict=True)], knights, 2)

    return run


NAMES = ["Ada", "Bruno", "Cleo", "Dario", "Elif", "Fritz", "Greta", "Hugo"]


def one_puzzle(draw):
    """Statements are drawn until one assignment of knights and knaves fits; the text and the answer."""
    while True:
        n = draw.randint(3, 5)
        people = draw.sample(NAMES, n)
        knight = {p: Bool(p) for p in people}
        constraints, lines = [], []
        for p in people:
            q = draw.choice([x for x in people if x != p])
            a, b = draw.sample(people, 2)
            k = draw.randint(1, n - 1)
            claim, text = draw.choice(
                [
                    (knight[q], f"{q} is a knight"),
                    (Not(knight[q]), f"{q} is a knave"),
                    (knight[a] == knight[b], f"{a} and {b} are of the same kind"),
                    (Sum([If(x, 1, 0) for x in knight.values()]) == k, f"exactly {k} of us are knights"),
                ]
            )
            constraints.append(knight[p] == claim)
            lines.append(f'{p} says: "{text}."')
        found = solutions(constraints, list(knight.values()), 2)
        if len(found) == 1:
            return "\n".join(lines), ["knight" if is_true(value) else "knave" for value in found[0]]


def generate(puzzles=16):
    def run():
        draw = random.Random(1)
        return [one_puzzle(draw) for _ in range(puzzles)]

    return run


BENCHES = {
    "queens": queens,
    "sudoku": sudoku,
    "knapsack": knapsack,
    "islanders": islanders,
    "generate": generate,
}

if __name__ == "__main__":
    serve(BENCHES)
