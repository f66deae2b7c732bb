// The kafka-go driver of the client matrix.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/segmentio/kafka-go"

	"libkop/tests/clients/go/driver"
)

var (
	bootstrap = os.Args[1]
	transport = &kafka.Transport{MetadataTTL: 50 * time.Millisecond}
	client    = &kafka.Client{Addr: kafka.TCP(bootstrap), Transport: transport}
	writers   = map[string]*kafka.Writer{}
)

func main() {
	driver.Serve("github.com/segmentio/kafka-go", handle)
}

func handle(request driver.Request, answer *driver.Answer) error {
	ctx, cancel := context.WithTimeout(context.Background(), driver.Patience)
	defer cancel()
	switch request.Op {
	case "create":
		response, err := client.CreateTopics(ctx, &kafka.CreateTopicsRequest{
			Topics: []kafka.TopicConfig{
				{Topic: request.Topic, NumPartitions: request.Partitions, ReplicationFactor: 1},
			},
		})
		if err != nil {
			return err
		}
		return response.Errors[request.Topic]
	case "list":
		return list(answer)
	case "describe":
		return describe(request, answer)
	case "delete":
		topics := []string{request.Topic}
		response, err := client.DeleteTopics(ctx, &kafka.DeleteTopicsRequest{Topics: topics})
		if err != nil {
			return err
		}
		return response.Errors[request.Topic]
	case "produce":
		return produce(ctx, request, answer)
	case "consume":
		return consume(ctx, request, answer)
	}
	return fmt.Errorf("unknown request %q", request.Op)
}

// list asks over a connection of its own: the client's metadata is a copy that is seconds old.
func list(answer *driver.Answer) error {
	connection, err := kafka.Dial("tcp", bootstrap)
	if err != nil {
		return err
	}
	defer connection.Close()
	partitions, err := connection.ReadPartitions()
	topics := map[string]bool{}
	for _, partition := range partitions {
		if !topics[partition.Topic] {
			answer.Topics = append(answer.Topics, partition.Topic)
		}
		topics[partition.Topic] = true
	}
	return err
}

func describe(request driver.Request, answer *driver.Answer) error {
	connection, err := kafka.Dial("tcp", bootstrap)
	if err != nil {
		return err
	}
	defer connection.Close()
	brokers, err := connection.Brokers()
	if err != nil {
		return err
	}
	for _, broker := range brokers {
		answer.Brokers = append(answer.Brokers, broker.ID)
	}
	partitions, err := connection.ReadPartitions(request.Topic)
	for _, partition := range partitions {
		answer.AddPartition(partition.ID, partition.Leader.ID)
	}
	return err
}

func produce(ctx context.Context, request driver.Request, answer *driver.Answer) error {
	var messages []kafka.Message
	for index, item := range request.Records {
		message := kafka.Message{
			Topic: request.Topic, Time: time.UnixMilli(item.Timestamp), Key: item.Key, Value: item.Value,
			WriterData: place{index, item.Partition},
		}
		for _, header := range item.Headers {
			message.Headers = append(message.Headers, kafka.Header(header))
		}
		messages = append(messages, message)
	}
	answer.Offsets = make([]*int64, len(messages))
	writer := writer(request)
	writer.Completion = func(done []kafka.Message, err error) {
		for _, message := range done {
			if err == nil && request.Acks != "0" {
				answer.Offsets[message.WriterData.(place).index] = &message.Offset
			}
		}
	}
	err := writer.WriteMessages(ctx, messages...)
	for errors.Is(err, kafka.UnknownTopicOrPartition) && ctx.Err() == nil {
		// The writer's metadata is from before the topic was made by another client.
		time.Sleep(20 * time.Millisecond)
		err = writer.WriteMessages(ctx, messages...)
	}
	var failed kafka.WriteErrors
	if errors.As(err, &failed) {
		for _, one := range failed {
			if one != nil {
				return one
			}
		}
	}
	return err
}

// place is where a message goes and which of its request it is.
type place struct{ index, partition int }

func writer(request driver.Request) *kafka.Writer {
	if writer := writers[request.ProducerKey()]; writer != nil {
		return writer
	}
	writer := &kafka.Writer{
		Addr:      kafka.TCP(bootstrap),
		Transport: transport,
		Balancer: kafka.BalancerFunc(func(message kafka.Message, _ ...int) int {
			return message.WriterData.(place).partition
		}),
		BatchTimeout: 5 * time.Millisecond,
		BatchBytes:   4 << 20, // the broker is to refuse what is too large
		RequiredAcks: map[string]kafka.RequiredAcks{
			"0": kafka.RequireNone, "1": kafka.RequireOne, "all": kafka.RequireAll,
		}[request.Acks],
		Compression: map[string]kafka.Compression{
			"none": 0, "gzip": kafka.Gzip, "snappy": kafka.Snappy, "lz4": kafka.Lz4, "zstd": kafka.Zstd,
		}[request.Codec],
	}
	writers[request.ProducerKey()] = writer
	return writer
}

func consume(ctx context.Context, request driver.Request, answer *driver.Answer) error {
	reader := kafka.NewReader(kafka.ReaderConfig{
		Brokers: []string{bootstrap}, Topic: request.Topic, Partition: request.Partition,
		MaxBytes: 4 << 20, MaxWait: 200 * time.Millisecond,
	})
	defer reader.Close()
	var err error
	switch request.From {
	case "earliest":
		err = reader.SetOffset(kafka.FirstOffset)
	case "latest":
		err = reader.SetOffset(kafka.LastOffset)
	case "timestamp":
		err = reader.SetOffsetAt(ctx, time.UnixMilli(request.At))
	default:
		err = reader.SetOffset(request.At)
	}
	for err == nil && len(answer.Records) < request.Count {
		var message kafka.Message
		if message, err = reader.ReadMessage(ctx); err != nil {
			break
		}
		item := driver.Record{
			Partition: message.Partition, Offset: message.Offset, Timestamp: message.Time.UnixMilli(),
			Key: message.Key, Value: message.Value,
		}
		for _, header := range message.Headers {
			item.Headers = append(item.Headers, driver.Header(header))
		}
		answer.Records = append(answer.Records, item)
	}
	if errors.Is(err, context.DeadlineExceeded) {
		return nil // what came is told
	}
	return err
}
