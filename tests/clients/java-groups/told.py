"""What VerifiableConsumers and VerifiableProducers have told:

    told.py owned CONSUMER...                 the partitions that are theirs now
    told.py count CONSUMER...                 how many records they were given
    told.py once PRODUCER... -- CONSUMER...   each record that was acknowledged was given once, where it lies
"""

import json
import sys


def events(name):
    with open(name) as lines:
        for line in lines:
            # The last line may be half written.
            if line.startswith("{") and line.endswith("}\n"):
                yield json.loads(line)


def owned(names):
    """Whoever has what another has makes the answer longer."""
    all_owned = []
    for name in names:
        here = set()
        for event in events(name):
            places = {place["partition"] for place in event.get("partitions", []) if "count" not in place}
            if event["name"] == "partitions_assigned":
                here |= places
            elif event["name"] == "partitions_revoked":
                here -= places
        all_owned += here
    return " ".join(map(str, sorted(all_owned)))


def records(names, kind):
    found = []
    for name in names:
        for event in events(name):
            if event["name"] == kind:
                found.append((event["partition"], event["offset"], event["value"]))
    return sorted(found)


def main(what, *names):
    if what == "owned":
        print(owned(names))
    elif what == "count":
        print(len(records(names, "record_data")))
    else:
        between = names.index("--")
        written = records(names[:between], "producer_send_success")
        read = records(names[between + 1:], "record_data")
        assert written and read == written, f"{len(read)} records of {len(written)}; {set(read) ^ set(written)}"


main(*sys.argv[1:])
