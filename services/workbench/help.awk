# `make help`: the targets of the Makefile by groups, with the time that each takes; those of `start` come first.
function row(name, words) { return sprintf("  %s%-15s%s %-13s %s\n", colour ? "\033[" colour "m" : "", name, colour ? "\033[0m" : "", time[name], words) }
function add(name, words) { if (name in first) { first[name] = row(name, words) } else { rest = rest group row(name, words); group = "" } }
BEGIN {
  for (i = split(times, pairs, " "); i > 0; i--) { split(pairs[i], pair, "="); gsub("_", " ", pair[2]); time[pair[1]] = pair[2] }
  number = split(start, order, " ")
  for (i = 1; i <= number; i++) first[order[i]] = ""
}
/^##@ / { group = "\n" substr($0, 5) "\n" }
/^[a-z0-9-]+:.*## / { words = $0; sub(/^.*## /, "", words); name = $0; sub(/:.*/, "", name); add(name, words) }
/^#: / { name = $2; words = $0; sub(/^#: [^ ]+ +/, "", words); add(name, words) }
END {
  print "Usage: make <target>. The first one sets up what it needs, in about a minute; `make doctor` lists what is missing."
  print "\nStart here"
  for (i = 1; i <= number; i++) printf "%s", first[order[i]]
  printf "%s", rest
}
