"""The service as a process of its own, so that the measuring client does not share its event loop.

Shows how to start a child that can never be left behind: it ends when the pipe to its standard input does, be it
closed here or by the operating system because this process is gone.
"""

import asyncio
import contextlib
import sys
from collections.abc import AsyncIterator


@contextlib.asynccontextmanager
async def running_service(*options: str) -> AsyncIterator[str]:
    """Start the service, give its address, and stop it on the way out.

    Raises:
        RuntimeError: it ended before it could serve; what it wrote about that is on standard error.
    """
    development = ("-X", "dev") if sys.flags.dev_mode else ()
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, *development, "-m", "examples.shop.service", "--port", "0", *options),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        start_new_session=True,  # A terminal sends Ctrl-C to the whole session: this process alone is to decide.
    )
    assert process.stdin is not None
    assert process.stdout is not None
    try:
        address = (await process.stdout.readline()).decode().strip()
        if not address:
            raise RuntimeError(f"the service ended with code {await process.wait()} before it could serve")
        yield address
    finally:
        process.stdin.close()
        await _ended(process)


async def _ended(process: asyncio.subprocess.Process) -> None:
    """Wait until the child has ended; insist after ten seconds."""
    try:
        async with asyncio.timeout(10):
            await process.wait()
    except TimeoutError:
        process.kill()
        await process.wait()
