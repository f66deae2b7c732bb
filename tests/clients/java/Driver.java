import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.io.BufferedReader;
import java.io.FileDescriptor;
import java.io.FileOutputStream;
import java.io.IOException;
import java.io.InputStream;
import java.io.InputStreamReader;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Properties;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.Future;
import org.apache.kafka.clients.admin.Admin;
import org.apache.kafka.clients.admin.NewTopic;
import org.apache.kafka.clients.admin.OffsetSpec;
import org.apache.kafka.clients.admin.RecordsToDelete;
import org.apache.kafka.clients.admin.TopicDescription;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.clients.producer.RecordMetadata;
import org.apache.kafka.common.KafkaFuture;
import org.apache.kafka.common.Node;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.TopicPartitionInfo;
import org.apache.kafka.common.header.Header;
import org.apache.kafka.common.serialization.ByteArrayDeserializer;
import org.apache.kafka.common.serialization.ByteArraySerializer;

/**
 * Kafka's own Java client as a driver of the client matrix. The same source is compiled against
 * each version of kafka-clients; the newest one is also the reference that reads what other clients
 * wrote.
 */
public final class Driver {
  private static final ObjectMapper JSON = new ObjectMapper();
  private static final Duration PATIENCE = Duration.ofSeconds(25);

  private final String bootstrap;
  private final Admin admin;
  private final Map<String, KafkaProducer<byte[], byte[]>> producers = new HashMap<>();
  private KafkaConsumer<byte[], byte[]> consumer;

  private Driver(String bootstrap) {
    this.bootstrap = bootstrap;
    this.admin = Admin.create(config());
  }

  public static void main(String[] args) throws IOException {
    PrintStream out = new PrintStream(new FileOutputStream(FileDescriptor.out), false, "UTF-8");
    System.setOut(System.err); // nothing but answers goes to the standard output
    BufferedReader in =
        new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
    Driver driver = new Driver(args[0]);
    for (String line = in.readLine(); line != null; line = in.readLine()) {
      ObjectNode answer = JSON.createObjectNode();
      try {
        driver.serve(JSON.readTree(line), answer);
      } catch (ExecutionException e) {
        answer.put("error", e.getCause().toString());
      } catch (Exception e) {
        e.printStackTrace();
        answer.put("error", e.toString());
      }
      out.println(answer);
      out.flush();
    }
    System.exit(0); // without waiting for what is still open
  }

  /** What kafka-clients says of itself; its class for that moves from version to version. */
  private static String clientsVersion() throws IOException {
    Properties all = new Properties();
    try (InputStream in = Admin.class.getResourceAsStream("/kafka/kafka-version.properties")) {
      all.load(in);
    }
    return all.getProperty("version").trim();
  }

  private void serve(JsonNode request, ObjectNode answer) throws Exception {
    String topic = request.path("topic").asText();
    switch (request.get("op").asText()) {
      case "hello":
        answer.put("version", clientsVersion());
        break;
      case "create":
        admin
            .createTopics(
                List.of(new NewTopic(topic, request.get("partitions").asInt(), (short) 1)))
            .all()
            .get();
        break;
      case "list":
        ArrayNode names = answer.putArray("topics");
        admin.listTopics().names().get().forEach(names::add);
        break;
      case "describe":
        describe(topic, answer);
        break;
      case "delete":
        admin.deleteTopics(List.of(topic)).all().get();
        break;
      case "truncate":
        admin
            .deleteRecords(Map.of(
                partition(request), RecordsToDelete.beforeOffset(request.get("at").asLong())))
            .all()
            .get();
        break;
      case "end":
        answer.put("offset",
            admin.listOffsets(Map.of(partition(request), OffsetSpec.latest()))
                .partitionResult(partition(request))
                .get()
                .offset());
        break;
      case "produce":
        produce(request, answer);
        break;
      case "consume":
        consume(request, answer);
        break;
      default:
        throw new IllegalArgumentException("unknown request " + request.get("op"));
    }
  }

  private void describe(String topic, ObjectNode answer) throws Exception {
    ArrayNode brokers = answer.putArray("brokers");
    for (Node node : admin.describeCluster().nodes().get()) {
      brokers.add(node.id());
    }
    ArrayNode partitions = answer.putArray("partitions");
    for (TopicPartitionInfo info : description(topic).partitions()) {
      partitions.addObject().put("partition", info.partition()).put("leader", info.leader().id());
    }
  }

