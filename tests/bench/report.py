"""What the benches print: tables in Markdown, and goals with their verdicts.

A goal is one line, "goal: WHAT | WANTED | GOT | met" or "missed", which tests/bench/figures.py gathers.
"""


def goal(what, wanted, got, met):
    print(f"goal: {what} | {wanted} | {got} | {'met' if met else 'missed'}", flush=True)


def table(rows):
    widths = [max(len(str(row[i])) for row in rows) for i in range(len(rows[0]))]
    lines = ["| " + " | ".join(str(cell).ljust(width) for cell, width in zip(row, widths)) + " |" for row in rows]
    lines.insert(1, "|" + "|".join("-" * (width + 2) for width in widths) + "|")
    return "\n".join(lines) + "\n"
