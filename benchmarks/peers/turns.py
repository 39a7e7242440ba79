"""Names the candidates, then runs one for each number read and answers with its seconds."""
import json
import sys
import time


def take_turns(candidates, clock=time.perf_counter):
    print(json.dumps(list(candidates)), flush=True)
    runs = list(candidates.values())
    for line in sys.stdin:
        begun = clock()
        runs[int(line)]()
        print(json.dumps(clock() - begun), flush=True)
