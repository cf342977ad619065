# state.py FILE: writes down what a program finds about itself as it starts, and its children.
import os
import resource
import sys

with open("/proc/self/status") as status:
    lines = [line.strip() for line in status if line.split(":")[0] in ("SigIgn", "SigBlk", "Uid", "Gid", "Groups", "NoNewPrivs", "CapEff", "Umask")]
lines += [f"{name} {resource.getrlimit(getattr(resource, name))}" for name in dir(resource) if name.startswith("RLIMIT_")]
for name in ("0", "1", "2", "7", "9"):
    try:
        lines.append(f"descriptor {name} {os.readlink('/proc/self/fd/' + name)}")
    except FileNotFoundError:
        lines.append(f"descriptor {name} closed")
lines += [f"descriptors {len(os.listdir('/proc/self/fd'))}", f"folder {os.getcwd()}", f"group {os.getpgrp()}", f"session {os.getsid(0)}", f"nice {os.nice(0)}"]
lines += [f"processors {sorted(os.sched_getaffinity(0))}", f"arguments {sys.argv[2:]}"]
lines += sorted(repr(entry) for entry in open("/proc/self/environ", "rb").read().split(b"\0") if not entry.startswith(b"_="))
try:
    lines.append(f"child {os.waitpid(-1, os.WNOHANG)}")
except ChildProcessError:
    lines.append("no child")
with open(sys.argv[1], "w") as file:
    file.write("\n".join(lines) + "\n")
