# handle.py: handles every signal that others send, whatever was ignored as it started, and says which ones come.
import signal

def say(number, _):
    print(signal.Signals(number).name[3:], flush=True)

for number in (signal.SIGHUP, signal.SIGINT, signal.SIGQUIT, signal.SIGUSR1, signal.SIGUSR2, signal.SIGTERM):
    signal.signal(number, say)
print("ready", flush=True)
while True:
    signal.pause()
