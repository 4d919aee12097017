"""COMPRESS=DEFLATE (RFC 4978): the same dialogue compressed, whatever comes; what an idle client costs."""
import os
import zlib

from harness import ServerTest, message, program

CLIENTS = 200
IDLE_BYTES_MAX = 32768  # more than a plain one; zlib at its defaults would hold ten times as much
# A sanitizer's program also holds shadows of its memory, and what was freed for a while.
SANITIZERS = {b"__asan_init": 8, b"__tsan_init": 4}


class Deflated:
    """A client that compresses from its COMPRESS on."""

    def __init__(self, server, user="alice@example.test"):
        self.raw = server.raw_imap(user)
        self.raw.ok("COMPRESS DEFLATE")
        self.sock = self.raw.sock
        self.deflate, self.inflate = zlib.compressobj(wbits=-15), zlib.decompressobj(-15)
        self.text, self.count = b"", 0

    def send(self, data, flush=zlib.Z_SYNC_FLUSH):
        self.sock.sendall(self.deflate.compress(data) + self.deflate.flush(flush))

    def until(self, end):
        """All that is told up to a line that begins so."""
        while not any(line.startswith(end) for line in self.text.split(b"\r\n")[:-1]):
            data = self.sock.recv(65536)
            if not data:
                raise EOFError(self.text[-100:])
            self.text += self.inflate.decompress(data)
        text, self.text = self.text, b""
        return text

    def command(self, text):
        self.count += 1
        tag = b"c%d" % self.count
        self.send(tag + b" " + text + b"\r\n")
        return self.until(tag + b" ")


class Compress(ServerTest):
    settings = {"imap__conns_per_address_max": 1000}

    def test_the_same_dialogue(self):
        self.server.deliver(message("Hello", "x" * 200000 + "\r\n"))
        client, plain = Deflated(self.server), self.server.raw_imap()
        self.assertNotIn(b"COMPRESS", client.command(b"CAPABILITY"))
        self.assertIn(b"NO [COMPRESSIONACTIVE]", client.command(b"COMPRESS DEFLATE"))
        client.command(b"SELECT INBOX")
        plain.ok("EXAMINE INBOX")
        body = client.command(b"FETCH 1 BODY.PEEK[TEXT]")
        self.assertIn(b"x" * 200000, body)
        # pipelined, and octet by octet
        client.send(b"p1 NOOP\r\np2 FETCH 1 UID\r\np3 NOOP\r\n")
        self.assertIn(b"* 1 FETCH (UID 1)\r\np2 OK", client.until(b"p3 OK"))
        for octet in b"q1 NOOP\r\n":
            client.send(bytes([octet]))
        client.until(b"q1 OK")
        # other kinds of flush, and long silence between: what was sent before is still referred to
        for flush in (zlib.Z_FULL_FLUSH, zlib.Z_PARTIAL_FLUSH, zlib.Z_SYNC_FLUSH):
            client.send(b"r1 NOOP\r\n", flush)
            client.until(b"r1 OK")
        client.command(b"LOGOUT")

    def test_few_octets_that_become_many(self):
        """A megabyte of one letter comes as a kilobyte: taken in as far as there is room, and stored."""
        client = Deflated(self.server, "bob@example.test")
        self.assertIn(b"OK [APPENDUID", client.command(b"APPEND INBOX {4000000+}\r\n" + b"y" * 4000000))
        client.command(b"SELECT INBOX")
        self.assertIn(b"RFC822.SIZE 4000000", client.command(b"FETCH 1 RFC822.SIZE"))

    def test_what_is_no_deflate_stream_ends_the_connection(self):
        client = Deflated(self.server)
        client.sock.sendall(b"\xff" * 100)
        with self.assertRaises((EOFError, ConnectionError)):
            client.until(b"never")

    def test_an_idle_client_is_cheap(self):
        def resident():
            with open(f"/proc/{self.server.process.pid}/statm", encoding="ascii") as f:
                return int(f.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")

        def idle(compressed):
            clients = []
            before = resident()
            for _ in range(CLIENTS):
                client = Deflated(self.server) if compressed else self.server.raw_imap()
                if compressed:
                    client.command(b"SELECT INBOX")
                    client.send(b"i1 IDLE\r\n")
                    client.until(b"+ ")
                else:
                    client.ok("SELECT INBOX")
                    client.idle()
                clients.append(client)
            return clients, (resident() - before) / CLIENTS
        warm, _ = idle(True)  # the allocator's first growth
        plain, plain_bytes = idle(False)
        packed, packed_bytes = idle(True)
        print(f"idle client: {plain_bytes:.0f} octets, compressed {packed_bytes:.0f}")
        with open(program(), "rb") as f:
            code = f.read()
        times = max([1] + [n for name, n in SANITIZERS.items() if name in code])
        self.assertLess(packed_bytes, plain_bytes + IDLE_BYTES_MAX * times)
        for client in warm + packed:
            client.sock.close()
        for client in plain:
            client.close()
