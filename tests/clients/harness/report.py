"""The outcome as a table: on the terminal, and as docs/compatibility.md."""

from dataclasses import dataclass

from . import tools


@dataclass(frozen=True)
class Outcome:
    kind: str  # pass, fail, n/a
    text: str = ""


MARKS = {"pass": "yes", "fail": "NO", "n/a": "n/a"}


class Report:
    def __init__(self, clients, chosen, cells, results, versions, skipped, stores):
        self.clients = clients
        self.chosen = chosen
        self.cells = cells
        self.results = results
        self.versions = versions
        self.skipped = skipped
        self.stores = stores

    def count(self, kind):
        return sum(
            outcome.kind == kind for stores in self.results.values() for outcome in stores.values()
        )

    def failed(self):
        return self.count("fail") > 0 or self.count("pass") == 0

    def last_line(self):
        return (
            f"clients: {self.count('pass')} of {self.count('pass') + self.count('fail')} cells pass"
        )

    def title(self, name):
        return f"{self.clients[name]['title']} {self.versions.get(name, '')}".strip()

    def was_run(self, cell):
        return any(cell.id == ran for _, ran in self.results)

    def mark(self, name, cell, mixed=None):
        """yes, NO, n/a, skip; or, where stores differ, what each said, or the given word."""
        if name in self.skipped:
            return "skip"
        outcomes = self.results.get((name, cell.id), {})
        kinds = {outcome.kind for outcome in outcomes.values()}
        if not kinds:
            return ""
        if len(kinds) == 1:
            return MARKS[kinds.pop()]
        if mixed:
            return mixed
        return ", ".join(f"{store} {MARKS[outcome.kind]}" for store, outcome in outcomes.items())

    def text(self):
        """For a terminal: clients across, a cell a line."""
        names = [name for name in self.chosen if name != tools.NAME]
        lines = []
        if names:
            width = max(len(cell.title) for cell in self.cells) + 2
            for number, name in enumerate(names):
                lines.append(" " * width + "  |  " * number + f"  {self.title(name)}")
            for cell in filter(self.was_run, self.cells):
                lines.append(
                    cell.title.ljust(width)
                    + "".join(f"{self.mark(name, cell, 'some'):^5}" for name in names)
                )
        if tools.NAME in self.chosen:
            lines.append(self.title(tools.NAME))
            lines += [
                f"  {cell.title.ljust(45)} {self.mark(tools.NAME, cell)}"
                for cell in filter(self.was_run, tools.CELLS)
            ]
        for (name, cell), stores in self.results.items():
            if cell == "driver":
                lines.append(f"no driver: {name} ({', '.join(stores)})")
        for name, reason in self.skipped.items():
            lines.append(f"skipped: {name}: {reason}")
        lines.append(f"{self.count('n/a')} cells n/a, {len(self.skipped)} clients skipped")
        return "\n".join(lines)

    def write(self, path):
        path.parent.mkdir(exist_ok=True)
        path.write_text(self.markdown())

    def markdown(self):
        names = [name for name in self.chosen if name != tools.NAME]
        lines = [
            "<!-- Written by make test-clients: do not edit. -->",
            "# Which clients work",
            "",
            "Unmodified clients from their registries, against kopd with 3 nodes and the stores",
            " and ".join(f"`{store}:`" for store in self.stores)
            + ". What each cell asks and compares is written in `tests/clients/harness/cells.py`:",
            "every record is compared in key, value, headers, timestamp, partition and offset, by",
            "the client itself and by Kafka's Java client 4.3.1. A cell says yes if it passes",
            "with each store. `make test-clients SERVER=kafka` asks the same of Apache Kafka.",
            "",
            f"`{self.last_line()}`",
            "",
            "| cell | " + " | ".join(self.title(name) for name in names) + " |",
            "| --- |" + " --- |" * len(names),
        ]
        notes = {}
        for cell in self.cells:
            marks = []
            for name in names:
                mark = self.mark(name, cell)
                if mark == "n/a":
                    reason = self.clients[name]["na"][cell.id]
                    mark += f" [{notes.setdefault(reason, len(notes) + 1)}]"
                marks.append(mark)
            lines.append(f"| {cell.title} | " + " | ".join(marks) + " |")
        lines += ["", *[f"{number}. {reason}." for reason, number in notes.items()]]
        limits = [self.clients[name]["note"] for name in names if "note" in self.clients[name]]
        lines += ["", *[f"* {note}" for note in limits]]
        if tools.NAME in self.chosen:
            lines += ["", f"## {self.title(tools.NAME)}", "", "| tool | works |", "| --- | --- |"]
            lines += [f"| {cell.title} | {self.mark(tools.NAME, cell)} |" for cell in tools.CELLS]
        return "\n".join(lines) + "\n"
