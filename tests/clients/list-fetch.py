"""Stands between a client and the broker and adds Fetch to what ApiVersions lists.

librdkafka takes a broker that does not list Fetch 4 for one older than Kafka 0.11, and sends it
message sets of that time, which no broker takes in Produce 3 and later. Until Fetch is served, this
lets it produce as it does to any broker; every other byte passes as it is.

list-fetch.py PORT_FILE UPSTREAM_FILE: writes the port that it listens on into the one, and reads the
broker's port from the other when a client connects.
"""

import asyncio
import os
import struct
import sys

API_VERSIONS, FETCH = 18, 1
FETCH_ENTRY = struct.pack(">hhh", FETCH, 4, 16) + b"\0"


async def main(port_file, upstream_file):
    async def serve(reader, writer):
        with open(upstream_file) as file:
            port = int(file.read())
        await join(reader, writer, *await asyncio.open_connection("127.0.0.1", port))

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    with open(port_file + ".new", "w") as file:
        file.write(str(server.sockets[0].getsockname()[1]))
    os.rename(port_file + ".new", port_file)
    await server.serve_forever()


async def join(client_reader, client_writer, broker_reader, broker_writer):
    """Passes frames both ways until one side ends."""
    asked = set()

    def note(frame):
        key, version, correlation_id = struct.unpack(">hhi", frame[:8])
        if key == API_VERSIONS and version >= 3:
            asked.add(correlation_id)
        return frame

    def patch(frame):
        (correlation_id,) = struct.unpack(">i", frame[:4])
        return with_fetch(frame) if correlation_id in asked else frame

    ways = [
        asyncio.create_task(copy(client_reader, broker_writer, note)),
        asyncio.create_task(copy(broker_reader, client_writer, patch)),
    ]
    try:
        await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for way in ways:
            way.cancel()
        client_writer.close()
        broker_writer.close()


async def copy(reader, writer, change):
    try:
        while True:
            (size,) = struct.unpack(">i", await reader.readexactly(4))
            frame = change(await reader.readexactly(size))
            writer.write(struct.pack(">i", len(frame)) + frame)
            await writer.drain()
    except (asyncio.IncompleteReadError, ConnectionError):
        pass


def with_fetch(frame):
    """Correlation id, error code, then a compact array whose length is one byte here."""
    error, length = struct.unpack(">hB", frame[4:7])
    if error != 0 or length >= 0x7F:
        return frame
    return frame[:6] + bytes([length + 1]) + FETCH_ENTRY + frame[7:]


asyncio.run(main(*sys.argv[1:]))
