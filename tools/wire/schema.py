"""Reads lib/wire/schema (its README.md has the notation) into objects; no knowledge of C here."""
import pathlib
import re

PRIMITIVES = ("bool", "int8", "int16", "uint16", "int32", "int64", "float64", "uuid", "string", "bytes", "records")
INTEGER_BITS = {"int8": 8, "int16": 16, "uint16": 16, "int32": 32, "int64": 64}
# First message id of each kind, the step between its numbers, and what is added.
IDS = {
    "request": (0, 2), "response": (1, 2), "header": (1000, 1), "data": (1000, 1),
    "group-key": (1100, 2), "group-value": (1101, 2), "transaction-key": (1200, 2), "transaction-value": (1201, 2),
}


class SchemaError(Exception):
    """What is wrong, with file and line."""


class Field:
    """One line of a schema. `default` is already a value: int, float, bool, "", or None for null."""

    def __init__(self, name, kind, array, versions, nullable, tag, default, flags, struct):
        self.name, self.kind, self.array, self.versions, self.nullable = name, kind, array, versions, nullable
        self.tag, self.default, self.flags, self.struct = tag, default, flags, struct

    def is_struct(self):
        return self.kind == "struct"


class Struct:
    """A message's own body (index 0) or one of the structs in it."""

    def __init__(self, name, versions):
        self.name, self.versions, self.fields, self.message, self.index = name, versions, [], None, None


class Message:
    def __init__(self, kind, name, number, versions, flexible, unstable):
        self.kind, self.name, self.number, self.versions = kind, name, number, versions
        self.flexible, self.unstable = flexible, unstable
        first, step = IDS[kind]
        self.id = first + step * number
        self.structs = []

    def is_flexible(self, version):
        return self.flexible is not None and version >= self.flexible


class Reader:
    """The lines of one file, with a place for error messages."""

    def __init__(self, path, text):
        self.path = path
        self.lines = [(number, line.strip()) for number, line in enumerate(text.splitlines(), 1)
                      if line.strip() and not line.strip().startswith("#")]
        self.at = 0

    def fail(self, what):
        number = self.lines[min(self.at, len(self.lines)) - 1][0] if self.lines else 0
        raise SchemaError(f"{self.path}:{number}: {what}")

    def next(self):
        if self.at == len(self.lines):
            return None
        self.at += 1
        return self.lines[self.at - 1][1]


RANGE = r"(\d+)(?:(\+)|-(\d+))?"


def parse_range(reader, text, within):
    match = re.fullmatch(RANGE, text)
    if not match:
        reader.fail(f"{text!r} is not a range of versions")
    first = int(match[1])
    last = within[1] if match[2] else int(match[3] or first)
    if first > last or first < within[0] or last > within[1]:
        reader.fail(f"versions {text} do not lie within {within[0]}-{within[1]}")
    return first, last


def parse_default(reader, kind, array, text):
    """The value of "= TEXT", or the zero of the type when there is no such word."""
    if text is None:
        return {"bool": False, "string": "", "bytes": "", "records": None, "float64": 0.0}.get(kind, 0) if not array else []
    if text == "null":
        return None
    if array or kind in ("struct", "bytes", "records", "uuid"):
        reader.fail("only null can be given as the default of this type")
    if kind == "bool" and text in ("true", "false"):
        return text == "true"
    if kind == "string" and text == '""':
        return ""
    if kind in INTEGER_BITS:
        try:
            value = int(text, 0)
        except ValueError:
            reader.fail(f"{text!r} is not a number")
        bits = INTEGER_BITS[kind]
        low, high = (0, 2**bits - 1) if kind == "uint16" else (-(2**(bits - 1)), 2**(bits - 1) - 1)
        if not low <= value <= high:
            reader.fail(f"{value} does not fit {kind}")
        return value
    reader.fail(f"{text!r} is no default of {kind}")


FIELD = re.compile(
    r"(?P<name>\w+): (?P<array>\[\])?(?P<type>\w+)(?P<opt>\?)?"
    r"(?: (?P<versions>\d\S*))?(?: null (?P<null>\d\S*))?(?: tag (?P<tag>\d+))?(?: = (?P<default>\S+))?"
    r"(?P<flags>(?: (?:ignorable|key|inflexible))*)(?P<open> \{)?")


