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
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import org.apache.kafka.common.compress.Compression;
import org.apache.kafka.common.header.Header;
import org.apache.kafka.common.header.internals.RecordHeader;
import org.apache.kafka.common.record.TimestampType;
import org.apache.kafka.common.record.internal.CompressionType;
import org.apache.kafka.common.record.internal.ControlRecordType;
import org.apache.kafka.common.record.internal.EndTransactionMarker;
import org.apache.kafka.common.record.internal.MemoryRecords;
import org.apache.kafka.common.record.internal.MemoryRecordsBuilder;
import org.apache.kafka.common.record.internal.MutableRecordBatch;
import org.apache.kafka.common.record.internal.Record;
import org.apache.kafka.common.record.internal.RecordBatch;
import org.apache.kafka.common.utils.AppInfoParser;

/**
 * Kafka's own record classes as a driver: builds batches from records and says what is in batches, a
 * JSON request a line, a JSON answer a line. See README.md beside this file.
 */
public final class KafkaRecords {
  private static final ObjectMapper JSON = new ObjectMapper();

  private KafkaRecords() {}

  public static void main(String[] args) throws IOException {
    PrintStream out = new PrintStream(new FileOutputStream(FileDescriptor.out), false, "UTF-8");
    System.setOut(System.err); // nothing but answers goes to the standard output
    BufferedReader in =
        new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
    for (String line = in.readLine(); line != null; line = in.readLine()) {
      ObjectNode answer = JSON.createObjectNode();
      try {
        serve(JSON.readTree(line), answer);
      } catch (Exception e) {
        answer.removeAll();
        answer.put("error", e.toString());
      }
      out.println(answer);
      out.flush();
    }
  }

  private static void serve(JsonNode request, ObjectNode answer) throws IOException {
    switch (request.get("op").asText()) {
      case "hello":
        answer.put("version", AppInfoParser.getVersion());
        break;
      case "build":
        answer.put("batch", build(request));
        break;
      case "check":
        check(request.get("batches").binaryValue(), answer);
        break;
      default:
        throw new IllegalArgumentException("no such op");
    }
  }

  private static byte[] build(JsonNode request) throws IOException {
    long base = request.path("base").asLong(0);
    long producerId = request.path("producer_id").asLong(RecordBatch.NO_PRODUCER_ID);
    short producerEpoch = (short) request.path("producer_epoch").asInt(-1);
    if (request.has("control")) {
      return control(request, base, producerId, producerEpoch);
    }
    boolean append = request.path("append_time").asLong(-1) >= 0;
    MemoryRecordsBuilder builder =
        MemoryRecords.builder(
            ByteBuffer.allocate(1 << 16),
            RecordBatch.MAGIC_VALUE_V2,
            Compression.of(CompressionType.forName(request.path("codec").asText("none"))).build(),
            append ? TimestampType.LOG_APPEND_TIME : TimestampType.CREATE_TIME,
            base,
            request.path("append_time").asLong(-1),
            producerId,
            producerEpoch,
            request.path("sequence").asInt(RecordBatch.NO_SEQUENCE),
            request.path("transactional").asBoolean(),
            request.path("leader_epoch").asInt(RecordBatch.NO_PARTITION_LEADER_EPOCH));
    long offset = base;
    for (JsonNode record : request.get("records")) {
      builder.appendWithOffset(
          record.has("offset") ? record.get("offset").asLong() : offset,
          record.get("timestamp").asLong(),
          record.get("key").binaryValue(),
          record.get("value").binaryValue(),
          headers(record.path("headers")));
      offset++;
    }
    return bytes(builder.build().buffer());
  }

  private static byte[] control(JsonNode request, long base, long producerId, short producerEpoch) {
    boolean commit = request.get("control").asText().equals("commit");
    EndTransactionMarker marker =
        new EndTransactionMarker(
            commit ? ControlRecordType.COMMIT : ControlRecordType.ABORT,
            request.path("coordinator_epoch").asInt());
    long now = request.get("timestamp").asLong();
    return bytes(
        MemoryRecords.withEndTransactionMarker(
                base, now, RecordBatch.NO_PARTITION_LEADER_EPOCH, producerId, producerEpoch, marker)
            .buffer());
  }

  private static Header[] headers(JsonNode pairs) throws IOException {
    Header[] headers = new Header[pairs.size()];
    for (int i = 0; i < headers.length; i++) {
      headers[i] = new RecordHeader(pairs.get(i).get(0).asText(), pairs.get(i).get(1).binaryValue());
    }
    return headers;
  }

  private static void check(byte[] data, ObjectNode answer) {
    ArrayNode batches = answer.putArray("batches");
    ArrayNode records = answer.putArray("records");
    int bytes = 0;
    MemoryRecords all = MemoryRecords.readableRecords(ByteBuffer.wrap(data));
    for (MutableRecordBatch batch : all.batches()) {
      batch.ensureValid();
      bytes += batch.sizeInBytes();
      ObjectNode out = batches.addObject();
      out.put("base", batch.baseOffset());
      out.put("last", batch.lastOffset());
      out.put("magic", batch.magic());
      out.put("codec", batch.compressionType().name);
      out.put("append_time", batch.timestampType() == TimestampType.LOG_APPEND_TIME);
      out.put("max_timestamp", batch.maxTimestamp());
      out.put("producer_id", batch.producerId());
      out.put("producer_epoch", batch.producerEpoch());
      out.put("sequence", batch.baseSequence());
      out.put("transactional", batch.isTransactional());
      out.put("control", batch.isControlBatch());
      out.put("count", batch.countOrNull());
      for (Record record : batch) {
        record.ensureValid();
        describe(batch, record, records.addObject());
      }
    }
    if (bytes != data.length) {
      throw new IllegalArgumentException((data.length - bytes) + " bytes are no batch");
    }
  }

  private static void describe(RecordBatch batch, Record record, ObjectNode out) {
    out.put("offset", record.offset());
    out.put("timestamp", record.timestamp());
    out.put("key", record.hasKey() ? bytes(record.key()) : null);
    out.put("value", record.hasValue() ? bytes(record.value()) : null);
    if (batch.isControlBatch()) {
      out.put("control", ControlRecordType.parse(record.key()).name());
    }
    ArrayNode headers = out.putArray("headers");
    for (Header header : record.headers()) {
      headers.addArray().add(header.key()).add(header.value());
    }
  }

  private static byte[] bytes(ByteBuffer buffer) {
    byte[] out = new byte[buffer.remaining()];
    buffer.duplicate().get(out);
    return out;
  }
}
