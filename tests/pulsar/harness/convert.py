"""libkop's converter from Python: what comes out is copied."""

import collections
import ctypes as c

from kop import _abi
from kop._convert import slice_bytes
from kop._library import check, library

Out = collections.namedtuple("Out", "head payload sequence_id highest_sequence_id num_messages first_delta count")
Answer = collections.namedtuple("Answer", "kind reason batches writer dropped chunk text")

NAMES = {
    value: name.removeprefix("KOP_").lower()
    for name, value in vars(_abi).items()
    if name.startswith("KOP_ANSWER_")
}
REASONS = {
    value: name.removeprefix("KOP_HOLE_").lower()
    for name, value in vars(_abi).items()
    if name.startswith("KOP_HOLE_")
}
WRITERS = {
    value: name.removeprefix("KOP_CONVERT_BY_").lower()
    for name, value in vars(_abi).items()
    if name.startswith("KOP_CONVERT_BY_")
}


class Converter:
    def __init__(self):
        self.handle = c.c_void_p()
        check(library.kop_convert_new(None, c.byref(self.handle)))

    def close(self):
        library.kop_convert_free(self.handle)

    def text(self):
        return library.kop_convert_error_text(self.handle).decode()

    def to_pulsar(self, batch, **options):
        """The entries of one batch; options are fields of kop_to_pulsar_options, numbers or the producer's name."""
        given, producer = _abi.kop_to_pulsar_options(), options.pop("producer_name", b"")
        library.kop_to_pulsar_options_init(c.byref(given), c.sizeof(given))
        name = c.create_string_buffer(producer, len(producer)) if producer else None
        if name:
            given.producer_name = _abi.kop_slice(c.addressof(name), len(producer))
        for option, value in options.items():
            setattr(given, option, value)
        entries, count = c.POINTER(_abi.kop_convert_entry)(), c.c_size_t()
        status = library.kop_convert_to_pulsar(
            self.handle, batch, len(batch), c.byref(given), c.byref(entries), c.byref(count)
        )
        check(status, self.text())
        return [
            Out(
                slice_bytes(entries[at].head),
                slice_bytes(entries[at].payload),
                entries[at].sequence_id,
                entries[at].highest_sequence_id,
                entries[at].num_messages,
                entries[at].first_delta,
                entries[at].count,
            )
            for at in range(count.value)
        ]

    def to_kafka(self, entry, first, last, **options):
        """What an entry is for Kafka."""
        given, answer = self._to_kafka(options), _abi.kop_convert_answer()
        status = library.kop_convert_to_kafka(
            self.handle, entry, len(entry), first, last, c.byref(given), c.byref(answer)
        )
        check(status, self.text())
        return self._answer(answer)

    def chunks_to_kafka(self, last_chunk, payload, offset, **options):
        given, answer = self._to_kafka(options), _abi.kop_convert_answer()
        read = _abi.kop_pulsar_entry()
        check(library.kop_pulsar_entry_read(last_chunk, len(last_chunk), 0, c.byref(read)))
        whole = c.create_string_buffer(payload, len(payload))
        borrowed = _abi.kop_slice(c.addressof(whole), len(payload))
        status = library.kop_convert_chunks_to_kafka(
            self.handle, c.byref(read), borrowed, offset, c.byref(given), c.byref(answer)
        )
        check(status, self.text())
        return self._answer(answer)

    @staticmethod
    def _to_kafka(options):
        given = _abi.kop_to_kafka_options()
        library.kop_to_kafka_options_init(c.byref(given), c.sizeof(given))
        for name, value in options.items():
            setattr(given, name, value)
        return given

    def _answer(self, answer):
        batches = b"".join(
            slice_bytes(answer.batches[at].head) + (slice_bytes(answer.batches[at].records) or b"")
            for at in range(answer.batches_count)
        )
        return Answer(
            NAMES[answer.kind].removeprefix("answer_"),
            REASONS[answer.reason],
            batches,
            WRITERS[answer.writer],
            answer.dropped,
            slice_bytes(answer.chunk),
            self.text(),
        )
