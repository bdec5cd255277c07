# A player with the library `websockets`. It prints a line for each frame that it gets, and at last how it was closed.
import asyncio
import sys

import websockets


async def play(url, subprotocol, hello, request):
    async with websockets.connect(url, subprotocols=[subprotocol]) as socket:
        assert socket.subprotocol == subprotocol
        await socket.send(hello)
        print(await socket.recv(), flush=True)
        await (await socket.ping("sign of life"))
        # A list is sent as a message in as many fragments.
        await socket.send([request[at : at + 500] for at in range(0, len(request), 500)])
        try:
            while True:
                print(await socket.recv(), flush=True)
        except websockets.exceptions.ConnectionClosed as end:
            print(end.rcvd.code, end.rcvd.reason, flush=True)


asyncio.run(play(*sys.argv[1:]))
