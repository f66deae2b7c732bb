"""docs/configuration.md holds the tables that tools/config_table prints. With --write: puts them there."""

import os
import subprocess
import sys
import unittest

PAGE = os.path.join(os.path.dirname(__file__), "..", "..", "docs", "configuration.md")
BEGIN = "<!-- begin: printed by tools/config_table -->\n"
END = "<!-- end -->\n"


def expected():
    """The page as it is, and as it must be."""
    with open(PAGE) as file:
        page = file.read()
    head, rest = page.split(BEGIN)
    _, tail = rest.split(END)
    table = subprocess.run([os.environ["KOPD_CONFIG_TABLE"]], capture_output=True, text=True, check=True).stdout
    return page, head + BEGIN + table + END + tail


class Docs(unittest.TestCase):
    def test_tables_are_in_step(self):
        self.maxDiff = None
        page, wanted = expected()
        self.assertEqual(page, wanted, "run tests/kopd/test_docs.py --write")


if __name__ == "__main__":
    if sys.argv[1:] == ["--write"]:
        text = expected()[1]
        with open(PAGE, "w") as out:
            out.write(text)
    else:
        unittest.main()
