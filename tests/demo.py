#!/usr/bin/env python3
"""Starts a host and calls real functions on it, as a user would: with `pilum`.

For each call it prints what was typed and what came back, and checks the
answer. It exits non-zero if any answer is wrong.

Usage: demo.py PATH_TO_PILUM
"""

import json
import pathlib
import re
import signal
import subprocess
import sys
import tempfile
import time
import urllib.request

ROOT = pathlib.Path(__file__).resolve().parent.parent
GUESTS = ROOT / "guest-examples" / "out"
ARTICLE = ROOT / "guest-examples" / "extract-keywords" / "article.txt"
WAIT_S = 120

wrong = 0


class Pilum:
    """The command line, aimed at one host."""

    def __init__(self, binary, server):
        self.binary, self.server = binary, server

    def __call__(self, *arguments):
        """Runs `pilum ARGUMENTS`; returns its exit code and what it printed as JSON."""
        shown = " ".join(a if len(a) < 60 and " " not in a else repr(a[:57] + "…" if len(a) > 60 else a) for a in arguments)
        print(f"\n$ pilum {shown.replace(str(ROOT) + '/', '')}")
        run = subprocess.run(
            [self.binary, *arguments, "--server", self.server, "--json"], capture_output=True, text=True, timeout=WAIT_S
        )
        answer = json.loads(run.stdout) if run.stdout.strip() else {"error": run.stderr.strip()}
        text = json.dumps(answer, ensure_ascii=False)
        print(text if len(text) <= 400 else text[:400] + " …")
        return run.returncode, answer


def check(what, right):
    global wrong
    print(f"  {'ok' if right else 'WRONG'}: {what}")
    wrong += not right


def start(binary, data):
    command = [
        binary, "serve", "--grpc-listen", "127.0.0.1:0", "--http-listen", "127.0.0.1:0",
        "--data-dir", data, "--artifact-root", str(GUESTS),
    ]
    log = open(pathlib.Path(data) / "host.log", "a")
    host = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=log, text=True)
    line = host.stdout.readline()
    ready = re.fullmatch(r"pilum ready grpc=(\S+) http=(\S+)\n", line)
    if not ready:
        sys.exit(f"the host did not start: {line!r}\n{pathlib.Path(log.name).read_text()}")
    print(f"{line.strip()}")
    return host, ready[1], ready[2]


def sync_calls(pilum):
    code, answer = pilum("invoke", f"file://{GUESTS}/calculate-fibonacci.wasm", "calculate-fibonacci", "n=50")
    check("the 50th Fibonacci number, from a component", code == 0 and answer["result"] == 12586269025)
    code, answer = pilum("invoke", "calculate-fibonacci", "add", "a=2", "b=40")
    check("the same task by its name, another function", code == 0 and answer["result"] == 42)
    code, answer = pilum("invoke", f"file://{GUESTS}/calculate-fibonacci.core.wasm", "add", "2", "40")
    check("a core module's numeric export", code == 0 and answer["result"] == 42)
    code, answer = pilum("invoke", f"file://{GUESTS}/validate-email.wasm", "validate-email", "address=ada@example.org")
    check("a typed result: a record", code == 0 and answer["result"]["domain"] == "example.org")
    code, answer = pilum("invoke", f"file://{GUESTS}/extract-keywords.wasm", "extract", f"text=@{ARTICLE}", "limit=3")
    check("a command: JSON in, standard output out", code == 0 and len(answer["result"]["keywords"]) == 3)


def failing_calls(pilum):
    code, answer = pilum("invoke", "validate-email", "validate-email", "address=nobody")
    check("an err result is a failure with GUEST_ERROR", code == 1 and answer["error_code"] == "GUEST_ERROR")
    code, answer = pilum("invoke", f"file://{GUESTS}/hostile_trap.wasm", "run")
    check("a trap is told with its backtrace", code == 1 and "inner_step" in answer["error_message"])
    code, answer = pilum("invoke", f"file://{GUESTS}/hostile_spin.wasm", "run", "--timeout-ms", "200")
    check("an endless loop ends at its timeout", code == 1 and answer["error_code"] == "DEADLINE_EXCEEDED")
    code, answer = pilum("invoke", "calculate-fibonacci", "calculate-fibonacci", "n=many")
    check("a parameter of the wrong type is refused", code == 2 and "expected u32" in answer["error"])
    code, answer = pilum("invoke", "calculate-fibonacci", "fibonacci")
    check("an unknown function is refused, and the known ones named", code == 2 and "calculate-fibonacci" in answer["error"])
    code, answer = pilum("invoke", "no-such-task", "f")
    check("an unknown task is refused", code == 2 and "no-such-task" in answer["error"])


