"""The small machines of the demo's laboratory: a web server, a front end, a client. Each runs as a process of its own in a namespace
(`parts.py server NAME`, `parts.py front NAME SERVER...`, `parts.py client ADDRESS FILE`, `parts.py clients ADDRESS PORT FILE SOURCE...`).
Started by run.py and lvs.py.

The front end stands where LVS would stand, so that the first part runs on any kernel: it is the demo's, not holdfast's.
"""
import asyncio
import itertools
import sys
import time

PATIENCE = 0.9   # seconds a client waits for an answer
BEAT = 0.02      # a new request every 20 ms, whatever became of the others


async def quietly(writer):
    try:
        writer.close()
        await writer.wait_closed()
    except OSError:
        pass


async def server(name):
    body = name.encode() + b"\n"
    page = b"HTTP/1.0 200 OK\r\nContent-Type: text/plain\r\nContent-Length: %d\r\n\r\n%s" % (len(body), body)

    async def serve(reader, writer):
        try:
            await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), 2)
            writer.write(page)
            await writer.drain()
        except (OSError, EOFError, asyncio.TimeoutError, asyncio.LimitOverrunError):
            pass
        await quietly(writer)

    async with await asyncio.start_server(serve, "0.0.0.0", 80, backlog=512) as s:
        await s.serve_forever()


async def ask(address, patience, port=80, source=None):
    """One HTTP request; the body, or an exception."""
    local = (source, 0) if source else None
    reader, writer = await asyncio.wait_for(asyncio.open_connection(address, port, local_addr=local), patience)
    try:
        writer.write(b"GET / HTTP/1.0\r\n\r\n")
        reply = await asyncio.wait_for(reader.read(4096), patience)
    finally:
        await quietly(writer)
    head, _, body = reply.partition(b"\r\n\r\n")
    if not head.startswith((b"HTTP/1.0 200", b"HTTP/1.1 200")):
        raise OSError("no answer")
    return body.strip().decode()


async def front(name, servers):
    turn = itertools.cycle(range(len(servers)))

    async def serve(reader, writer):
        try:
            await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), 2)
            first = next(turn)
            for i in range(len(servers)):
                try:
                    body = "%s %s" % (name, await ask(servers[(first + i) % len(servers)], 0.3))
                except (OSError, asyncio.TimeoutError):
                    continue
                writer.write(b"HTTP/1.0 200 OK\r\n\r\n" + body.encode())
                await writer.drain()
                break
        except (OSError, EOFError, asyncio.TimeoutError, asyncio.LimitOverrunError):
            pass
        await quietly(writer)

    async with await asyncio.start_server(serve, "0.0.0.0", 80, backlog=512) as s:
        await s.serve_forever()


async def client(address, path, port="80", *sources, beat=BEAT, patience=PATIENCE):
    """One line a request: when asked, when it ended (ns), what came back (director and server) or -, and who asked."""
    out = open(path, "a", buffering=1)
    who = itertools.cycle(sources or [""])

    async def once(asked):
        source = next(who)
        try:
            answer = await ask(address, patience, int(port), source)
        except (OSError, asyncio.TimeoutError):
            answer = "-"
        out.write("%d %d %s\n" % (asked, time.time_ns(), (answer + " " + source).strip()))

    pending, due = set(), time.monotonic()
    while True:
        task = asyncio.create_task(once(time.time_ns()))
        pending.add(task)
        task.add_done_callback(pending.discard)
        due += beat
        await asyncio.sleep(max(0, due - time.monotonic()))


if __name__ == "__main__":
    kind, *args = sys.argv[1:]
    if kind == "front":
        asyncio.run(front(args[0], args[1:]))
    elif kind == "clients":  # slow machine: one request each 200 ms, from the sources by turns
        asyncio.run(client(args[0], args[2], args[1], *args[3:], beat=0.2, patience=3.0))
    else:
        asyncio.run({"server": server, "client": client}[kind](*args))
