"""The protocol of a peer: what every script beside this file speaks with `offprint bench --peer PYTHON`.

Needs torch alone. One JSON line a request on standard input, one a reply on standard output, until the input ends:

    {"bench": "gate", "batch": 512, "threads": 2, "reps": 4}  ->  {"seconds": 0.004}
    {"bench": "gate", "batch": 512, "threads": 2, "memory": true}  ->  {"mib": 31.2}

A request for time runs its work `reps` times and tells the mean, on inputs and a model that are built and warmed up
when first asked for and then kept, so that the caller can take turns with it. Where a run takes less than a tenth of a
second a turn begins with as many that are not timed: the caches and the cores were the caller's a moment ago.

A request for memory is answered by a fresh copy of this process, so it must come before any for time. `mib` is the
largest amount of anonymous memory (data, not the code of libraries) that a warmed-up run held at once, less what there
was before its inputs and model were built; null where the system does not tell.

Sizes that a request leaves out take the defaults of the bench. What cannot be done is answered by {"error": "..."}.
"""

import json
import os
import sys
import time

import torch

WARM_UP = 3
LONG = 0.1


class Kept:
    """The work that was asked for last; a caller does not come back to one that it has left."""

    key = work = None
    seconds = 0.0


def serve(benches):
    """Answers requests for a dict of name -> function of sizes that returns what runs the work once."""
    kept = Kept()
    for line in sys.stdin:
        if not line.strip():
            continue
        try:
            reply = answer(json.loads(line), benches, kept)
        except Exception as error:  # whatever a request causes is its answer; the next one may be good
            reply = {"error": f"{type(error).__name__}: {error}"}
        print(json.dumps(reply), flush=True)


def answer(request, benches, kept):
    sizes = dict(request)
    name, threads, reps = sizes.pop("bench", None), sizes.pop("threads", None), sizes.pop("reps", 1)
    memory = sizes.pop("memory", False)
    if name not in benches:
        raise ValueError(f"no bench is called {name!r}; there are {', '.join(benches)}")
    if memory:
        if kept.work:
            raise ValueError("memory was asked of a process that has timed something before")
        first_step()
        return in_a_copy(lambda: {"mib": peak_mib(benches[name], sizes, threads)})
    key = (name, sizes, threads)
    if kept.key != key:
        kept.work = None  # its memory, before there is more
        set_up(threads)
        kept.key, kept.work, kept.seconds = key, prepared(benches[name], sizes), 0.0
    if kept.seconds < LONG:
        for _ in range(reps):
            kept.work()
    start = time.perf_counter()
    for _ in range(reps):
        kept.work()
    kept.seconds = (time.perf_counter() - start) / reps
    return {"seconds": kept.seconds}


def set_up(threads):
    if threads is not None:
        torch.set_num_threads(threads)
    torch.manual_seed(0)


def prepared(bench, sizes):
    work = bench(**sizes)
    for _ in range(WARM_UP):
        work()
    return work


def first_step():
    """What torch imports when an optimizer takes its first step is not the memory of any work."""
    parameter = torch.nn.Parameter(torch.zeros(1))
    parameter.grad = torch.zeros(1)
    torch.optim.AdamW([parameter]).step()


def in_a_copy(work):
    """What `work` returns, run in a copy of this process that ends with it."""
    source, sink = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            reply = work()
        except Exception as error:
            reply = {"error": f"{type(error).__name__}: {error}"}
        os.write(sink, json.dumps(reply).encode())
        os._exit(0)
    os.close(sink)
    with os.fdopen(source) as pipe:
        reply = pipe.read()
    os.waitpid(child, 0)
    return json.loads(reply or '{"error": "the copy that was to measure memory died"}')


def peak_mib(bench, sizes, threads):
    set_up(threads)
    before = resident()
    if before is None:
        return None
    work = prepared(bench, sizes)
    try:
        with open("/proc/self/clear_refs", "w") as file:
            file.write("5")  # the peak starts again from what is resident now
    except OSError:
        return None
    work()
    after = resident()
    return (after["VmHWM"] - after["RssFile"] - before["RssAnon"]) / 1024


def resident():
    """The fields of this process' status that are in KiB."""
    try:
        with open("/proc/self/status") as file:
            lines = [line.split() for line in file]
    except OSError:
        return None
    return {line[0][:-1]: int(line[1]) for line in lines if line[-1] == "kB"}
