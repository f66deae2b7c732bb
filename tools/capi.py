"""Reads libkop's public headers into Python objects.

The headers keep to a small part of C, so that any language can read them: no function-like macros, no unions,
bit-fields, varargs, inline functions, bool, long or enum-typed fields. This parser knows exactly that part
and refuses the rest with file and line, which makes it the check of the rule as well. It gives the bindings
generator its declarations and the documentation check the comment of each.

    api = read_headers(Path("include/kop"))
    api.functions["kop_strerror"].params[0].type.base     -> "kop_status"

A type is a Type: a base name ("uint8_t", "void", "kop_slice"), the number of pointers around it, an array
length, whether what it points at is const; or a function type; or a struct without a name.
"""
import ast
import re
from dataclasses import dataclass, field
from pathlib import Path

SCALARS = {"int8_t", "uint8_t", "int16_t", "uint16_t", "int32_t", "uint32_t", "int64_t", "uint64_t", "size_t",
           "double", "char", "void", "uintptr_t"}
REFUSED = {"bool", "_Bool", "long", "short", "unsigned", "signed", "union", "inline", "ssize_t", "float", "volatile",
           "restrict", "register", "off_t", "time_t", "..."}

TOKEN = re.compile(r"""
    (?P<doc>/\*\*<?.*?\*/) | (?P<comment>/\*.*?\*/|//[^\n]*) | (?P<directive>^[ \t]*\#(?:\\\n|/\*.*?\*/|[^\n])*)
  | (?P<space>\s+) | (?P<word>[A-Za-z_]\w*) | (?P<number>0[xX][0-9a-fA-F]+[uUlL]*|\d+[uUlL]*)
  | (?P<text>"(?:\\.|[^"\\])*") | (?P<sign>\.\.\.|<<|>>|[-+*/&|~(){}\[\],;=:<>!])""", re.X | re.S | re.M)


class Refused(Exception):
    """Something in a header that a public header may not contain."""


@dataclass
class Token:
    kind: str
    text: str
    line: int


@dataclass
class Type:
    base: str = ""
    pointers: int = 0
    const: bool = False
    array: int | None = None
    function: "Function | None" = None
    struct: "Struct | None" = None


@dataclass
class Field:
    name: str
    type: Type
    doc: str = ""


@dataclass
class Struct:
    name: str
    fields: list[Field] | None = None  # None: opaque
    doc: str = ""
    header: str = ""
    line: int = 0


@dataclass
class Function:
    name: str
    result: Type
    params: list[Field]
    doc: str = ""
    header: str = ""
    line: int = 0


@dataclass
class Constant:
    name: str
    value: int | str
    doc: str = ""
    header: str = ""
    line: int = 0


@dataclass
class Api:
    constants: dict[str, Constant] = field(default_factory=dict)
    aliases: dict[str, Type] = field(default_factory=dict)
    structs: dict[str, Struct] = field(default_factory=dict)
    functions: dict[str, Function] = field(default_factory=dict)


def read_headers(folder: Path, skip: tuple[str, ...] = ()) -> Api:
    """All headers of a folder as one Api, in the order in which they include each other."""
    api, seen = Api(), set(skip)

    def read(name: str) -> None:
        if name in seen:
            return
        seen.add(name)
        text = (folder / name).read_text()
        for needed in re.findall(r"#include <kop/([\w/]+\.h)>", text):
            read(needed)
        _Parser(name, text, api).run()

    for header in sorted(folder.glob("*.h")):
        read(header.name)
    return api


def tokens(text: str, header: str = "?") -> list[Token]:
    """The tokens of a header, without spaces and plain comments."""
    found, at, line = [], 0, 1
    while at < len(text):
        match = TOKEN.match(text, at)
        if not match:
            raise Refused(f"{header}:{line}: cannot read {text[at:at + 20]!r}")
        if match.lastgroup not in ("space", "comment"):
            found.append(Token(match.lastgroup, match.group(), line))
        line += match.group().count("\n")
        at = match.end()
    return found


