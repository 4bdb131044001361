// Package records reads the list of records that records.py prints, and compares what was read back.
package records

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"time"
)

// Header's value may be nil.
type Header struct {
	Name  string
	Value []byte
}

// Record's key and value may be nil, which is not empty.
type Record struct {
	Key, Value  []byte
	Headers     []Header
	TimestampMs int64
}

// UnmarshalJSON takes a pair of a name and a value.
func (h *Header) UnmarshalJSON(text []byte) error {
	return json.Unmarshal(text, &[]any{&h.Name, &h.Value})
}

// All gives the list of $SCRATCH/records.json.
func All() []Record {
	file, err := os.Open(filepath.Join(os.Getenv("SCRATCH"), "records.json"))
	Must(err)
	defer file.Close()
	var all []Record
	lines := bufio.NewScanner(file)
	lines.Buffer(nil, 4<<20)
	for lines.Scan() {
		var line struct {
			Key, Value  []byte
			Headers     []Header
			TimestampMs int64 `json:"timestamp_ms"`
		}
		Must(json.Unmarshal(lines.Bytes(), &line))
		all = append(all, Record(line))
	}
	Must(lines.Err())
	return all
}

// Expect stops the program unless found is what was written.
func Expect(found, wanted []Record, what string) {
	if len(found) != len(wanted) {
		Fail("%s: %d records of %d", what, len(found), len(wanted))
	}
	for n, record := range found {
		same := samePart(record.Key, wanted[n].Key) && samePart(record.Value, wanted[n].Value)
		if !same || record.TimestampMs != wanted[n].TimestampMs || len(record.Headers) != len(wanted[n].Headers) {
			Fail("%s: record %d is not what was written", what, n)
		}
		for m, header := range record.Headers {
			if header.Name != wanted[n].Headers[m].Name || !samePart(header.Value, wanted[n].Headers[m].Value) {
				Fail("%s: header %d of record %d is not what was written", what, m, n)
			}
		}
	}
}

func samePart(a, b []byte) bool { return (a == nil) == (b == nil) && bytes.Equal(a, b) }

// Equal stops the program unless both are the same.
func Equal[T any](found, wanted T, what string) {
	if !reflect.DeepEqual(found, wanted) {
		Fail("%s: %v, not %v", what, found, wanted)
	}
}

// Eventually waits until it holds: Kafka answers when a change is durable, and the broker shows it a moment later.
func Eventually(holds func() bool, what string) { EventuallyWithin(10*time.Second, holds, what) }

// EventuallyWithin waits longer: for a rebalance, or the end of a session.
func EventuallyWithin(patience time.Duration, holds func() bool, what string) {
	for deadline := time.Now().Add(patience); !holds(); time.Sleep(50 * time.Millisecond) {
		if time.Now().After(deadline) {
			Fail("not within its time: %s", what)
		}
	}
}

// Must stops the program at an error.
func Must(err error) {
	if err != nil {
		panic(err)
	}
}

// Fail stops the program.
func Fail(format string, arguments ...any) {
	panic(fmt.Sprintf(format, arguments...))
}
