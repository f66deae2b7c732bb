import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.io.BufferedReader;
import java.io.FileDescriptor;
import java.io.FileOutputStream;
import java.io.IOException;
import java.io.InputStreamReader;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import org.apache.pulsar.PulsarVersion;
import org.apache.pulsar.client.api.CompressionType;
import org.apache.pulsar.client.api.Message;
import org.apache.pulsar.client.api.MessageId;
import org.apache.pulsar.client.api.MessageIdAdv;
import org.apache.pulsar.client.api.Producer;
import org.apache.pulsar.client.api.ProducerBuilder;
import org.apache.pulsar.client.api.PulsarClient;
import org.apache.pulsar.client.api.Reader;
import org.apache.pulsar.client.api.Schema;
import org.apache.pulsar.client.api.TypedMessageBuilder;

/** The Java client of Pulsar as a driver: see README.md in the folder above. */
public final class Driver {
  private static final ObjectMapper JSON = new ObjectMapper();

  private final PulsarClient client;

  private Driver(String url) throws IOException {
    client = PulsarClient.builder().serviceUrl(url).build();
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
      } catch (Exception e) {
        e.printStackTrace();
        answer.put("error", e.toString());
      }
      out.println(answer);
      out.flush();
    }
    System.exit(0); // without waiting for what is still open
  }

  private void serve(JsonNode request, ObjectNode answer) throws Exception {
    switch (request.get("op").asText()) {
      case "hello":
        answer.put("version", PulsarVersion.getVersion());
        break;
      case "produce":
        produce(request, answer.putArray("ids"));
        break;
      case "read":
        read(request, answer.putArray("messages"));
        break;
      default:
        throw new IllegalArgumentException("no such op");
    }
  }

  private void produce(JsonNode request, ArrayNode ids) throws Exception {
    JsonNode messages = request.get("messages");
    String shape = request.get("shape").asText();
    boolean batched = shape.equals("batch");
    ProducerBuilder<byte[]> builder =
        client
            .newProducer(Schema.BYTES)
            .topic(request.get("topic").asText())
            .compressionType(
                CompressionType.valueOf(request.get("codec").asText().toUpperCase(Locale.ROOT)))
            .enableBatching(batched)
            .enableChunking(shape.equals("chunk"));
    if (batched) {
      builder
          .batchingMaxMessages(messages.size())
          .batchingMaxBytes(4 << 20)
          .batchingMaxPublishDelay(10, TimeUnit.SECONDS);
    }
    try (Producer<byte[]> producer = builder.create()) {
      List<CompletableFuture<MessageId>> sent = new ArrayList<>();
      for (JsonNode message : messages) {
        sent.add(build(producer, message).sendAsync());
      }
      producer.flush();
      for (CompletableFuture<MessageId> one : sent) {
        triple(ids.addArray(), one.get(20, TimeUnit.SECONDS));
      }
    }
  }

  private static TypedMessageBuilder<byte[]> build(Producer<byte[]> producer, JsonNode message)
      throws IOException {
    TypedMessageBuilder<byte[]> builder = producer.newMessage();
    builder.value(message.get("value").isNull() ? null : message.get("value").binaryValue());
    if (!message.get("key").isNull()) {
      byte[] key = message.get("key").binaryValue();
      if (message.path("binary_key").asBoolean()) {
        builder.keyBytes(key);
      } else {
        builder.key(new String(key, StandardCharsets.UTF_8));
      }
    }
    if (!message.get("ordering").isNull()) {
      builder.orderingKey(message.get("ordering").binaryValue());
    }
    if (message.get("event").asLong() != 0) {
      builder.eventTime(message.get("event").asLong());
    }
    for (JsonNode pair : message.get("properties")) {
      builder.property(pair.get(0).asText(), pair.get(1).asText());
    }
    return builder;
  }

  private void read(JsonNode request, ArrayNode found) throws Exception {
    try (Reader<byte[]> reader =
        client
            .newReader(Schema.BYTES)
            .topic(request.get("topic").asText())
            .startMessageId(MessageId.earliest)
            .create()) {
      while (found.size() < request.get("count").asInt()) {
        Message<byte[]> message = reader.readNext(10, TimeUnit.SECONDS);
        if (message == null) {
          throw new IOException("no message within 10 s after " + found.size());
        }
        describe(message, found.addObject());
      }
    }
  }

  private static void describe(Message<byte[]> message, ObjectNode out) {
    triple(out.putArray("id"), message.getMessageId());
    out.put("key", message.hasKey() ? message.getKeyBytes() : null);
    out.put("binary_key", message.hasBase64EncodedKey());
    out.put("ordering", message.hasOrderingKey() ? message.getOrderingKey() : null);
    out.put("value", message.getValue());
    ObjectNode properties = out.putObject("properties");
    for (Map.Entry<String, String> entry : message.getProperties().entrySet()) {
      properties.put(entry.getKey(), entry.getValue());
    }
    out.put("event", message.getEventTime());
    out.put("publish", message.getPublishTime());
    out.put("producer", message.getProducerName());
    out.put("sequence", message.getSequenceId());
    message.getIndex().ifPresent(index -> out.put("index", index));
  }

  private static void triple(ArrayNode out, MessageId id) {
    MessageIdAdv parts = (MessageIdAdv) id;
    out.add(parts.getLedgerId()).add(parts.getEntryId()).add(parts.getBatchIndex());
  }
}
