"""The decoder of captures: hex and binary, many requests, damage, and what a real client sends."""
import json
import os
import socket
import subprocess
import tempfile
import unittest
from pathlib import Path

PROGRAM = Path(os.environ["KOP_BUILD"]) / "decode_capture"

# Metadata version 1 of client "kcat" for all topics, and ListOffsets version 1 for one partition.
METADATA = bytes.fromhex("00000012 0003 0001 00000007 0004 6b636174 ffffffff")
LIST_OFFSETS = bytes.fromhex("0000002d 0002 0001 00000008 0004 6b636174 ffffffff"
                             "00000001 0003 746f70 00000001 00000005 fffffffffffffffe 0000")


def decode(capture, status=0):
    done = subprocess.run([PROGRAM], input=capture, capture_output=True)
    if done.returncode != status:
        raise AssertionError(f"exit status {done.returncode}: {done.stderr.decode()}")
    return [json.loads(line) for line in done.stdout.splitlines()], done.stderr.decode()


class Decode(unittest.TestCase):
    def test_binary(self):
        [message], _ = decode(METADATA)
        self.assertEqual(message, {"name": "MetadataRequest", "version": 1, "body": {"topics": None}, "header": {
            "requestApiKey": 3, "requestApiVersion": 1, "correlationId": 7, "clientId": "kcat"}})

    def test_hex_with_and_without_spaces(self):
        for separator in ("", " ", "\n"):
            text = separator.join(f"{byte:02x}" for byte in METADATA + LIST_OFFSETS)
            messages, _ = decode(text.encode())
            self.assertEqual([m["name"] for m in messages], ["MetadataRequest", "ListOffsetsRequest"])
            self.assertEqual(messages[1]["body"]["topics"],
                             [{"name": "top", "partitions": [{"partitionIndex": 5, "timestamp": -2}]}])

    def test_file(self):
        with tempfile.NamedTemporaryFile() as file:
            file.write(METADATA)
            file.flush()
            done = subprocess.run([PROGRAM, file.name], capture_output=True, check=True)
            self.assertEqual(json.loads(done.stdout)["name"], "MetadataRequest")

    def test_damage_does_not_hide_what_follows(self):
        short = METADATA[:3] + b"\x0f" + METADATA[4:-3]  # the body ends inside the array's length
        messages, errors = decode(short + METADATA, status=1)
        self.assertEqual([m.get("error", False) for m in messages], [True, False])
        self.assertIn("input ends too early", errors)

    def test_an_unknown_api_is_told(self):
        messages, errors = decode(bytes.fromhex("0000000a 03e7 0000 00000001 0000") + METADATA, status=1)
        self.assertEqual([m["name"] for m in messages], ["MetadataRequest"])
        self.assertIn("unsupported", errors)

    def test_every_truncation_is_told(self):
        for n in range(1, len(METADATA)):
            messages, errors = decode(METADATA[:n], status=1)
            self.assertEqual((messages, errors), ([], "the capture ends inside a frame\n"))

    def test_a_negative_length_is_told(self):
        self.assertIn("byte 0: malformed", decode(b"\xff\xff\xff\xff", status=1)[1])

    def test_what_kcat_sends(self):
        with socket.create_server(("127.0.0.1", 0)) as listener:
            client = subprocess.Popen(["kcat", "-b", "127.0.0.1:%d" % listener.getsockname()[1], "-L"],
                                      stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
            connection, _ = listener.accept()
            capture = connection.recv(4)
            while len(capture) < 4 + int.from_bytes(capture[:4]):
                capture += connection.recv(4096)
            client.kill()
            client.wait()
            connection.close()
        [message], _ = decode(capture)
        self.assertEqual(message["name"], "ApiVersionsRequest")
        self.assertEqual(message["body"]["clientSoftwareName"], "librdkafka")


if __name__ == "__main__":
    unittest.main()
