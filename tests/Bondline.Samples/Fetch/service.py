# service.py PORT: a service of systemd's Type=notify. Each connection gets its process id; SIGHUP is a reload, SIGUSR1 ends it with 7.
import os, signal, socket, sys

def say(number, frame):
    print("reloaded", flush=True)

def fail(number, frame):
    sys.exit(7)

def stop(number, frame):
    print("stopped", flush=True)
    sys.exit(0)

server = socket.create_server(("", int(sys.argv[1])))
for number, handler in ((signal.SIGHUP, say), (signal.SIGUSR1, fail), (signal.SIGTERM, stop)):
    signal.signal(number, handler)
print("serving", flush=True)
with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
    manager.sendto(b"READY=1", os.environ["NOTIFY_SOCKET"])
while True:
    connection, _ = server.accept()
    with connection:
        connection.sendall(f"{os.getpid()}\n".encode())