def until_ended(pilum, execution):
    end = time.monotonic() + WAIT_S
    while time.monotonic() < end:
        code, answer = pilum("status", execution, "--logs")
        if answer["status"] not in ("PENDING", "RUNNING"):
            return code, answer
        time.sleep(0.3)
    return 1, {"status": "it did not end"}


def async_calls(pilum, http):
    code, answer = pilum(
        "invoke", f"file://{GUESTS}/analyze-dataset.wasm", "analyze-dataset", f"csv=@{GUESTS}/sales.csv", "resamples=500", "--async"
    )
    check("accepted at once", code == 0 and answer["status"] == "PENDING" and answer["estimated_completion_ms"] > 0)
    with urllib.request.urlopen(f"http://{http}{answer['status_endpoint']}") as response:
        check("the status endpoint answers over HTTP", json.load(response)["execution_id"] == answer["execution_id"])
    code, answer = until_ended(pilum, answer["execution_id"])
    check("100,000 rows analysed", answer["status"] == "COMPLETED" and answer["result"]["rows"] == 100_000)

    code, answer = pilum("invoke", f"file://{GUESTS}/hostile_sleep.wasm", "run", "--async")
    execution = answer["execution_id"]
    while pilum("status", execution)[1]["status"] == "PENDING":
        time.sleep(0.1)
    code, answer = pilum("cancel", execution)
    check("a running execution is not cancelled without force", code == 1)
    code, answer = pilum("cancel", execution, "--force", "--reason", "the demo is over")
    check("with force it is", code == 0 and answer["final_status"] == "CANCELLED")
    code, answer = pilum("status", execution)
    check("and stays so", answer["error_code"] == "CANCELLED")


def crash(pilum, host, binary, data):
    """Kills the host in the middle of its work; the next one goes on."""
    ids = [pilum("invoke", "calculate-fibonacci", "calculate-fibonacci", f"n={n}", "--async", "--priority", "high")[1]["execution_id"] for n in (10, 20, 30)]
    code, answer = pilum("invoke", "analyze-dataset", "analyze-dataset", f"csv=@{GUESTS}/sales.csv", "resamples=500", "--async")
    ids.append(answer["execution_id"])
    host.kill()
    host.wait(timeout=60)
    print("\n$ kill -9 the host, and start it again")
    host, grpc, http = start(binary, data)
    pilum = Pilum(binary, grpc)
    ended = [until_ended(pilum, execution)[1]["status"] for execution in ids]
    check("a host that is killed loses nothing it accepted", ended == ["COMPLETED"] * 4)
    check("and knows its tasks", pilum("invoke", "calculate-fibonacci", "add", "a=2", "b=40")[1].get("result") == 42)
    return host, pilum, http


def lists(pilum, http):
    code, answer = pilum("tasks")
    check("the tasks are listed", {"calculate-fibonacci", "validate-email"} <= {t["name"] for t in answer["tasks"]})
    code, answer = pilum("executions", "hostile_sleep")
    check("the executions are listed", [e["status"] for e in answer["executions"]] == ["CANCELLED"])
    with urllib.request.urlopen(f"http://{http}/metrics") as response:
        check("the metrics count them", "pilum_executions_total" in response.read().decode())


def main():
    binary = str(pathlib.Path(sys.argv[1]).resolve())
    with tempfile.TemporaryDirectory() as data:
        host, grpc, http = start(binary, data)
        try:
            pilum = Pilum(binary, grpc)
            sync_calls(pilum)
            failing_calls(pilum)
            async_calls(pilum, http)
            host, pilum, http = crash(pilum, host, binary, data)
            lists(pilum, http)
        finally:
            host.send_signal(signal.SIGTERM)
            code = host.wait(timeout=60)
        check("the host ended well on SIGTERM", code == 0)
    print(f"\n{'every answer was right' if wrong == 0 else f'{wrong} answers were WRONG'}")
    sys.exit(wrong != 0)


if __name__ == "__main__":
    main()