def parse_fields(reader, message, struct, pending):
    """The lines up to the closing brace (or the end of the body)."""
    while (line := reader.next()) not in (None, "}"):
        if line.startswith("struct "):
            reader.at -= 1
            return
        match = FIELD.fullmatch(line)
        if not match:
            reader.fail(f"{line!r} is not a field")
        versions = parse_range(reader, match["versions"], struct.versions) if match["versions"] else struct.versions
        nullable = versions if match["opt"] else None
        if match["null"]:
            nullable = parse_range(reader, match["null"], versions)
        array, type_name = bool(match["array"]), match["type"]
        kind = type_name if type_name in PRIMITIVES else "struct"
        if kind == "struct" and not type_name[0].isupper():
            reader.fail(f"unknown type {type_name}")
        default = parse_default(reader, kind, array, match["default"])
        tag = int(match["tag"]) if match["tag"] else None
        if default is None and nullable is None and kind != "records":
            reader.fail("the default is null but the field never is")
        if nullable and not (array or kind in ("struct", "string", "bytes", "records")):
            reader.fail(f"{kind} cannot be null")
        if tag is not None and not message.is_flexible(versions[0]):
            reader.fail("a tagged field needs flexible versions")
        field = Field(match["name"], kind, array, versions, nullable, tag, default, match["flags"].split(), None)
        if any(other.name == field.name for other in struct.fields):
            reader.fail(f"{field.name} appears twice")
        struct.fields.append(field)
        if match["open"]:
            if kind != "struct":
                reader.fail(f"{kind} has no fields")
            field.struct = Struct(type_name, versions)
            add_struct(reader, message, field.struct)
            parse_fields(reader, message, field.struct, pending)
        elif kind == "struct":
            pending.append((reader.at, field, type_name))


def add_struct(reader, message, struct):
    if any(other.name == struct.name for other in message.structs):
        reader.fail(f"struct {struct.name} appears twice")
    struct.message, struct.index = message, len(message.structs)
    message.structs.append(struct)


def parse(path, text):
    """One file, one Message."""
    reader = Reader(path, text)
    head = reader.next() or ""
    match = re.fullmatch(r"(\S+) (\w+) (\d+): versions (\d\S*)(?: flexible (\d+)\+)?( unstable)?", head)
    if not match or match[1] not in IDS:
        reader.fail(f"{head!r} does not open a message")
    message = Message(match[1], match[2], int(match[3]), parse_range(reader, match[4], (0, 32767)),
                      int(match[5]) if match[5] else None, bool(match[6]))
    body = Struct(message.name, message.versions)
    add_struct(reader, message, body)
    pending = []
    parse_fields(reader, message, body, pending)
    while (line := reader.next()) is not None:
        match = re.fullmatch(r"struct (\w+)(?: (\d\S*))? \{", line)
        if not match:
            reader.fail(f"{line!r} does not open a struct")
        versions = parse_range(reader, match[2], message.versions) if match[2] else message.versions
        struct = Struct(match[1], versions)
        add_struct(reader, message, struct)
        parse_fields(reader, message, struct, pending)
    for at, field, name in pending:
        field.struct = next((s for s in message.structs if s.name == name), None)
        if field.struct is None:
            reader.at = at
            reader.fail(f"struct {name} is not declared")
    check_nesting(reader, body, (), False)
    check_tags(reader, message)
    return message


def check_nesting(reader, struct, above, tagged):
    if struct in above:
        reader.fail(f"struct {struct.name} contains itself")
    for field in struct.fields:
        if field.kind == "records" and (tagged or field.tag is not None or field.array):
            reader.fail("record sets can neither be tagged nor stand in an array")
        if field.struct:
            check_nesting(reader, field.struct, above + (struct,), tagged or field.tag is not None)


def check_tags(reader, message):
    for struct in message.structs:
        for version in range(message.versions[0], message.versions[1] + 1):
            tags = sorted(field.tag for field in struct.fields
                          if field.tag is not None and field.versions[0] <= version <= field.versions[1])
            if tags != list(range(len(tags))):
                reader.fail(f"the tags of {struct.name} in version {version} are {tags}; they count from 0 without a gap")
            if len(tags) > 32:
                reader.fail(f"{struct.name} has more than 32 tagged fields")


def load(folder):
    """Every message of the folder, by id."""
    messages = [parse(path, path.read_text()) for path in sorted(pathlib.Path(folder).glob("*.schema"))]
    messages.sort(key=lambda m: m.id)
    for a, b in zip(messages, messages[1:]):
        if a.id == b.id:
            raise SchemaError(f"{a.name} and {b.name} have the same number")
    return messages
