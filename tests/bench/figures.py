#!/usr/bin/env python3
"""Runs the benches and writes docs/figures.md and the section of README.md from what they print.

    tests/bench/figures.py BUILD [PART...]      PART is broker, wire, record, store, convert or pulsar; without any, all of them;
                                                "pages" runs nothing and writes the pages only

What a part prints is kept in BUILD/figures, and the pages are made from what is kept there: a part can be run again alone.
A goal that is missed ends nothing; a part that fails does, and leaves the pages as they are.
"""
import datetime
import os
import subprocess
import sys
from pathlib import Path

from report import table

ROOT = Path(__file__).resolve().parents[2]
WIDTH = 118
PARTS = {
    "broker": ("kopd beside Apache Kafka", """Both are started by the bench on the loopback of one machine, which the client shares
with them: rates are lower than with a machine for each. "client" is how many cores the client took meanwhile. The ratio in
brackets is to Kafka in the same row group. Kafka runs with its defaults, which acknowledge what is in the page cache;
`os` of kopd promises the same, `disk` (kopd's default) syncs before it acknowledges."""),
    "wire": ("Messages", """Decoding and encoding beside Kafka's own classes on the same bytes, best of three turns. Java's objects are
made anew for each message as in Kafka; libkop decodes into an arena that is used again."""),
    "record": ("Record batches", """Validating (what a broker does to a produced batch) and iterating (what a consumer does) beside Kafka's
classes on the same bytes."""),
    "store": ("The file store", """Beside one bare shared file that takes the same batches for 1,000 partitions with one `writev` and, if durable,
one `fdatasync` a commit; not durable, a second thread syncs each full file, as the store does with its own. The store
has up to four commits in flight, which one sync may cover. Filled, then turned
over three times by retention; commits are timed one by one."""),
    "convert": ("Conversion to Pulsar and back", """One Kafka batch to one Pulsar entry and an entry to a batch, on one core, the checksums of
both included; "-key" has keys of 10 bytes. The goal is for "100B-key", not compressed. Compressed batches are
decompressed and compressed anew each way, so the codec sets their rate: zstd's is below the goal; gzip and snappy are not
measured. The second table sends what was converted through the Pulsar session, sockets not counted."""),
    "pulsar": ("The Pulsar session", """Beside the native Python and Go clients on one real Pulsar 4.0.8: batches of 1,000 messages of 100 B
sent, and each client's own read back; medians of the rounds. The broker shares the two cores and bounds the rates."""),
}
# Why a goal is missed on the machine the figures in this repository are from, by how the goal begins.
REASONS = {
    "processor time per record produced": """Two thirds to four fifths of kopd's time are the kernel's: a third to a half is
writing to the page cache, a sixth reading the socket, a twentieth writing full log files out, which Kafka leaves to the
kernel's own threads. Of the rest, checking the records and one CRC-32C over them is most. Kafka moves the same bytes, so
a third of its time is not far above what moving them takes.""",
    "processor time per record consumed": """nine tenths of kopd's time are the kernel's: half of all is copying from the
mapped file to the socket. Kafka's sendfile saves that copy; on loopback it costs more elsewhere (docs/decisions.md,
36), so what is left to save is small.""",
    "p99 of a commit beside a bare file, os": """The slowest hundredth are the commits after a file was begun, in which each
partition begins its index of it, and those that meet the janitor; it varies from run to run.""",
    "records/s consumed": """The client is what is busy then (its column shows the cores it takes), so its rate varies with
what else the machine does.""",
}


def machine():
    model = [line.split(":")[1].strip() for line in open("/proc/cpuinfo") if line.startswith("model name")]
    memory = int(open("/proc/meminfo").readline().split()[1]) / 1024 / 1024
    return f"{len(model)} cores of {model[0]}, {memory:.0f} GiB, Linux {os.uname().release}"


