# SPDX-License-Identifier: MIT
# A Python workload: dictionaries, lists, strings, calls, big integers.
import os

eighths = int(os.environ["eighths"])


def queens(n, row=0, columns=0, left=0, right=0):
    if row == n:
        return 1
    free, count = ~(columns | left | right) & ((1 << n) - 1), 0
    while free:
        bit = free & -free
        free ^= bit
        count += queens(n, row + 1, columns | bit, (left | bit) << 1, (right | bit) >> 1)
    return count


words = {}
with open(os.environ["small"]) as f:
    for line in f:
        for word in line.split()[:4]:
            words[word] = words.get(word, 0) + len(word)
print(sorted(words.items(), key=lambda item: (-item[1], item[0]))[:20])
print(queens(5 if eighths < 8 else 8 if eighths > 8 else 7))
print(sum(len(str(3 ** (2000 + i))) for i in range(eighths)))
print(sum(x * x % 7 for x in range(60000 * eighths // 8)))
