# sockets.py NUMBER: makes and closes so many TCP sockets. sockets.py others: sockets of every other kind. sockets.py full: until there is no room.
# sockets.py flags: what each has of what it asked for.
import resource
import socket
import sys

what = sys.argv[1]
if what == "others":
    kept = [socket.socket(*kind) for kind in ((socket.AF_INET, socket.SOCK_DGRAM), (socket.AF_INET6, socket.SOCK_DGRAM), (socket.AF_UNIX, socket.SOCK_STREAM))]
    kept += socket.socketpair()
    for _ in range(1000):
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM).close()
elif what == "full":
    resource.setrlimit(resource.RLIMIT_NOFILE, (64, 64))
    kept = []
    try:
        while True:
            kept.append(socket.socket())
    except OSError as error:
        print(error.errno, len(kept))
elif what == "flags":
    import ctypes
    import os
    library = ctypes.CDLL(None, use_errno=True)
    for family in (socket.AF_INET, socket.AF_INET6):
        for protocol in (0, socket.IPPROTO_TCP):
            for flags in (0, socket.SOCK_NONBLOCK, socket.SOCK_CLOEXEC, socket.SOCK_NONBLOCK | socket.SOCK_CLOEXEC):
                made = library.socket(family, socket.SOCK_STREAM | flags, protocol)
                print(int(family), protocol, int(flags), made, os.get_blocking(made), os.get_inheritable(made))
                os.close(made)
    for kind in ((2, 1 | 0x100000, 0), (2, 17, 0), (2, 1, 17), (99, 1, 0)): # what the kernel refuses
        print(kind, library.socket(*kind), ctypes.get_errno())
else:
    for _ in range(int(what)):
        socket.socket().close()
