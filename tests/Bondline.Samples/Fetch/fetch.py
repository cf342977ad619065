# fetch.py ADDRESS PORT: prints what an HTTP server answers.
import sys
import urllib.request

print(urllib.request.urlopen(f"http://{sys.argv[1]}:{sys.argv[2]}/").read().decode(), end="")
