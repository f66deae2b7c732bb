"""How a test says that it is one: @case(variant), over a function that takes a running Pulsar."""

import collections

Case = collections.namedtuple("Case", "name variant quick function")
CASES = []
notes = []  # what the running case has to tell


class Skip(Exception):
    """The case cannot run here: why."""


def case(variant="plain", quick=False):
    def register(function):
        CASES.append(Case(function.__name__, variant, quick, function))
        return function

    return register


def note(text):
    notes.append(text)


def chosen(prefixes, quick):
    wanted = tuple(prefixes.split(",")) if prefixes else ("",)
    return [item for item in CASES if item.name.startswith(wanted) and (item.quick or not quick)]
