#!/usr/bin/env bash
# usage: run.sh SUITE_DIR [pytest arguments]: runs the public TUF client conformance suite, a clone of which lies in
# SUITE_DIR, against kfn's client. PYTHON chooses the interpreter (python3 unless given). Ends with "N passed, N failed";
# exits 0 only where all passed. Refuses to start without what the suite needs, and names it.
set -euo pipefail

die() { printf 'run.sh: %s\n' "$*" >&2; exit 2; }

[ $# -ge 1 ] || die "usage: run.sh SUITE_DIR [pytest arguments]"
here=$(cd "$(dirname "$0")" && pwd)
[ -f "$1/tuf_conformance/conftest.py" ] ||
	die "$1 is no clone of the suite: git clone https://github.com/theupdateframework/tuf-conformance"
suite=$(cd "$1" && pwd)
shift
python=${PYTHON:-python3}

[ -x "$here/../../node_modules/node/bin/node" ] || die "the project is not set up: run setup.sh first"
command -v faketime >/dev/null || die "faketime is missing: apt-get install faketime"
command -v "$python" >/dev/null || die "$python is missing: set PYTHON"
for module in pytest cryptography securesystemslib tuf; do
	"$python" -c "import $module" 2>/dev/null ||
		die "$python has no module $module: $python -m pip install -e $suite (in a virtual environment)"
done

report=$(mktemp -d)
trap 'rm -rf "$report"' EXIT
status=0
PYTHONDONTWRITEBYTECODE=1 "$python" -m pytest "$suite/tuf_conformance" --rootdir "$suite" -p no:cacheprovider \
	--entrypoint "$here/client" --junit-xml "$report/junit.xml" "$@" || status=$?
[ -s "$report/junit.xml" ] || die "the suite did not run (pytest's exit code is $status)"
"$python" - "$report/junit.xml" <<'PY'
import sys
import xml.etree.ElementTree as tree

cases = list(tree.parse(sys.argv[1]).getroot().iter("testcase"))
failed = [c for c in cases if c.find("failure") is not None or c.find("error") is not None]
skipped = [c for c in cases if c.find("skipped") is not None]
for kind, some in (("failed", failed), ("skipped", skipped)):
    for case in some:
        print(f"{kind}: {case.get('name')}")
print(f"{len(cases) - len(failed) - len(skipped)} passed, {len(failed)} failed")
PY
exit "$status"
