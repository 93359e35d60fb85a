# SPDX-License-Identifier: MIT
# A Perl workload: regular expressions, hashes, sorting.
my (%count, $vowels);
while (<>) {
    $count{lc $1}++ while /\b([a-z]{3,})\b/g;
    $vowels += () = /[aeiou]/g;
    s/(\w+) (\w+)/$2 $1/g;
    $count{length $_}++;
}
print "$_ $count{$_}\n" for (sort { $count{$b} <=> $count{$a} || $a cmp $b } keys %count)[0 .. 20];
print "$vowels\n";