  /**
   * The accessor was called values() up to 3.0 and topicNameValues() later; 4.0 took the first
   * away.
   */
  @SuppressWarnings("unchecked")
  private TopicDescription description(String topic) throws Exception {
    Object result = admin.describeTopics(List.of(topic));
    String accessor = clientsVersion().startsWith("2.") ? "values" : "topicNameValues";
    return (
        (Map<String, KafkaFuture<TopicDescription>>) result.getClass().getMethod(accessor).invoke(
            result))
        .get(topic)
        .get();
  }

  private void produce(JsonNode request, ObjectNode answer) throws Exception {
    KafkaProducer<byte[], byte[]> producer = producer(request);
    String topic = request.get("topic").asText();
    List<Future<RecordMetadata>> sent = new ArrayList<>();
    for (JsonNode item : request.get("records")) {
      ProducerRecord<byte[], byte[]> record =
          new ProducerRecord<>(topic, item.get("partition").asInt(), item.get("timestamp").asLong(),
              bytes(item.get("key")), bytes(item.get("value")));
      for (JsonNode header : item.get("headers")) {
        record.headers().add(header.get(0).asText(), bytes(header.get(1)));
      }
      sent.add(producer.send(record));
    }
    producer.flush();
    ArrayNode offsets = answer.putArray("offsets");
    for (Future<RecordMetadata> future : sent) {
      RecordMetadata metadata = future.get();
      offsets.add(metadata.hasOffset() ? metadata.offset() : null);
    }
  }

  private KafkaProducer<byte[], byte[]> producer(JsonNode request) {
    String acks = request.get("acks").asText();
    String idempotent = request.get("idempotent").asText();
    String codec = request.get("codec").asText();
    return producers.computeIfAbsent(acks + idempotent + codec, key -> {
      Map<String, Object> config = config();
      config.put("acks", acks);
      config.put("enable.idempotence", idempotent);
      config.put("compression.type", codec);
      config.put("linger.ms", 5);
      config.put("max.request.size", 4 << 20); // the broker is to refuse what is too large
      return new KafkaProducer<>(config, new ByteArraySerializer(), new ByteArraySerializer());
    });
  }

  private void consume(JsonNode request, ObjectNode answer) {
    TopicPartition partition = partition(request);
    long at = request.get("at").asLong();
    int count = request.get("count").asInt();
    if (consumer == null) {
      Map<String, Object> config = config();
      config.put("enable.auto.commit", false);
      config.put("auto.offset.reset", "none");
      config.put("fetch.max.wait.ms",
          100); // a long poll of the partition before would hold the next one up
      consumer =
          new KafkaConsumer<>(config, new ByteArrayDeserializer(), new ByteArrayDeserializer());
    }
    consumer.assign(List.of(partition));
    switch (request.get("from").asText()) {
      case "earliest":
        consumer.seekToBeginning(List.of(partition));
        break;
      case "latest":
        consumer.seekToEnd(List.of(partition));
        break;
      case "timestamp":
        consumer.seek(
            partition, consumer.offsetsForTimes(Map.of(partition, at)).get(partition).offset());
        break;
      default:
        consumer.seek(partition, at);
    }
    ArrayNode records = answer.putArray("records");
    long deadline = System.nanoTime() + PATIENCE.toNanos();
    while (records.size() < count && System.nanoTime() < deadline) {
      for (ConsumerRecord<byte[], byte[]> record : consumer.poll(Duration.ofMillis(500))) {
        if (records.size() < count) {
          describe(record, records.addObject());
        }
      }
    }
    consumer.unsubscribe();
  }

  private static void describe(ConsumerRecord<byte[], byte[]> record, ObjectNode item) {
    item.put("partition", record.partition())
        .put("offset", record.offset())
        .put("timestamp", record.timestamp());
    item.put("key", record.key()).put("value", record.value());
    ArrayNode headers = item.putArray("headers");
    for (Header header : record.headers()) {
      headers.addArray().add(header.key()).add(header.value());
    }
  }

  private Map<String, Object> config() {
    Map<String, Object> config = new HashMap<>();
    config.put("bootstrap.servers", bootstrap);
    return config;
  }

  private static TopicPartition partition(JsonNode request) {
    return new TopicPartition(request.get("topic").asText(), request.get("partition").asInt());
  }

  private static byte[] bytes(JsonNode node) throws IOException {
    return node.isNull() ? null : node.binaryValue();
  }
}
