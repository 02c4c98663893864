# What the scripts beside this have in common. To be sourced; needs $checkout.

# Nothing of the caller's environment may make a check pass or fail.
unset PYTHONPATH PYTHONHOME VIRTUAL_ENV PYTHONSTARTUP PIP_CONSTRAINT PIP_REQUIREMENT PIP_REQUIRE_VIRTUALENV
export PIP_DISABLE_PIP_VERSION_CHECK=1 PYTHONDONTWRITEBYTECODE=1

say() { printf '\n=== %s\n' "$*"; }

# copy DIRECTORY: what belongs to the checkout, without what lies about in it.
copy() {
    mkdir -p "$1"
    if [ -e "$checkout/.git" ]; then
        (cd "$checkout" && git ls-files -z --cached --others --exclude-standard) |
            (cd "$checkout" && xargs -0 -I{} sh -c 'test -e "$1" && printf "%s\0" "$1"' _ {}) |
            (cd "$checkout" && tar --null -T - -cf -) | tar -xf - -C "$1"
    else
        (cd "$checkout" && tar --exclude-from=<(sed 's#/$##' .gitignore) -cf - .) | tar -xf - -C "$1"
    fi
}

# number TEXT KEY: the number behind KEY= in trial's last line, or 0.
number() { sed -n "s/.*[(, ]$2=\([0-9]*\).*/\1/p" <<<"$1" | grep . || echo 0; }

# count LOG STATUS: sets passed and failed from what trial said and how it ended.
count() {
    local summary
    summary=$(grep -E '^(PASSED|FAILED)' "$1" | tail -1)
    passed=$(number "$summary" successes)
    failed=$(($(number "$summary" failures) + $(number "$summary" errors) + $(number "$summary" unexpectedSuccesses)))
    if [ "$passed" = 0 ]; then
        echo "--- failed: no test was run"
        failed=$((failed + 1))
    elif [ "$2" != 0 ] && [ "$failed" = 0 ]; then
        echo "--- failed: the test command ended with status $2"
        failed=1
    fi
}

# pythons: every Python that Chatlog runs on and that can be found here, one of each version, oldest first.
pythons() {
    local minor candidate found
    for minor in 11 12 13 14; do
        for candidate in "python3.$minor" "${PYENV_ROOT:-$HOME/.pyenv}/versions/3.$minor."*/bin/python; do
            found=$(command -v "$candidate") || continue
            "$found" -c "import ensurepip, sys, venv; sys.exit(sys.version_info[:2] != (3, $minor))" 2>/dev/null || continue
            echo "$found"
            break
        done
    done
}

# try PYTHON FILL: the tests in a copy of the checkout, with a new environment of this Python in venv/ that
# the function FILL puts something into. Sets passed and failed.
try() {
    local python=$1 status
    work=$(mktemp -d "${TMPDIR:-/tmp}/chatlog-try.XXXXXX")
    trap 'rm -rf "$work"' EXIT
    say "$("$python" --version), $2"
    copy "$work" &&
        cd "$work" &&
        "$python" -m venv venv &&
        "$2" &&
        { "$work/venv/bin/pip" freeze --exclude-editable >versions.txt; tell_versions; } &&
        (. venv/bin/activate && timeout --kill-after=10 "${LIMIT:-600}" trial tests) >tests.log 2>&1
    status=$?
    # All that a reader wants to see of the tests that passed is how many they are.
    sed -n '/^=======*$/,$p' tests.log 2>/dev/null
    grep -E '^(PASSED|FAILED)' tests.log 2>/dev/null | tail -1 || tail -20 tests.log 2>/dev/null
    count tests.log "$status" 2>/dev/null
    cd "$checkout" && rm -rf "$work"
}

# The versions that are not those of the pins.
tell_versions() {
    local others
    others=$(normal <versions.txt | grep -vxFf <(sed 's/ *;.*//' requirements/constraints.txt | normal))
    echo "not as in requirements/: $(tr '\n' ' ' <<<"${others:-nothing}")"
}

# normal: names of packages in the one way in which they can be compared.
normal() { awk -F== '{ gsub(/[._]/, "-", $1); print tolower($1) "==" $2 }'; }
