# What the test VMs tell the test, on the serial console; sourced by their inits.

# report NAME COMMAND…: the command's output, exit code and the output's digest, as the test reads them.
report() {
	name=$1
	shift
	"$@" >/report 2>/report.err
	code=$?
	cat /report.err >>/report
	echo "@@ begin $name"
	cat /report
	echo "@@ end $name $code $(sha256sum /report | cut -d ' ' -f 1)"
}
