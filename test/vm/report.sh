# What the test VMs tell the test, on the serial console; sourced by their inits.

# report NAME COMMAND…: the command's output, exit code and the output's digest, as the test reads them. Without carriage returns
# (progress bars): the serial line adds its own.
report() {
	name=$1
	shift
	"$@" >/report.out 2>/report.err
	code=$?
	cat /report.out /report.err | tr -d '\r' >/report
	echo "@@ begin $name"
	cat /report
	echo "@@ end $name $code $(sha256sum /report | cut -d ' ' -f 1)"
}
