// Package driver is the line protocol of the client matrix for clients written in Go: a JSON
// request a line on the standard input, a JSON answer a line on the standard output. See
// tests/clients/README.md.
package driver

import (
	"encoding/json"
	"fmt"
	"io"
	"log"
	"os"
	"runtime/debug"
	"time"
)

// Patience is how long a consumer waits for the records that it was asked for.
const Patience = 25 * time.Second

// Header is a record header: [name, value] in JSON.
type Header struct {
	Key   string
	Value []byte
}

// MarshalJSON writes a header as an array of two.
func (h Header) MarshalJSON() ([]byte, error) {
	return json.Marshal([]any{h.Key, h.Value})
}

// UnmarshalJSON reads a header from an array of two.
func (h *Header) UnmarshalJSON(data []byte) error {
	return json.Unmarshal(data, &[]any{&h.Key, &h.Value})
}

// Record is a record to produce or one that was consumed. Byte slices are null or base64 in JSON.
type Record struct {
	Partition int      `json:"partition"`
	Offset    int64    `json:"offset"`
	Timestamp int64    `json:"timestamp"`
	Key       []byte   `json:"key"`
	Value     []byte   `json:"value"`
	Headers   []Header `json:"headers"`
}

// Request is any request.
type Request struct {
	Op         string   `json:"op"`
	Topic      string   `json:"topic"`
	Partition  int      `json:"partition"`
	Partitions int      `json:"partitions"`
	Acks       string   `json:"acks"`
	Idempotent bool     `json:"idempotent"`
	Codec      string   `json:"codec"`
	Records    []Record `json:"records"`
	From       string   `json:"from"`
	At         int64    `json:"at"`
	Count      int      `json:"count"`
}

// ProducerKey tells which requests may use the same producer.
func (r Request) ProducerKey() string {
	return fmt.Sprint(r.Acks, r.Idempotent, r.Codec)
}

// AddPartition adds a partition to the answer to describe.
func (a *Answer) AddPartition(partition, leader int) {
	a.Partitions = append(a.Partitions, Leader{partition, leader})
}

// Leader is a partition and the node that leads it.
type Leader struct {
	Partition int `json:"partition"`
	Leader    int `json:"leader"`
}

// Answer is any answer.
type Answer struct {
	Error      string   `json:"error,omitempty"`
	Version    string   `json:"version,omitempty"`
	Topics     []string `json:"topics,omitempty"`
	Brokers    []int    `json:"brokers,omitempty"`
	Partitions []Leader `json:"partitions,omitempty"`
	Offsets    []*int64 `json:"offsets,omitempty"`
	Records    []Record `json:"records"`
}

// Serve answers the requests on the standard input until it ends. The module is the client's, for
// its version.
func Serve(module string, handle func(Request, *Answer) error) {
	in, out := json.NewDecoder(os.Stdin), json.NewEncoder(os.Stdout)
	for {
		var request Request
		if err := in.Decode(&request); err == io.EOF {
			return
		} else if err != nil {
			log.Fatal(err)
		}
		answer := Answer{Records: []Record{}}
		if request.Op == "hello" {
			answer.Version = version(module)
		} else if err := handle(request, &answer); err != nil {
			answer = Answer{Error: err.Error()}
		}
		if err := out.Encode(answer); err != nil {
			log.Fatal(err)
		}
	}
}

func version(module string) string {
	info, _ := debug.ReadBuildInfo()
	for _, dependency := range info.Deps {
		if dependency.Path == module {
			return dependency.Version[1:]
		}
	}
	log.Fatalf("%s is not linked", module)
	return ""
}
