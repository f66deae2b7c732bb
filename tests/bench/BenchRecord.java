// Time of Kafka's own record classes on the batches that bench_record.c wrote: BenchRecord DIR prints the same lines.
//
// Validation is what a broker does with a produced batch: the checksum, then LogValidator. Times are of the thread's processor,
// so that what else runs on the machine, the collector included, does not count. tests/bench/record.sh fills @RECORD_PACKAGE@ in.

import @RECORD_PACKAGE@.*;
import @RECORD_PACKAGE@.Record;

import java.io.File;
import java.lang.management.ManagementFactory;
import java.lang.management.ThreadMXBean;
import java.lang.reflect.Proxy;
import java.nio.ByteBuffer;
import java.nio.file.Files;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.compress.Compression;
import org.apache.kafka.common.record.TimestampType;
import org.apache.kafka.common.utils.BufferSupplier;
import org.apache.kafka.common.utils.PrimitiveRef;
import org.apache.kafka.common.utils.Time;
import org.apache.kafka.storage.internals.log.AppendOrigin;
import org.apache.kafka.storage.internals.log.LogValidator;

public final class BenchRecord {
  static final int ROUNDS = 15;
  static final long ROUND_NS = 30_000_000;
  static final ThreadMXBean CLOCK = ManagementFactory.getThreadMXBean();
  static long sink;

  static double measure(Runnable step) {
    double best = 0;
    int n = 1;
    for (int round = -ROUNDS; round < ROUNDS; ) {
      long from = CLOCK.getCurrentThreadCpuTime();
      for (int i = 0; i < n; i++) step.run();
      long took = CLOCK.getCurrentThreadCpuTime() - from;
      if (took < ROUND_NS) {
        n *= 2;
        continue;
      }
      if (round >= 0 && (round == 0 || (double) took / n < best)) best = (double) took / n;
      round++;
    }
    return best;
  }

  static <T> T still(Class<T> type) {
    return type.cast(Proxy.newProxyInstance(type.getClassLoader(), new Class<?>[] {type}, (self, method, args) ->
        method.getReturnType() == long.class ? 1_700_000_000_000L : null));
  }

  static void validate(List<MemoryRecords> batches, Time time, LogValidator.MetricsRecorder metrics, BufferSupplier buffers) {
    for (MemoryRecords records : batches) {
      MutableRecordBatch batch = records.batches().iterator().next();
      if (!batch.isValid()) throw new IllegalStateException("checksum");
      CompressionType codec = batch.compressionType();
      LogValidator validator = new LogValidator(records, new TopicPartition("t", 0), time, codec, Compression.of(codec).build(), false,
          (byte) 2, TimestampType.CREATE_TIME, Long.MAX_VALUE, 3_600_000, 0, AppendOrigin.CLIENT);
      PrimitiveRef.LongRef offset = PrimitiveRef.ofLong(0);
      validator.validateMessagesAndAssignOffsets(offset, metrics, buffers);
      sink += offset.value;
    }
  }

  static void iterate(List<MemoryRecords> batches, BufferSupplier buffers) {
    for (MemoryRecords records : batches) {
      for (MutableRecordBatch batch : records.batches()) {
        try (var it = batch.streamingIterator(buffers)) {
          while (it.hasNext()) {
            Record record = it.next();
            sink += record.offset() + record.valueSize();
          }
        }
      }
    }
  }

  public static void main(String[] args) throws Exception {
    File[] files = new File(args[0]).listFiles((dir, name) -> name.endsWith(".bin"));
    Arrays.sort(files);
    Time time = still(Time.class);
    LogValidator.MetricsRecorder metrics = still(LogValidator.MetricsRecorder.class);
    BufferSupplier buffers = BufferSupplier.create();
    for (File file : files) {
      byte[] all = Files.readAllBytes(file.toPath());
      List<MemoryRecords> batches = new ArrayList<>();
      int records = 0;
      for (MutableRecordBatch batch : MemoryRecords.readableRecords(ByteBuffer.wrap(all)).batches()) {
        ByteBuffer one = ByteBuffer.allocate(batch.sizeInBytes());
        batch.writeTo(one);
        one.flip();
        batches.add(MemoryRecords.readableRecords(one));
        records += batch.countOrNull();
      }
      double validate = measure(() -> validate(batches, time, metrics, buffers));
      double iterate = measure(() -> iterate(batches, buffers));
      double checksum = measure(() -> {
        for (MemoryRecords r : batches) {
          if (!r.batches().iterator().next().isValid()) throw new IllegalStateException("checksum");
        }
      });
      System.out.printf("%s %d %d %.0f %.0f %.0f%n", file.getName().replace(".bin", ""), records, all.length, validate, iterate, checksum);
    }
  }
}
