#!/usr/bin/env bash
# into FILE: append stdin to a file of the runner; without a name print it, for whoever runs a script by hand.
# (/dev/stdout would open a file that stdout goes to anew, and write over its beginning.)
into() {
  if [ -n "$1" ]; then cat >> "$1"; else cat; fi
}
