// The Go client of Pulsar as a driver: see README.md in the folder above.
package main

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"runtime/debug"
	"strings"
	"time"

	"github.com/apache/pulsar-client-go/pulsar"
	plog "github.com/apache/pulsar-client-go/pulsar/log"
	"github.com/sirupsen/logrus"
)

type message struct {
	ID         []int64    `json:"id,omitempty"`
	Key        []byte     `json:"key"`
	Ordering   []byte     `json:"ordering"`
	Value      []byte     `json:"value"`
	Properties properties `json:"properties"`
	Event      int64      `json:"event"`
	Publish    int64      `json:"publish,omitempty"`
	Producer   string     `json:"producer,omitempty"`
	Index      *uint64    `json:"index,omitempty"`
}

// A list of pairs on the way in, where the order counts, and an object on the way out.
type properties map[string]string

func (p *properties) UnmarshalJSON(data []byte) error {
	var pairs [][2]string
	*p = properties{}
	if err := json.Unmarshal(data, &pairs); err != nil {
		return err
	}
	for _, pair := range pairs {
		(*p)[pair[0]] = pair[1]
	}
	return nil
}

type request struct {
	Op       string    `json:"op"`
	Topic    string    `json:"topic"`
	Codec    string    `json:"codec"`
	Shape    string    `json:"shape"`
	Count    int       `json:"count"`
	Batch    int       `json:"batch"`
	Bytes    int       `json:"bytes"`
	Messages []message `json:"messages"`
}

type answer map[string]any

var codecs = map[string]pulsar.CompressionType{
	"none": pulsar.NoCompression, "lz4": pulsar.LZ4, "zlib": pulsar.ZLib,
	"zstd": pulsar.ZSTD, "snappy": pulsar.SNAPPY,
}

func produce(client pulsar.Client, asked request) (answer, error) {
	codec, known := codecs[asked.Codec]
	if !known {
		return nil, fmt.Errorf("no codec %s", asked.Codec)
	}
	batched := asked.Shape == "batch"
	producer, err := client.CreateProducer(pulsar.ProducerOptions{
		Topic:                   asked.Topic,
		CompressionType:         codec,
		DisableBatching:         !batched,
		EnableChunking:          asked.Shape == "chunk",
		BatchingMaxMessages:     uint(len(asked.Messages)),
		BatchingMaxPublishDelay: 10 * time.Second,
		BatchingMaxSize:         4 << 20,
	})
	if err != nil {
		return nil, err
	}
	defer producer.Close()
	type outcome struct {
		at  int
		id  pulsar.MessageID
		err error
	}
	outcomes := make(chan outcome, len(asked.Messages))
	for at, m := range asked.Messages {
		out := pulsar.ProducerMessage{
			Payload: m.Value, Key: string(m.Key), OrderingKey: string(m.Ordering), Properties: m.Properties,
		}
		if m.Event != 0 {
			out.EventTime = time.UnixMilli(m.Event)
		}
		producer.SendAsync(context.Background(), &out,
			func(id pulsar.MessageID, _ *pulsar.ProducerMessage, err error) { outcomes <- outcome{at, id, err} })
	}
	if err := producer.Flush(); err != nil {
		return nil, err
	}
	ids := make([][]int64, len(asked.Messages))
	for range asked.Messages {
		one := <-outcomes
		if one.err != nil {
			return nil, one.err
		}
		ids[one.at] = triple(one.id)
	}
	return answer{"ids": ids}, nil
}

func triple(id pulsar.MessageID) []int64 {
	return []int64{id.LedgerID(), id.EntryID(), int64(id.BatchIdx())}
}

func read(client pulsar.Client, asked request) (answer, error) {
	reader, err := client.CreateReader(pulsar.ReaderOptions{
		Topic: asked.Topic, StartMessageID: pulsar.EarliestMessageID(),
	})
	if err != nil {
		return nil, err
	}
	defer reader.Close()
	found := []message{}
	for len(found) < asked.Count {
		patience, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		m, err := reader.Next(patience)
		cancel()
		if err != nil {
			return nil, err
		}
		event := int64(0)
		if !m.EventTime().IsZero() {
			event = m.EventTime().UnixMilli()
		}
		found = append(found, message{
			ID: triple(m.ID()), Key: some(m.Key()), Ordering: some(m.OrderingKey()), Value: m.Payload(),
			Properties: m.Properties(), Event: event, Publish: m.PublishTime().UnixMilli(),
			Producer: m.ProducerName(), Index: m.Index(),
		})
	}
	return answer{"messages": found}, nil
}

// This client knows no difference between no key and an empty one.
func some(text string) []byte {
	if text == "" {
		return nil
	}
	return []byte(text)
}

func version() string {
	info, _ := debug.ReadBuildInfo()
	for _, module := range info.Deps {
		if strings.HasSuffix(module.Path, "/pulsar-client-go") {
			return strings.TrimPrefix(module.Version, "v")
		}
	}
	return "?"
}

func main() {
	quiet := logrus.New()
	quiet.SetOutput(os.Stderr)
	quiet.SetLevel(logrus.WarnLevel)
	client, err := pulsar.NewClient(pulsar.ClientOptions{URL: os.Args[1], Logger: plog.NewLoggerWithLogrus(quiet)})
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	lines := bufio.NewScanner(os.Stdin)
	lines.Buffer(nil, 64<<20)
	for lines.Scan() {
		var asked request
		var got answer
		err := json.Unmarshal(lines.Bytes(), &asked)
		if err == nil {
			switch asked.Op {
			case "hello":
				got = answer{"version": version()}
			case "produce":
				got, err = produce(client, asked)
			case "read":
				got, err = read(client, asked)
			case "flood":
				got, err = flood(client, asked)
			case "drain":
				got, err = drain(client, asked)
			default:
				err = fmt.Errorf("no op %q", asked.Op)
			}
		}
		if err != nil {
			got = answer{"error": err.Error()}
		}
		line, _ := json.Marshal(got)
		fmt.Println(string(line))
	}
}
