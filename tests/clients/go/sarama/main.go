// The sarama driver of the client matrix.
package main

import (
	"errors"
	"fmt"
	"log"
	"os"
	"time"

	"github.com/IBM/sarama"

	"libkop/tests/clients/go/driver"
)

type driverState struct {
	client    sarama.Client
	admin     sarama.ClusterAdmin
	producers map[string]sarama.SyncProducer
}

func main() {
	client, err := sarama.NewClient([]string{os.Args[1]}, config())
	if err != nil {
		log.Fatal(err)
	}
	admin, err := sarama.NewClusterAdmin([]string{os.Args[1]}, config())
	if err != nil {
		log.Fatal(err)
	}
	d := &driverState{client, admin, map[string]sarama.SyncProducer{}}
	driver.Serve("github.com/IBM/sarama", d.handle)
}

func config() *sarama.Config {
	config := sarama.NewConfig()
	config.Version = sarama.MaxVersion
	config.Consumer.MaxWaitTime = 100 * time.Millisecond // a closed consumer waits for its last fetch
	return config
}

func (d *driverState) handle(request driver.Request, answer *driver.Answer) error {
	switch request.Op {
	case "create":
		detail := &sarama.TopicDetail{NumPartitions: int32(request.Partitions), ReplicationFactor: 1}
		return d.admin.CreateTopic(request.Topic, detail, false)
	case "list":
		topics, err := d.admin.ListTopics()
		for name := range topics {
			answer.Topics = append(answer.Topics, name)
		}
		return err
	case "describe":
		return d.describe(request, answer)
	case "delete":
		return d.admin.DeleteTopic(request.Topic)
	case "produce":
		return d.produce(request, answer)
	case "consume":
		return d.consume(request, answer)
	}
	return fmt.Errorf("unknown request %q", request.Op)
}

func (d *driverState) describe(request driver.Request, answer *driver.Answer) error {
	brokers, _, err := d.admin.DescribeCluster()
	if err != nil {
		return err
	}
	for _, broker := range brokers {
		answer.Brokers = append(answer.Brokers, int(broker.ID()))
	}
	topics, err := d.admin.DescribeTopics([]string{request.Topic})
	if err != nil {
		return err
	}
	if topics[0].Err != sarama.ErrNoError {
		return topics[0].Err
	}
	for _, partition := range topics[0].Partitions {
		answer.AddPartition(int(partition.ID), int(partition.Leader))
	}
	return nil
}

func (d *driverState) produce(request driver.Request, answer *driver.Answer) error {
	producer, err := d.producer(request)
	if err != nil {
		return err
	}
	var messages []*sarama.ProducerMessage
	for _, item := range request.Records {
		message := &sarama.ProducerMessage{
			Topic: request.Topic, Partition: int32(item.Partition),
			Timestamp: time.UnixMilli(item.Timestamp),
		}
		if item.Key != nil {
			message.Key = sarama.ByteEncoder(item.Key)
		}
		if item.Value != nil {
			message.Value = sarama.ByteEncoder(item.Value)
		}
		for _, header := range item.Headers {
			encoded := sarama.RecordHeader{Key: []byte(header.Key), Value: header.Value}
			message.Headers = append(message.Headers, encoded)
		}
		messages = append(messages, message)
	}
	if err := producer.SendMessages(messages); err != nil {
		var failed sarama.ProducerErrors
		if errors.As(err, &failed) {
			return failed[0].Err
		}
		return err
	}
	for _, message := range messages {
		var offset *int64
		if request.Acks != "0" {
			offset = &message.Offset
		}
		answer.Offsets = append(answer.Offsets, offset)
	}
	return nil
}

func (d *driverState) producer(request driver.Request) (sarama.SyncProducer, error) {
	if producer := d.producers[request.ProducerKey()]; producer != nil {
		return producer, nil
	}
	config := config()
	config.Producer.Partitioner = sarama.NewManualPartitioner
	config.Producer.Return.Successes = true
	config.Producer.MaxMessageBytes = 4 << 20 // the broker is to refuse what is too large
	config.Producer.RequiredAcks = map[string]sarama.RequiredAcks{
		"0": sarama.NoResponse, "1": sarama.WaitForLocal, "all": sarama.WaitForAll,
	}[request.Acks]
	config.Producer.Compression = map[string]sarama.CompressionCodec{
		"none": sarama.CompressionNone, "gzip": sarama.CompressionGZIP,
		"snappy": sarama.CompressionSnappy, "lz4": sarama.CompressionLZ4, "zstd": sarama.CompressionZSTD,
	}[request.Codec]
	if request.Idempotent {
		config.Producer.Idempotent = true
		config.Net.MaxOpenRequests = 1
	}
	producer, err := sarama.NewSyncProducer([]string{os.Args[1]}, config)
	if err == nil {
		d.producers[request.ProducerKey()] = producer
	}
	return producer, err
}

func (d *driverState) consume(request driver.Request, answer *driver.Answer) error {
	start := request.At
	switch request.From {
	case "earliest":
		start = sarama.OffsetOldest
	case "latest":
		start = sarama.OffsetNewest
	case "timestamp":
		if err := d.client.RefreshMetadata(request.Topic); err != nil {
			return err
		}
		offset, err := d.client.GetOffset(request.Topic, int32(request.Partition), request.At)
		if err != nil {
			return err
		}
		start = offset
	}
	consumer, err := sarama.NewConsumer([]string{os.Args[1]}, config())
	if err != nil {
		return err
	}
	defer consumer.Close()
	partition, err := consumer.ConsumePartition(request.Topic, int32(request.Partition), start)
	if err != nil {
		return err
	}
	defer partition.Close()
	patience := time.After(driver.Patience)
	for len(answer.Records) < request.Count {
		select {
		case <-patience:
			return nil
		case message := <-partition.Messages():
			item := driver.Record{
				Partition: int(message.Partition), Offset: message.Offset,
				Timestamp: message.Timestamp.UnixMilli(), Key: message.Key, Value: message.Value,
			}
			for _, header := range message.Headers {
				item.Headers = append(item.Headers, driver.Header{Key: string(header.Key), Value: header.Value})
			}
			answer.Records = append(answer.Records, item)
		}
	}
	return nil
}
