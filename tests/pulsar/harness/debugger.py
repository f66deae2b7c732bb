"""Holds single threads of a Pulsar at chosen places, so that a race has the outcome that a test asks for.

Speaks the Java Debug Wire Protocol to a broker that was started with its agent: a packet is
[length u32][id u32][flags u8][command set u8][command u8], an answer has [error u16] in place of the last two.
"""

import contextlib
import itertools
import socket
import struct

AGENT = "-agentlib:jdwp=transport=dt_socket,server=y,suspend=n,address=127.0.0.1:{port}"


class Debugger:
    def __init__(self, port):
        self.socket = socket.create_connection(("127.0.0.1", port), 10)
        self.socket.sendall(b"JDWP-Handshake")
        self.stream = self.socket.makefile("rb")
        if self.stream.read(14) != b"JDWP-Handshake":
            raise RuntimeError("that is no Java debug agent")
        self.ids = itertools.count(1)
        self.events = []  # (request, thread)
        sizes = struct.unpack(">5I", self.call(1, 7))
        if sizes[1:4] != (8, 8, 8) and sizes[1] != 8:
            raise RuntimeError(f"ids of other sizes: {sizes}")

    def close(self):
        """Lets every thread run on."""
        with contextlib.suppress(OSError):
            self.call(1, 6)
        self.socket.close()

    def threads(self, name):
        """The threads with a name that begins so."""
        data = self.call(1, 4)
        (count,) = struct.unpack_from(">I", data)
        every = struct.unpack_from(f">{count}Q", data, 4)
        return [thread for thread in every if self.thread_name(thread).startswith(name)]

    def thread_name(self, thread):
        data = self.call(11, 1, struct.pack(">Q", thread))
        return data[4:].decode()

    @contextlib.contextmanager
    def held(self, name):
        """Within it the threads of that name stand still."""
        threads = self.threads(name)
        if not threads:
            raise RuntimeError(f"no thread {name}")
        for thread in threads:
            self.call(11, 2, struct.pack(">Q", thread))
        try:
            yield
        finally:
            for thread in threads:
                self.resume(thread)

    def resume(self, thread):
        self.call(11, 3, struct.pack(">Q", thread))

    def stop_once_at(self, class_name, method):
        """The next thread that enters the method stands still there. Returns what await_stop wants."""
        signature = f"L{class_name.replace('.', '/')};"
        data = self.call(1, 2, _text(signature))
        if struct.unpack_from(">I", data) == (0,):
            raise RuntimeError(f"{class_name} is not loaded")
        (class_id,) = struct.unpack_from(">Q", data, 5)
        (method_id,) = (number for name, number in self.methods(class_id) if name == method)
        location = struct.pack(">BQQQ", 1, class_id, method_id, 0)
        modifiers = b"\x07" + location + b"\x01" + struct.pack(">I", 1)
        body = struct.pack(">BBI", 2, 1, 2) + modifiers  # breakpoint, suspends its thread, two modifiers
        (request,) = struct.unpack(">I", self.call(15, 1, body))
        return request

    def await_stop(self, request):
        """The thread that has come to the place."""
        while True:
            for seen, thread in self.events:
                if seen == request:
                    return thread
            self._read()

    def methods(self, class_id):
        data = self.call(2, 5, struct.pack(">Q", class_id))
        (count,) = struct.unpack_from(">I", data)
        at = 4
        for _ in range(count):
            (number,) = struct.unpack_from(">Q", data, at)
            name, at = _read_text(data, at + 8)
            _, at = _read_text(data, at)
            at += 4
            yield name, number

    def call(self, command_set, command, body=b""):
        number = next(self.ids)
        head = struct.pack(">IIBBB", 11 + len(body), number, 0, command_set, command)
        self.socket.sendall(head + body)
        while True:
            seen, error, data = self._read()
            if seen == number:
                if error:
                    raise RuntimeError(f"debug command {command_set}.{command}: error {error}")
                return data

    def _read(self):
        head = self.stream.read(11)
        if len(head) < 11:
            raise RuntimeError("the debug agent has gone")
        length, number, flags, code = struct.unpack(">IIBH", head)
        data = self.stream.read(length - 11)
        if flags & 0x80:
            return number, code, data
        if code == 64 << 8 | 100:
            self._composite(data)
        return None, 0, b""

    def _composite(self, data):
        (count,) = struct.unpack_from(">I", data, 1)
        kind = data[5]
        if count == 1 and kind == 2:
            self.events.append(struct.unpack_from(">IQ", data, 6))


def _text(text):
    return struct.pack(">I", len(text)) + text.encode()


def _read_text(data, at):
    (size,) = struct.unpack_from(">I", data, at)
    return data[at + 4 : at + 4 + size].decode(), at + 4 + size
