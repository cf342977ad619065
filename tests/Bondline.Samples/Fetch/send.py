# send.py PROGRAM ARGS...: starts a program and, each time it has said a line, sends it a signal as programs do; says the rest and how it ended.
import signal
import subprocess
import sys

child = subprocess.Popen(sys.argv[1:], stdout=subprocess.PIPE, text=True)
for number in (signal.SIGQUIT, signal.SIGINT):
    child.stdout.readline()
    child.send_signal(number)
print(child.stdout.readline().strip(), child.wait())
