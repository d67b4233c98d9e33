import sys

with open(sys.argv[1]) as words:
    print(len(words.read().split()), sys.argv[2:])
