package main

import (
	"context"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/apache/pulsar-client-go/pulsar"
)

func cpu() float64 {
	var used syscall.Rusage
	_ = syscall.Getrusage(syscall.RUSAGE_SELF, &used)
	return float64(used.Utime.Nano()+used.Stime.Nano()) / 1e9
}

// Seconds and processor seconds of a piece of work.
func measured(work func() error) (answer, error) {
	start, before := time.Now(), cpu()
	if err := work(); err != nil {
		return nil, err
	}
	return answer{"seconds": time.Since(start).Seconds(), "cpu": cpu() - before}, nil
}

// For the bench: so many equal messages, as fast as they go, in batches.
func flood(client pulsar.Client, asked request) (answer, error) {
	producer, err := client.CreateProducer(pulsar.ProducerOptions{
		Topic:                   asked.Topic,
		BatchingMaxMessages:     uint(asked.Batch),
		BatchingMaxSize:         4 << 20,
		BatchingMaxPublishDelay: 100 * time.Millisecond,
		MaxPendingMessages:      16 * asked.Batch,
	})
	if err != nil {
		return nil, err
	}
	defer producer.Close()
	var failed atomic.Value
	value := make([]byte, asked.Bytes)
	return measured(func() error {
		for range asked.Count {
			producer.SendAsync(context.Background(), &pulsar.ProducerMessage{Payload: value},
				func(_ pulsar.MessageID, _ *pulsar.ProducerMessage, err error) {
					if err != nil {
						failed.Store(err)
					}
				})
		}
		if err := producer.Flush(); err != nil {
			return err
		}
		if err, bad := failed.Load().(error); bad {
			return err
		}
		return nil
	})
}

// For the bench: reads so many messages from the earliest.
func drain(client pulsar.Client, asked request) (answer, error) {
	reader, err := client.CreateReader(pulsar.ReaderOptions{
		Topic: asked.Topic, StartMessageID: pulsar.EarliestMessageID(), ReceiverQueueSize: 100_000,
	})
	if err != nil {
		return nil, err
	}
	defer reader.Close()
	return measured(func() error {
		for range asked.Count {
			if _, err := reader.Next(context.Background()); err != nil {
				return err
			}
		}
		return nil
	})
}
