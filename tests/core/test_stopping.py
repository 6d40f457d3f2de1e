"""How a process ends: one that is just being started is whole before."""

import subprocess
import sys

SCRIPT = """
import os, threading, time
from muonkit.core.stopping import end, signals_blocked

def start() -> None:
    with signals_blocked():
        began.set()
        time.sleep(0.3)
        os.write(1, b"started ")

began = threading.Event()
threading.Thread(target=start, daemon=True).start()
began.wait()
end("stopped")
"""


def test_a_process_that_is_being_started_is_waited_for() -> None:
    done = subprocess.run([sys.executable, "-c", SCRIPT], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (3, "started ", "stopped\n")
