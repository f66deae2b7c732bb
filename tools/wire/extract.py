#!/usr/bin/env python3
"""Takes the facts of Kafka's message definitions over into lib/wire/schema.

    tools/wire/extract.py            writes lib/wire/schema from the jars of OLD and NEW
    tools/wire/extract.py --check    fails when lib/wire/schema says anything else than the jars

The newest release no longer knows the versions that Kafka 4.0 removed, so two releases are merged: NEW says
what a field is today, OLD adds the versions and the fields that are gone. Only names, types, versions,
defaults and flags are taken. The notation is described in lib/wire/schema/README.md.
"""
import json
import pathlib
import re
import subprocess
import sys
import zipfile

OLD, NEW = "3.9.2", "4.4.0"
HERE = pathlib.Path(__file__).resolve().parent
SCHEMA = HERE.parent.parent / "lib" / "wire" / "schema"
LATEST = 32767

# Fields that NEW calls by another name: (message, old name) -> new name.
RENAMED = {
    ("ListConfigResourcesResponse", "ClientMetricsResources"): "ConfigResources",
    ("ListConfigResourcesResponse", "Name"): "ResourceName",
    ("TxnOffsetCommitRequest", "GenerationId"): "GenerationIdOrMemberEpoch",
    ("VoteRequest", "CandidateEpoch"): "ReplicaEpoch",
    ("VoteRequest", "CandidateId"): "ReplicaId",
    ("VoteRequest", "CandidateDirectoryId"): "ReplicaDirectoryId",
}
# Definitions that have no number of their own in Kafka, with the one they have here.
NUMBERED = {
    "RequestHeader": 0, "ResponseHeader": 1,
    "ConsumerProtocolSubscription": 10, "ConsumerProtocolAssignment": 11, "DefaultPrincipalData": 12,
    "ControlRecordTypeSchema": 20, "EndTxnMarker": 21, "LeaderChangeMessage": 22, "SnapshotHeaderRecord": 23,
    "SnapshotFooterRecord": 24, "KRaftVersionRecord": 25, "VotersRecord": 26, "AbortedTxn": 27,
}
JARS = {"kafka-clients": None, "kafka-group-coordinator": "group", "kafka-transaction-coordinator": "transaction"}


def definitions(version):
    """{name: (topic or None, definition)} of one release."""
    folder = pathlib.Path(subprocess.run([HERE / "jars.sh", version], check=True, stdout=subprocess.PIPE,
                                         text=True).stdout.strip())
    found = {}
    for jar, topic in JARS.items():
        with zipfile.ZipFile(folder / f"{jar}-{version}.jar") as archive:
            for entry in archive.namelist():
                if re.fullmatch(r"common/message/\w+\.json", entry):
                    lines = archive.read(entry).decode().splitlines()
                    text = "\n".join(line for line in lines if not line.lstrip().startswith("//"))
                    text = re.sub(r'([\]},"])\s*//[^\n"]*$', r"\1", text, flags=re.M)
                    definition = json.loads(text)
                    found[definition["name"]] = (topic, definition)
    return found


def parse_range(text):
    """(first, last) of "3", "3-5", "3+"; None for "none" and for nothing."""
    if text is None or text == "none":
        return None
    first, _, last = text.partition("-")
    if text.endswith("+"):
        return int(text[:-1]), LATEST
    return int(first), int(last or first)


def meet(a, b):
    """What two ranges have in common, or None."""
    if a is None or b is None:
        return None
    both = max(a[0], b[0]), min(a[1], b[1])
    return both if both[0] <= both[1] else None


def field_versions(field):
    return parse_range(field.get("versions", field.get("taggedVersions")))


def merge_fields(message, new, old):
    """The fields of NEW in their order; those that only OLD has stand behind the one they followed there."""
    merged = [dict(field) for field in new]
    place = 0
    for field in old:
        name = RENAMED.get((message, field["name"]), field["name"])
        at = next((i for i, have in enumerate(merged) if have["name"] == name), None)
        if at is None:
            merged.insert(place, dict(field))
            at = place
        elif "fields" in field:
            merged[at]["fields"] = merge_fields(message, merged[at].get("fields", []), field["fields"])
        place = at + 1
    return merged


