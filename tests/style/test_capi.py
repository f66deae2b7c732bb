"""The header parser: reads what public headers hold, refuses what they may not hold."""
import sys
import tempfile
import unittest
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2] / "tools"))
import capi  # noqa: E402


def read(text):
    with tempfile.TemporaryDirectory() as folder:
        Path(folder, "x.h").write_text("#ifndef KOP_X_H\n#define KOP_X_H\n" + text + "\n#endif\n")
        return capi.read_headers(Path(folder))


class Reads(unittest.TestCase):
    def test_constants(self):
        api = read('#define KOP_A 5u /**< five */\n#define KOP_B (1u << 3)\n#define KOP_T "x"\n'
                   "enum { KOP_C = -2, /**< c */ KOP_D, KOP_E = KOP_A | KOP_B /**< e */ };")
        self.assertEqual({n: c.value for n, c in api.constants.items()},
                         {"KOP_A": 5, "KOP_B": 8, "KOP_T": "x", "KOP_C": -2, "KOP_D": -1, "KOP_E": 13})
        self.assertEqual([api.constants[n].doc for n in ("KOP_A", "KOP_C", "KOP_D", "KOP_E")],
                         ["five", "c", "", "e"])

    def test_structs(self):
        api = read("/** S. */\ntypedef struct kop_s {\n  uint32_t a; /**< an a */\n  /** the b */\n"
                   "  const uint8_t *b;\n  uint64_t spare[4];\n  struct { kop_t *ptr; int32_t len; } list;\n"
                   "  void *(*grow)(void *user, size_t n);\n} kop_s;\ntypedef struct kop_t kop_t;")
        fields = {f.name: f for f in api.structs["kop_s"].fields}
        self.assertEqual((fields["a"].doc, fields["b"].doc), ("an a", "the b"))
        self.assertEqual((fields["b"].type.const, fields["b"].type.pointers, fields["b"].type.base),
                         (True, 1, "uint8_t"))
        self.assertEqual(fields["spare"].type.array, 4)
        self.assertEqual([f.name for f in fields["list"].type.struct.fields], ["ptr", "len"])
        self.assertEqual([p.name for p in fields["grow"].type.function.params], ["user", "n"])
        self.assertIsNone(api.structs["kop_t"].fields)

    def test_functions(self):
        api = read("#ifdef __cplusplus\nextern \"C\" {\n#endif\n/** Does.\n * @return x. Since 0.1. */\n"
                   "KOP_API kop_status kop_do(const kop_s *s, kop_s **out);\nKOP_API void kop_stop(void);")
        do = api.functions["kop_do"]
        self.assertEqual([(p.name, p.type.pointers) for p in do.params], [("s", 1), ("out", 2)])
        self.assertEqual(do.doc, "Does.\n@return x. Since 0.1.")
        self.assertEqual(api.functions["kop_stop"].params, [])


class Refuses(unittest.TestCase):
    def test_what_has_no_place_in_the_abi(self):
        for text in ("#define KOP_F(x) x", "KOP_API bool kop_f(void);", "KOP_API void kop_f(long x);",
                     "typedef struct kop_s { uint32_t a : 3; } kop_s;", "KOP_API void kop_f(const char *x, ...);",
                     "typedef union kop_u { int32_t a; } kop_u;", "typedef enum kop_e { KOP_A } kop_e;",
                     "static inline void kop_f(void) {}", "typedef struct kop_s { enum kop_e a; } kop_s;",
                     "KOP_API unsigned kop_f(void);", "KOP_API ssize_t kop_f(void);"):
            with self.subTest(text), self.assertRaises(capi.Refused):
                read(text)


if __name__ == "__main__":
    unittest.main()
