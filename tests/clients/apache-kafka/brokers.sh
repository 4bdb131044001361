# Sourced, behind libs.sh: starts and ends Klamm and Apache Kafka in turn on one directory in `scratch`,
# which holds server.properties and whose log directories are in `directories`. `way` is how each ends:
# stop or kill. `port` is where it serves. Each start prints how long it took to serve.
export CARGO_TERM_COLOR=never
cargo build -q --locked --manifest-path "$root/Cargo.toml" -p klamm --bins
klamm=${CARGO_TARGET_DIR:-$root/target}/debug/klamm

broker=

# What was found stays where it is.
fail() {
    grep -av ' INFO .*Loading\|loading ' "$scratch/broker.log" | tail -n 20 >&2
    echo "$1; see $scratch" >&2
    scratch=
    exit 1
}

# Starts a broker by its command and waits until it serves, which `ready` tells.
start() {
    local name=$1 ready=$2 begun
    shift 2
    begun=$(date +%s%N)
    : >"$scratch/broker.log"
    "$@" "$scratch/server.properties" >"$scratch/broker.log" 2>&1 &
    broker=$!
    for _ in $(seq 600); do
        if "$ready"; then
            echo "$name serves after $((($(date +%s%N) - begun) / 1000000)) ms"
            return
        fi
        kill -0 "$broker" 2>/dev/null || fail "$name has ended"
        sleep 0.1
    done
    fail "$name does not come to serve"
}

# Klamm binds at once, and says when it accepts.
says_so() { grep -q ' serves: ' "$scratch/broker.log"; }
listens() { (exec 3<>"/dev/tcp/127.0.0.1/$port") 2>/dev/null; }

kafka=(java -Xms256M -Xmx512M -server -XX:+UseG1GC -Dorg.apache.logging.log4j.level=INFO -cp "$libs/*" kafka.Kafka)

start_klamm() { start klamm says_so "$klamm"; }
start_kafka() { start kafka listens "${kafka[@]}"; }

# Ends the broker as this round asks for. Java tells of a signal by its exit code.
end() {
    local directory
    if [ "$way" = kill ]; then kill -9 "$broker"; else kill "$broker"; fi
    wait "$broker" 2>/dev/null || true
    broker=
    [ "$way" = stop ] || return 0
    for directory in "${directories[@]}"; do
        [ -s "$directory/.kafka_cleanshutdown" ] || fail "no clean marker was left in $directory"
    done
}
