// The franz-go driver of the client matrix.
package main

import (
	"context"
	"fmt"
	"log"
	"os"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"libkop/tests/clients/go/driver"
)

type franz struct {
	bootstrap string
	admin     *kadm.Client
	producers map[string]*kgo.Client
}

func main() {
	client, err := kgo.NewClient(kgo.SeedBrokers(os.Args[1]))
	if err != nil {
		log.Fatal(err)
	}
	f := &franz{os.Args[1], kadm.NewClient(client), map[string]*kgo.Client{}}
	driver.Serve("github.com/twmb/franz-go", f.handle)
}

func (f *franz) handle(request driver.Request, answer *driver.Answer) error {
	ctx, cancel := context.WithTimeout(context.Background(), driver.Patience)
	defer cancel()
	switch request.Op {
	case "create":
		_, err := f.admin.CreateTopic(ctx, int32(request.Partitions), 1, nil, request.Topic)
		return err
	case "list":
		topics, err := f.admin.ListTopics(ctx)
		answer.Topics = topics.Names()
		return err
	case "describe":
		return f.describe(ctx, request, answer)
	case "delete":
		_, err := f.admin.DeleteTopic(ctx, request.Topic)
		return err
	case "produce":
		return f.produce(ctx, request, answer)
	case "consume":
		return f.consume(ctx, request, answer)
	}
	return fmt.Errorf("unknown request %q", request.Op)
}

func (f *franz) describe(ctx context.Context, request driver.Request, answer *driver.Answer) error {
	metadata, err := f.admin.Metadata(ctx, request.Topic)
	if err != nil {
		return err
	}
	for _, id := range metadata.Brokers.NodeIDs() {
		answer.Brokers = append(answer.Brokers, int(id))
	}
	topic := metadata.Topics[request.Topic]
	for _, partition := range topic.Partitions {
		answer.AddPartition(int(partition.Partition), int(partition.Leader))
	}
	return topic.Err
}

func (f *franz) produce(ctx context.Context, request driver.Request, answer *driver.Answer) error {
	producer, err := f.producer(request)
	if err != nil {
		return err
	}
	var records []*kgo.Record
	for _, item := range request.Records {
		record := &kgo.Record{
			Topic: request.Topic, Partition: int32(item.Partition),
			Timestamp: time.UnixMilli(item.Timestamp), Key: item.Key, Value: item.Value,
		}
		for _, header := range item.Headers {
			record.Headers = append(record.Headers, kgo.RecordHeader(header))
		}
		records = append(records, record)
	}
	if err := producer.ProduceSync(ctx, records...).FirstErr(); err != nil {
		return err
	}
	for _, record := range records {
		var offset *int64
		if request.Acks != "0" {
			offset = &record.Offset
		}
		answer.Offsets = append(answer.Offsets, offset)
	}
	return nil
}

func (f *franz) producer(request driver.Request) (*kgo.Client, error) {
	if producer := f.producers[request.ProducerKey()]; producer != nil {
		return producer, nil
	}
	options := []kgo.Opt{
		kgo.SeedBrokers(f.bootstrap),
		kgo.RecordPartitioner(kgo.ManualPartitioner()),
		kgo.ProducerLinger(5 * time.Millisecond),
		kgo.ProducerBatchMaxBytes(4 << 20), // the broker is to refuse what is too large
		kgo.RequiredAcks(map[string]kgo.Acks{
			"0": kgo.NoAck(), "1": kgo.LeaderAck(), "all": kgo.AllISRAcks(),
		}[request.Acks]),
		kgo.ProducerBatchCompression(map[string]kgo.CompressionCodec{
			"none": kgo.NoCompression(), "gzip": kgo.GzipCompression(), "snappy": kgo.SnappyCompression(),
			"lz4": kgo.Lz4Compression(), "zstd": kgo.ZstdCompression(),
		}[request.Codec]),
	}
	if !request.Idempotent {
		options = append(options, kgo.DisableIdempotentWrite())
	}
	producer, err := kgo.NewClient(options...)
	if err == nil {
		f.producers[request.ProducerKey()] = producer
	}
	return producer, err
}

func (f *franz) consume(ctx context.Context, request driver.Request, answer *driver.Answer) error {
	start := kgo.NewOffset()
	switch request.From {
	case "earliest":
		start = start.AtStart()
	case "latest":
		start = start.AtEnd()
	case "timestamp":
		start = start.AfterMilli(request.At)
	default:
		start = start.At(request.At)
	}
	consumer, err := kgo.NewClient(
		kgo.SeedBrokers(f.bootstrap),
		kgo.ConsumePartitions(map[string]map[int32]kgo.Offset{
			request.Topic: {int32(request.Partition): start},
		}),
	)
	if err != nil {
		return err
	}
	defer consumer.Close()
	for len(answer.Records) < request.Count && ctx.Err() == nil {
		fetches := consumer.PollFetches(ctx)
		if err := fetches.Err0(); err != nil && ctx.Err() == nil {
			return err
		}
		fetches.EachRecord(func(record *kgo.Record) {
			if len(answer.Records) == request.Count {
				return
			}
			item := driver.Record{
				Partition: int(record.Partition), Offset: record.Offset,
				Timestamp: record.Timestamp.UnixMilli(), Key: record.Key, Value: record.Value,
			}
			for _, header := range record.Headers {
				item.Headers = append(item.Headers, driver.Header(header))
			}
			answer.Records = append(answer.Records, item)
		})
	}
	return nil
}
