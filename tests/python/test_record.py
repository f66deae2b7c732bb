"""Record batches: built and read again in every magic and codec, and what is refused."""
import unittest

import kop

RECORDS = [kop.Record(100, 1_000, b"k", b"v" * 300, [("a", b"1"), ("b", None), ("a", b"")]),
           kop.Record(101, 1_005, None, None, []), kop.Record(105, 999, b"", b"", [])]


class Batches(unittest.TestCase):
    def test_every_codec(self):
        for codec in (kop.CODEC_NONE, kop.CODEC_GZIP, kop.CODEC_SNAPPY, kop.CODEC_LZ4, kop.CODEC_ZSTD):
            with self.subTest(codec):
                data = kop.batch(RECORDS, codec=codec, base_offset=100)
                self.assertEqual(list(kop.records(data)), RECORDS)

    def test_older_magics(self):
        for magic in (0, 1):
            with self.subTest(magic):
                plain = [r._replace(headers=[], timestamp=r.timestamp if magic else -1) for r in RECORDS]
                self.assertEqual(list(kop.records(kop.batch(plain, magic=magic, codec=kop.CODEC_GZIP))), plain)

    def test_pairs_get_offsets_in_order(self):
        data = kop.batch([(b"a", b"1"), (None, b"2")], base_offset=7)
        self.assertEqual([(r.offset, r.key, r.value) for r in kop.records(data)], [(7, b"a", b"1"), (8, None, b"2")])

    def test_concatenations_of_batches(self):
        data = kop.batch(RECORDS[:1], base_offset=100) + kop.batch(RECORDS[1:], base_offset=101, codec=kop.CODEC_LZ4)
        self.assertEqual(list(kop.records(data)), RECORDS)
        self.assertEqual(list(kop.records(data[:-1])), RECORDS[:1])
        self.assertEqual(list(kop.records(b"")), [])

    def test_damage(self):
        data = bytearray(kop.batch(RECORDS, base_offset=100))
        data[16] = 9  # no such magic
        with self.assertRaises(kop.KopError):
            list(kop.records(data))

    def test_options_that_do_not_exist(self):
        with self.assertRaises(TypeError):
            kop.batch([], codecs=1)
        with self.assertRaises(kop.KopError):
            kop.batch([], codec=9)


if __name__ == "__main__":
    unittest.main()