def run(part, build, kept):
    """Runs one part, shows what it prints and keeps it with a first line on when and how busy the machine was."""
    load = os.getloadavg()[0]
    start = datetime.datetime.now(datetime.timezone.utc)
    print(f"== {part}", flush=True)
    lines = []
    with subprocess.Popen([str(ROOT / "tests" / "bench" / f"{part}.sh"), str(build)], stdout=subprocess.PIPE, text=True) as p:
        for line in p.stdout:
            print(line, end="", flush=True)
            lines.append(line)
    if p.returncode != 0:
        raise SystemExit(f"figures: {part} failed with status {p.returncode}")
    minutes = (datetime.datetime.now(datetime.timezone.utc) - start).total_seconds() / 60
    head = (f"{start:%Y-%m-%d %H:%M} UTC, {minutes:.1f} minutes, on {machine()}; load average {load:.1f} when it began, "
            f"{os.getloadavg()[0]:.1f} when it ended.\n")
    (kept / f"{part}.txt").write_text(head + "".join(lines))


def goals(text):
    return [line[len("goal: "):].split(" | ") for line in text.splitlines() if line.startswith("goal: ")]


def why(what):
    for beginning, reason in REASONS.items():
        if what.startswith(beginning):
            return reason
    return "The reason is not known."


def wrap(text):
    """Lines of at most WIDTH; textwrap would break at hyphens of options."""
    lines, line = [], ""
    for word in text.split():
        if len(line) + len(word) >= WIDTH:
            lines.append(line)
            line = ""
        line = f"{line} {word}".strip()
    return "\n".join([*lines, line]) + "\n"


def goals_table(found):
    return table([["goal", "wanted", "got", ""], *([*goal[:3], goal[3] if goal[3] == "met" else "**missed**"] for goal in found)])


def write_pages(kept):
    texts = {part: (kept / f"{part}.txt").read_text() for part in PARTS}
    found = [goal for text in texts.values() for goal in goals(text)]
    missed = [goal for goal in found if goal[3] != "met"]
    page = ["# Figures\n", wrap("""Written by `make bench` (tests/bench/figures.py), which runs libkop beside its peers in the same run. Only figures of
        one run can be compared with each other, and ratios say more than rates: other programs ran on the machine, as the load
        averages tell. Resident memory of kopd is mostly its log files, mapped: the page cache's, not its own."""), "## Goals\n", goals_table(found)]
    for what, wanted, got, _ in missed:
        page.append(wrap(f"Missed: {what}: wanted is {wanted}, got {got}. {why(what)}"))
    for part, (title, about) in PARTS.items():
        head, _, body = texts[part].partition("\n")
        body = "".join(line for line in body.splitlines(True) if not line.startswith("goal: ")).strip("\n")
        if "|--" not in body:
            body = f"```\n{body}\n```"
        page += [f"## {title}\n", wrap(about), wrap(head), body + "\n"]
    (ROOT / "docs" / "figures.md").write_text("\n".join(page))
    readme = ROOT / "README.md"
    before, begin, rest = readme.read_text().partition("<!-- figures: written by make bench -->\n")
    _, end, after = rest.partition("<!-- end of figures -->\n")
    if begin and end:
        head = texts["broker"].partition("\n")[0].partition(" on ")[2].partition("; load")[0]
        text = f"On {head}, each beside its peer in one run; [docs/figures.md](docs/figures.md) has the tables{' and why a goal is missed' if missed else ''}:"
        readme.write_text(f"{before}{begin}{wrap(text)}\n{goals_table(found)}{end}{after}")


def main():
    build, wanted = Path(sys.argv[1]).resolve(), sys.argv[2:] or list(PARTS)
    kept = build / "figures"
    kept.mkdir(exist_ok=True)
    for part in [part for part in wanted if part != "pages"]:
        run(part, build, kept)
    missing = [part for part in PARTS if not (kept / f"{part}.txt").exists()]
    if missing:
        print(f"figures: no pages are written, these parts never ran: {' '.join(missing)}")
        return
    write_pages(kept)
    print("figures: docs/figures.md and README.md are written")


if __name__ == "__main__":
    main()