class _Parser:
    def __init__(self, header: str, text: str, api: Api):
        self.header, self.api = header, api
        self.skipping = 0  # depth inside a conditional whose body is not for us
        self.conditions: list[bool] = []
        self.tokens = [t for t in tokens(text, header) if self._keep(t)]
        self.at = 0

    # Preprocessor: guards are passed through, what is for C++ or defines KOP_API is left out.
    def _keep(self, token: Token) -> bool:
        if token.kind != "directive":
            return not self.skipping
        words = re.sub(r"/\*.*?\*/", " ", token.text.replace("\\\n", " ")).replace("#", "# ").split()[1:]
        if words[0] in ("if", "ifdef", "ifndef"):
            # A guard is a name that the file's own headers define; all other conditions hide their body.
            self.conditions.append(not re.fullmatch(r"KOP_\w+_H", words[1]))
            self.skipping += self.conditions[-1]
        elif words[0] == "endif":
            self.skipping -= self.conditions.pop()
        elif words[0] == "define" and not self.skipping:
            return len(words) > 2
        return False

    def _fail(self, what: str, token: Token | None = None) -> None:
        line = (token or self.tokens[min(self.at, len(self.tokens) - 1)]).line
        raise Refused(f"{self.header}:{line}: {what}")

    def _peek(self, offset: int = 0) -> Token:
        at = self.at + offset
        return self.tokens[at] if at < len(self.tokens) else Token("end", "", 0)

    def _next(self) -> Token:
        token = self._peek()
        if token.text in REFUSED:
            self._fail(f"'{token.text}' has no place in a public header", token)
        self.at += 1
        return token

    def _take(self, text: str) -> bool:
        if self._peek().text == text:
            self.at += 1
            return True
        return False

    def _expect(self, text: str) -> None:
        if not self._take(text):
            self._fail(f"expected '{text}', found '{self._peek().text}'")

    def _name(self) -> str:
        token = self._next()
        if token.kind != "word":
            self._fail(f"expected a name, found '{token.text}'", token)
        return token.text

    def _doc(self, trailing: bool = False) -> str:
        """The comment here, if there is one, without its stars; a trailing one speaks of what stands before it."""
        text = ""
        while self._peek().kind == "doc" and self._peek().text.startswith("/**<") == trailing:
            text = self._next().text
        lines = [re.sub(r"^\s*\*? ?", "", line) for line in re.sub(r"^/\*\*<?|\*/$", "", text).split("\n")]
        return "\n".join(lines).strip()

    def run(self) -> None:
        while True:
            doc = self._doc()
            token = self._peek()
            if token.kind == "end":
                return
            if token.kind == "directive":
                self._define(self._next(), doc)
            elif self._take(";"):
                pass
            elif token.text == "typedef":
                self._typedef(doc)
            elif token.text == "enum":
                self._enum()
            elif token.text == "struct" and self._peek(2).text in ("{", ";"):
                self._struct(doc)
                self._expect(";")
            elif token.text == "KOP_API":
                self._function(doc)
            else:
                self._fail(f"'{token.text}' does not begin a declaration that a public header may hold")

    def _define(self, token: Token, doc: str) -> None:
        match = re.match(r"\s*#\s*define\s+(\w+)(\()?\s*(.*)", token.text.replace("\\\n", " "), re.S)
        name, call, body = match.groups()
        if call:
            self._fail(f"{name} is a function-like macro", token)
        after = re.search(r"/\*\*<(.*?)\*/", body, re.S)
        body = re.sub(r"/\*.*?\*/", "", body, flags=re.S).strip()
        self._constant(name, body, doc or (after.group(1).strip() if after else ""), token)

    def _constant(self, name: str, body: str, doc: str, token: Token) -> None:
        body = re.sub(r"\b(0[xX][0-9a-fA-F]+|\d+)[uUlL]+\b", r"\1", body)
        body = re.sub(r"\bU?INT(8|16|32|64)_C\((\w+)\)", r"\2", body)
        body = re.sub(r"\bUINT64_MAX\b", str(2**64 - 1), body)
        body = re.sub(r"\b(KOP_\w+)\b", lambda m: repr(self.api.constants[m.group(1)].value)
                      if m.group(1) in self.api.constants else m.group(1), body)
        if not re.fullmatch(r"""[-+*|&~()<>\d\sxXa-fA-F]+|"[^"]*"|'[^']*'""", body):
            self._fail(f"{name} is not a constant: {body}", token)
        value = ast.literal_eval(body) if body[0] in "\"'" else eval(body, {"__builtins__": {}})
        self.api.constants[name] = Constant(name, value, doc, self.header, token.line)

    def _enum(self) -> None:
        self._expect("enum")
        if self._peek().kind == "word":
            self._name()
        self._expect("{")
        value = -1
        while not self._take("}"):
            doc = self._doc()
            if self._take("}"):
                break
            token = self._peek()
            name, body = self._name(), ""
            if self._take("="):
                while self._peek().text not in (",", "}") and self._peek().kind != "doc":
                    body += " " + self._next().text
            doc = self._doc(trailing=True) or doc
            self._take(",")
            doc = self._doc(trailing=True) or doc
            self._constant(name, body.strip() or str(value + 1), doc, token)
            value = self.api.constants[name].value
        self._expect(";")

    def _typedef(self, doc: str) -> None:
        self._expect("typedef")
        if self._peek().text == "enum":
            self._fail("an enum type may not be named: fields and parameters are integers of fixed width")
        if self._peek().text == "struct":
            struct = self._struct(doc)
            name = self._name()
            if struct.name and struct.name != name:
                self._fail(f"struct {struct.name} is typedef'd to another name")
            struct.name = name
            if struct.fields is not None or name not in self.api.structs:
                self.api.structs[name] = struct
        else:
            entry = self._declaration()
            self.api.aliases[entry.name] = entry.type
        self._expect(";")

    def _struct(self, doc: str) -> Struct:
        token = self._peek()
        self._expect("struct")
        name = self._name() if self._peek().kind == "word" else ""
        struct = Struct(name, None, doc, self.header, token.line)
        if self._take("{"):
            struct.fields = []
            while not self._take("}"):
                before = self._doc()
                if self._take("}"):
                    break
                entry = self._declaration()
                if self._peek().text == ":":
                    self._fail("a bit-field")
                if self._peek().text == ",":
                    self._fail("one field a line")
                self._expect(";")
                entry.doc = self._doc(trailing=True) or before
                struct.fields.append(entry)
        if name and (struct.fields is not None or name not in self.api.structs):
            self.api.structs[name] = struct
        return struct

    def _function(self, doc: str) -> None:
        token = self._peek()
        self._expect("KOP_API")
        entry = self._declaration()
        self._expect(";")
        function = entry.type.function
        if function is None:
            self._fail("only functions are exported", token)
        function.name, function.doc, function.header, function.line = entry.name, doc, self.header, token.line
        self.api.functions[entry.name] = function

    def _declaration(self) -> Field:
        """One type with its declarator: `const uint8_t *x`, `uint8_t x[16]`, `void *(*f)(int32_t a)`, `T f(void)`."""
        kind = Type()
        kind.const = self._take("const")
        if self._peek().text == "struct" and self._peek(1).text == "{":
            kind.struct = self._struct("")
        else:
            self._take("struct")
            kind.base = self._name()
            if kind.base == "enum":
                self._fail("an enum-typed field or parameter")
        kind.const = self._take("const") or kind.const
        while self._take("*"):
            kind.pointers += 1
            self._take("const")
        if self._take("("):  # pointer to function
            self._expect("*")
            name = self._name() if self._peek().kind == "word" else ""
            self._expect(")")
            return Field(name, Type(pointers=1, function=Function(name, kind, self._params())))
        name = self._name() if self._peek().kind == "word" else ""
        if self._peek().text == "(":
            return Field(name, Type(function=Function(name, kind, self._params())))
        if self._take("["):
            body = ""
            while not self._take("]"):
                part = self._next().text
                body += str(self.api.constants[part].value) if part in self.api.constants else part
            kind.array = int(body)
        return Field(name, kind)

    def _params(self) -> list[Field]:
        self._expect("(")
        if self._peek().text == "void" and self._peek(1).text == ")":
            self._next()
        if self._take(")"):
            return []
        found = []
        while True:
            found.append(self._declaration())
            if self._take(")"):
                return found
            self._expect(",")
