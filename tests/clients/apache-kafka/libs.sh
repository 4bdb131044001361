# Sourced: sets `libs` to the folder of Apache Kafka's jars, and `tool` to start one of its tools.
# The jars are kept between runs: they are large, and their versions are fixed in pom.xml.
libs=${KLAMM_KAFKA_LIBS:-${XDG_CACHE_HOME:-$HOME/.cache}/klamm/kafka-4.3.1}
if [ ! -e "$libs/complete" ]; then
    mvn -q -B -f "$(dirname "${BASH_SOURCE[0]}")/pom.xml" dependency:copy-dependencies \
        -DincludeScope=runtime -DoutputDirectory="$libs"
    touch "$libs/complete"
fi
tool() { java -Xmx256M -cp "$libs/*" "org.apache.kafka.tools.$@"; }
