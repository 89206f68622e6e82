"""Writes the logs that bench/logs.sh has followed, and measures who follows them."""
import os
import subprocess
import sys
import time

folder, port, user, podsmith = sys.argv[1:5]
count, rate, seconds = (int(word) for word in sys.argv[5:8])
TICKS = os.sysconf("SC_CLK_TCK")


def stat_of(pid):
    with open(f"/proc/{pid}/stat") as file:
        return file.read().rsplit(") ", 1)[1].split()


def processor_seconds(pid):
    fields = stat_of(pid)
    return (int(fields[11]) + int(fields[12])) / TICKS


def memory(pid, name, file):
    with open(f"/proc/{pid}/{file}") as lines:
        return next(int(line.split()[1]) for line in lines if line.startswith(name)) / 1024


def line(log, number):
    return f"{{'loss': 0.4321, 'log': {log}, 'step': {number}, 'learning_rate': 1e-06}}\n"


def make_logs():
    """Job folders as podsmith's runner leaves them; this process is the runner."""
    with open("/proc/sys/kernel/random/boot_id") as file:
        boot = f"{file.read().strip()}/{stat_of(1)[19]}"
    logs = []
    for log in range(1, count + 1):
        place = f"{folder}/jobs/log{log}"
        os.makedirs(place, exist_ok=True)
        for name, text in {"id": f"bench{time.time_ns()}", "boot": boot, "pid": f"{os.getpid()} {stat_of(os.getpid())[19]}\n",
                           "usage": ""}.items():
            with open(f"{place}/{name}", "w") as file:
                file.write(text)
        file = open(f"{place}/log", "w", buffering=1)
        file.write(line(log, 0))
        logs.append(file)
    return logs


def lines_in(paths):
    total = 0
    for path in paths:
        with open(path, "rb") as file:
            total += file.read().count(b"\n")
    return total


def wait_for(paths, wanted, processes, limit):
    deadline = time.monotonic() + limit
    while lines_in(paths) < wanted:
        if time.monotonic() > deadline or any(process.poll() is not None for process in processes):
            return False
        time.sleep(0.2)
    return True


def write(logs):
    start = time.monotonic()
    for number in range(1, rate * seconds + 1):
        for log, file in enumerate(logs, 1):
            file.write(line(log, number))
        time.sleep(max(0, start + number / rate - time.monotonic()))
    return time.monotonic() - start


def missing(paths):
    """Lines that did not come once and in their order, over all logs."""
    next_number = [0] * (count + 1)
    wrong = 0
    for path in paths:
        with open(path) as file:
            for text in file:
                log, number = (int(part.split(":")[1]) for part in text.split(",")[1:3])
                wrong += number != next_number[log]
                next_number[log] = number + 1
    return wrong + sum(rate * seconds + 1 - number for number in next_number[1:])


def measure(name, commands, pss):
    logs = make_logs()
    paths = [f"{folder}/{name}{i}.out" for i in range(len(commands))]
    said = f"{folder}/{name}.err"
    processes = [subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=open(path, "w"), stderr=open(said, "a"))
                 for command, path in zip(commands, paths)]
    if not wait_for(paths, count, processes, 300):
        sys.exit(f"{name}: not all logs are followed: {open(said).read()}")
    before = [processor_seconds(process.pid) for process in processes]
    took = write(logs)
    wait_for(paths, count * (rate * seconds + 1), processes, 60)
    used = sum(processor_seconds(process.pid) for process in processes) - sum(before)
    peak = sum(memory(process.pid, "Pss:", "smaps_rollup") if pss else memory(process.pid, "VmHWM:", "status")
               for process in processes)
    for process in processes:
        process.terminate()
        process.wait()
    print(f"{name:<10} {used:6.2f} s of processor over {took:.0f} s ({used / took:.2f} cores), "
          f"{sum(before):.2f} s to connect, {peak:.0f} MiB, {missing(paths)} lines lost, {len(processes)} processes", flush=True)
    return used / took


print(f"{count} logs of {rate} lines a second for {seconds} s", flush=True)
ours = measure("podsmith", [[podsmith, "run", f"{folder}/follow.lua", folder, port, str(count), user]], False)
ssh = ["ssh", "-i", f"{folder}/id", "-o", "StrictHostKeyChecking=no", "-o", "UserKnownHostsFile=/dev/null", "-o", "LogLevel=ERROR",
       "-p", port, f"{user}@127.0.0.1"]
theirs = measure("ssh", [ssh + [f"tail -n +1 -F {folder}/jobs/log{i}/log 2>/dev/null"] for i in range(1, count + 1)], True)
print(f"podsmith takes {ours / theirs:.2f} of ssh's processor time")
