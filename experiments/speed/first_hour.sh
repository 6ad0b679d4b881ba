#!/usr/bin/env bash
# The first hour of a machine with a GPU, in 12 minutes at most: its tests, and what the README leaves open.
# Most important first. Each part has a limit; a part that fails is reported, and the next one runs.
set -u

LIMIT=720
SECONDS=0
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
root=$(cd "$here/../.." && pwd)

usage() {
    cat <<'TEXT'
Usage: first_hour.sh [--tiny] [--out DIR] [--python FILE]

Run the tests for a GPU and measure speed and quality on it, in 12 minutes at most. Results are written as they come:
a line of JSON each in DIR/results.jsonl, the output of each part in DIR/PART.log, and a table at the end.

  --tiny         rehearse all parts with tiny sizes on the CPU, in a minute
  --out DIR      folder of the results; default: experiments/speed/results/first_hour
  --python FILE  interpreter with PyTorch; default: that of .venv if there is one, else python3
  --help         this text

ML-1M is read from the folder that RECSYS_AE_DATA names; without it that part is left out.
TEXT
}

refuse() {
    echo "first_hour.sh: $1" >&2
    exit 2
}

tiny=()
out="$here/results/first_hour"
python=python3
[ -x "$root/.venv/bin/python" ] && python="$root/.venv/bin/python"
while [ $# -gt 0 ]; do
    case "$1" in
    --tiny) tiny=(--tiny) ;;
    --out | --python)
        [ $# -gt 1 ] || refuse "$1 needs a value; see --help"
        if [ "$1" = --out ]; then out=$2; else python=$2; fi
        shift
        ;;
    --help | -h)
        usage
        exit 0
        ;;
    *) refuse "there is no option '$1'; expected --tiny, --out DIR, --python FILE or --help" ;;
    esac
    shift
done

python=$(command -v -- "$python") || refuse "--python: there is no such program"
[[ $python == /* ]] || python="$PWD/$python"
mkdir -p -- "$out" 2>/dev/null || refuse "--out: cannot make the folder $out"
out=$(cd -- "$out" && pwd)
export PYTHONPATH="$root${PYTHONPATH:+:$PYTHONPATH}" PYTHONUNBUFFERED=1
cd "$root" || exit 2
hour() { "$python" "$here/first_hour.py" "$@"; }

hour check ${tiny[@]+"${tiny[@]}"} || exit 2
rm -f -- "$out/results.jsonl"
failed=0

# part NAME SECONDS COMMAND...: run a command within its limit and what is left of all.
part() {
    local name=$1 limit=$2 started=$SECONDS code outcome
    shift 2
    [ $((LIMIT - SECONDS)) -lt "$limit" ] && limit=$((LIMIT - SECONDS))
    if [ "$limit" -lt 5 ]; then
        hour note "$name" "left out: no time left" --out "$out"
        failed=1
        return
    fi
    echo "== $name, $limit s at most"
    timeout -k 5 "$limit" "$@" 2>&1 | tee "$out/$name.log"
    code=${PIPESTATUS[0]}
    case $code in
    0) outcome="done in $((SECONDS - started)) s" ;;
    124 | 137) outcome="failed: more than $limit s" ;;
    *) outcome="failed with code $code: $(grep -v '^[[:space:]]*$' "$out/$name.log" | tail -n 1)" ;;
    esac
    [ "$code" = 0 ] || failed=1
    echo "   $outcome"
    hour note "$name" "$outcome" --out "$out"
}

tests=(-m gpu tests)
[ ${#tiny[@]} -gt 0 ] && tests=(tests/pretended/test_gpu.py -k little_memory)
measured() { part "$1" "$2" "$python" "$here/first_hour.py" "$1" --out "$out" ${tiny[@]+"${tiny[@]}"}; }

part tests 280 "$python" -m pytest -p no:cacheprovider "${tests[@]}"
measured mult-vae 130
measured ease 60
measured lists 60
measured million 100
measured quality 80

echo
hour table --out "$out" | tee "$out/table.md"
exit $failed
