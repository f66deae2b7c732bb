"""How the names of a schema are called in C."""
import re

# Words of C and C++ that a field must not be called by.
RESERVED = set("""auto break case char const continue default do double else enum extern float for goto if inline int
long register restrict return short signed sizeof static struct switch typedef union unsigned void volatile while
and bool catch class delete explicit export false friend mutable namespace new not operator or private protected public
template this throw true try typename using virtual xor""".split())


def snake(name):
    """CamelCase to snake_case: isKRaftController -> is_kraft_controller, Enable2Pc -> enable_2pc, V0Host -> v0_host."""
    name = name.replace("KRaft", "Kraft").replace("2Pc", "_2pc")
    name = re.sub(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", "_", name)
    return name.lower()


def member(field):
    name = snake(field.name)
    return name + "_" if name in RESERVED else name


def struct_name(struct):
    """kop_fetch_request, kop_fetch_request_topic: what the struct's own name repeats of the message's is left out.

    kop/wire.h has its own kop_request_header, so the two headers get a suffix."""
    message = struct.message
    whole = "kop_" + snake(message.name) + ("_data" if message.kind == "header" else "")
    if struct.index == 0:
        return whole
    own = struct.name
    api = re.sub(r"(Request|Response)$", "", message.name)
    for prefix in (message.name, api, re.sub(r"s$", "", api)):
        if own.startswith(prefix) and own[len(prefix):len(prefix) + 1].isupper():
            own = own[len(prefix):]
            break
    return f"{whole}_{snake(own)}"


def message_constant(message):
    return "KOP_MSG_" + snake(message.name).upper()


def struct_constant(struct):
    return "KOP_STRUCT_" + struct_name(struct)[4:].upper()
