# Sourced: sets `libs` to the folder of Apache Kafka's jars, and `tool` to start one of its tools.
# The jars are kept between runs: they are large, and their versions are fixed in pom.xml.
libs=${KLAMM_KAFKA_LIBS:-${XDG_CACHE_HOME:-$HOME/.cache}/klamm/kafka-4.3.1}
if [ ! -e "$libs/complete" ]; then
    mvn -q -B -f "$(dirname "${BASH_SOURCE[0]}")/pom.xml" dependency:copy-dependencies \
        -DincludeScope=runtime -DoutputDirectory="$libs"
    touch "$libs/complete"
fi
tool() { java -Xmx256M -cp "$libs/*" "org.apache.kafka.tools.$@"; }

free_port() {
    python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])'
}

# What a Kafka of one node needs: FILE LOG_DIRECTORY PORT QUORUM_PORT [how the quorum is found].
write_kafka_properties() {
    cat >"$1" <<PROPERTIES
process.roles=broker,controller
node.id=1
${5:-controller.quorum.bootstrap.servers=127.0.0.1:$4}
listeners=PLAINTEXT://127.0.0.1:$3,CONTROLLER://127.0.0.1:$4
advertised.listeners=PLAINTEXT://127.0.0.1:$3,CONTROLLER://127.0.0.1:$4
inter.broker.listener.name=PLAINTEXT
controller.listener.names=CONTROLLER
listener.security.protocol.map=CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT
log.dirs=$2
offsets.topic.replication.factor=1
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
PROPERTIES
}

# Kafka's own reader finds nothing wrong in these segments, and their offsets have no gaps. (It takes each
# segment for a log's first, so what it says of gaps itself is of no use.) Its words go to the file DUMP.
segments_are_sound() {
    local log dump=$1 metadata=() others=()
    shift
    for log in "$@"; do
        case $log in *__cluster_metadata-0*) metadata+=("$log") ;; *) others+=("$log") ;; esac
    done
    : >"$dump"
    if [ ${#metadata[@]} -gt 0 ]; then dump_segments "$dump" --cluster-metadata-decoder "${metadata[@]}"; fi
    if [ ${#others[@]} -gt 0 ]; then dump_segments "$dump" --deep-iteration "${others[@]}"; fi
    if grep -aEi '^[^|]*(isvalid: false|invalid|exception|could not|mismatch|found .* bytes)' "$dump" >&2; then
        echo "not as Kafka wants it" >&2
        return 1
    fi
    awk '/^Dumping / { name = $2; sub(/.*\//, "", name); next_offset = name + 0 }
        /^\| offset: / { if ($3 != next_offset) { print name ": a gap at " next_offset; exit 1 } next_offset = $3 + 1 }' \
        "$dump" >&2
}

dump_segments() {
    local dump=$1 how=$2
    shift 2
    tool DumpLogSegments "$how" --print-data-log --files "$(IFS=,; echo "$*")" >>"$dump" 2>&1
}

# Kafka trusts these index files, and each entry leads to the batch that it names.
indexes_are_sound() {
    local dump=$1 check files
    shift
    files=$(IFS=,; echo "$*")
    for check in --index-sanity-check --verify-index-only; do
        tool DumpLogSegments "$check" --files "$files" >"$dump" 2>&1
        if grep -aEi 'mismatch|exception|error|not found|out of order|fail' "$dump" >&2; then
            echo "$check: not as Kafka wants it" >&2
            return 1
        fi
    done
}
