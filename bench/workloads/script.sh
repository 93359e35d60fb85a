# SPDX-License-Identifier: MIT
# A shell workload: arithmetic, expansion, functions, many short programs.
total=0
add() { total=$((total + $1 * 3 % 7)); }
i=0
while [ $i -lt $((5000 * eighths / 8)) ]; do
    add $i
    word=name-$i-x
    word=${word#name-}
    [ "${word%-x}" = $i ] || echo wrong
    i=$((i + 1))
done
for i in $(seq $((20 * eighths / 8))); do
    expr $i \* 2 | tr 0-9 a-j
done
echo $total