def merge(old, new):
    """One definition with every version of the two; either may be missing."""
    only = new or old
    if old is None or new is None or only["type"] not in ("request", "response"):
        return only
    ranges = [parse_range(d["validVersions"]) for d in (old, new)]
    if ranges[1] is None:
        return old
    merged = dict(new)
    first, last = min(r[0] for r in ranges), max(r[1] for r in ranges)
    merged["validVersions"] = f"{first}-{last}"
    merged["fields"] = merge_fields(new["name"], new.get("fields", []), old.get("fields", []))
    return merged


def format_range(versions, within):
    """Empty when it says nothing new, open at the end when it reaches the end of what surrounds it."""
    if versions == within:
        return ""
    if versions[1] == within[1]:
        return f"{versions[0]}+"
    return str(versions[0]) if versions[0] == versions[1] else f"{versions[0]}-{versions[1]}"


def format_field(field, within, depth, out):
    versions = meet(field_versions(field), within)
    if versions is None:
        return
    kind = field["type"]
    nullable = meet(parse_range(field.get("nullableVersions")), versions)
    words = [kind + ("?" if nullable == versions else ""), format_range(versions, within)]
    if nullable and nullable != versions:
        words.append("null " + format_range(nullable, versions))
    if "tag" in field:
        words.append(f"tag {int(field['tag'])}")
    if field.get("default") is not None:  # a bare null is Kafka's word for "none given"
        value = field["default"]
        words.append("= " + (str(value).lower() if isinstance(value, bool) else
                             str(value) if value != "" else '""'))
    if field.get("ignorable"):
        words.append("ignorable")
    if field.get("mapKey"):
        words.append("key")
    if field.get("flexibleVersions") == "none":
        words.append("inflexible")
    line = "  " * depth + field["name"] + ": " + " ".join(word for word in words if word)
    if not field.get("fields"):
        out.append(line)
        return
    out.append(line + " {")
    for inner in field["fields"]:
        format_field(inner, versions, depth + 1, out)
    out.append("  " * depth + "}")


def format_message(topic, definition):
    kind = definition["type"]
    name = definition["name"]
    if topic:
        kind = f"{topic}-{'key' if name.endswith('Key') else 'value'}"
    number = NUMBERED[name] if kind in ("header", "data") else definition["apiKey"]
    if name == "RequestHeader":
        definition = dict(definition, validVersions="0-2")
        definition["fields"] = [dict(f, versions="1+") if f["name"] == "ClientId" else f for f in definition["fields"]]
    valid = parse_range(definition["validVersions"])
    head = f"{kind} {name} {number}: versions {format_range(valid, (0, LATEST))}"
    flexible = meet(parse_range(definition["flexibleVersions"]), valid)
    if flexible:
        head += f" flexible {flexible[0]}+"
    if definition.get("latestVersionUnstable"):
        head += " unstable"
    out = [head, ""]
    for field in definition.get("fields", []):
        format_field(field, valid, 0, out)
    for common in definition.get("commonStructs", []):
        out.append("")
        versions = meet(parse_range(common["versions"]), valid)
        out.append(" ".join(w for w in ("struct", common["name"], format_range(versions, valid), "{") if w))
        for field in common["fields"]:
            format_field(field, versions, 1, out)
        out.append("}")
    return "\n".join(out) + "\n"


def schema_files():
    old, new = definitions(OLD), definitions(NEW)
    old_by_key = {(d["apiKey"], d["type"]): d for _, d in old.values() if d["type"] in ("request", "response")}
    files = {}
    for name, (topic, definition) in new.items():
        if definition["type"] in ("request", "response"):
            definition = merge(old_by_key.get((definition["apiKey"], definition["type"])), definition)
        files[name + ".schema"] = format_message(topic, definition)
    return files


def main():
    files = schema_files()
    if sys.argv[1:] == ["--check"]:
        there = {path.name: path.read_text() for path in SCHEMA.glob("*.schema")}
        wrong = sorted(name for name in files.keys() | there.keys() if files.get(name) != there.get(name))
        for name in wrong:
            print(f"lib/wire/schema/{name} differs from Kafka {OLD} and {NEW}", file=sys.stderr)
        print(f"schema: {len(files) - len(wrong)} of {len(files)} definitions agree with Kafka {OLD} and {NEW}")
        return 1 if wrong else 0
    if sys.argv[1:]:
        print(__doc__, file=sys.stderr)
        return 2
    for path in SCHEMA.glob("*.schema"):
        path.unlink()
    for name, text in files.items():
        (SCHEMA / name).write_text(text)
    return 0


if __name__ == "__main__":
    sys.exit(main())
